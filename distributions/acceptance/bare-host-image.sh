#!/bin/bash
# Makes a container image of a bare host, NAME, from this machine's own glibc userland: no registry, no download. It
# holds a shell, tar, ps, ip, tc and iptables, and no Java. Needs busybox-static, iproute2, iptables and procps.
# Usage: bare-host-image.sh NAME
set -euo pipefail
name=$1

for needed in docker busybox bash tar gzip ps ip tc iptables; do
  command -v "$needed" >/dev/null || { echo "bare-host-image.sh: this machine has no $needed" >&2; exit 1; }
done
if ldd "$(command -v busybox)" >/dev/null 2>&1; then
  echo 'bare-host-image.sh: busybox is not the static one' >&2
  exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{etc,proc,sys,dev,tmp,root,run,opt,var/tmp,home,usr/bin,usr/sbin,usr/lib,usr/lib64}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
chmod 1777 "$root/tmp" "$root/var/tmp"

# A file at its own place, what it links to included; the loader's path differs between machines, so none is named here.
add_libraries() {
  { ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ ]+\.so[^ ]*' | while read -r library; do add_file "$library"; done
}
add_file() {
  [ -e "$root$1" ] && return
  mkdir -p "$root${1%/*}"
  install -m 755 "$(readlink -f "$1")" "$root$1"
}
# A program, under the name that it is called by, in one of the two folders of programs.
add_program() { # NAME FOLDER
  local path
  path=$(readlink -f "$(command -v "$1")")
  rm -f "$root/usr/bin/$1"
  install -m 755 "$path" "$root/usr/$2/$1"
  add_libraries "$path"
}

install -m 755 "$(command -v busybox)" "$root/usr/bin/busybox"
for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$root/usr/bin/$applet"; done
for program in bash tar gzip ps; do add_program "$program" bin; done
for program in ip tc iptables; do add_program "$program" sbin; done

libraries=$(ldd "$(command -v bash)" | grep -oE '/[^ ]+/libc\.so\.6')
libraries=${libraries%/*}
# iptables loads its parts by name, Java its libraries, and glibc its locale and its name services.
[ ! -d "/usr$libraries/xtables" ] || cp -r "/usr$libraries/xtables" "$root$libraries/"
[ ! -d /usr/lib/locale/C.utf8 ] || { mkdir -p "$root/usr/lib/locale" && cp -r /usr/lib/locale/C.utf8 "$root/usr/lib/locale/"; }
for library in libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libz.so.1 libresolv.so.2 libnss_dns.so.2 libnss_files.so.2; do
  [ ! -e "$libraries/$library" ] || add_file "$libraries/$library"
done

echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
for file in os-release protocols services; do [ ! -e "/etc/$file" ] || cp -L "/etc/$file" "$root/etc/"; done

tar -C "$root" -c . | docker import -c 'CMD ["/bin/bash"]' -c 'ENV LANG=C.UTF-8' \
  -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$name"
