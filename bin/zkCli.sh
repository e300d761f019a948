#!/bin/sh
# ZooKeeper's own command line on the Java runtime of this release, with its own arguments:
#
#   bin/zkCli.sh -server 127.0.0.1:2181 get /kv/table
#
# Without a command it reads commands from the terminal; `help` lists them. It can be called from any directory and through
# symlinks. CLIENT_JVMFLAGS holds JVM flags, separated by blanks, such as those of ZooKeeper's client for TLS.

self=$0
while [ -h "$self" ]; do
  link=$(readlink "$self") || exit
  case $link in
    /*) self=$link ;;
    *) self=${self%/*}/$link ;;
  esac
done
case $self in
  */*) ;;
  *) self=./$self ;;
esac
# The runtime and the jars are bin/kv's affair.
exec "${self%/*}/kv" zkCli "$@"
