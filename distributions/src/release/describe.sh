#!/bin/sh
# Writes the RELEASE file of one release to standard output, as key=value lines that a shell and java.util.Properties
# both read. Usage: describe.sh ROOT ROLE VERSION PLATFORM RUNTIME
set -eu
root=$(CDPATH='' cd -- "$1" && pwd -P) role=$2 version=$3 platform=$4 runtime=$5

# The commit, if ROOT itself is the top of a repository: a source archive inside another repository has no commit.
commit=unknown
if top=$(git -C "$root" rev-parse --show-toplevel 2>/dev/null) && [ "$top" = "$root" ] &&
  head=$(git -C "$root" rev-parse --verify HEAD 2>/dev/null); then
  commit=$head
  [ -z "$(git -C "$root" status --porcelain --untracked-files=no)" ] || commit=$commit-dirty
fi

java=$(sed -n 's/^JAVA_VERSION="\(.*\)"$/\1/p' "$runtime/release")
[ -n "$java" ] || { echo "$runtime/release names no JAVA_VERSION" >&2; exit 1; }

cat <<END
name=kv
role=$role
version=$version
commit=$commit
platform=$platform
java=$java
END
