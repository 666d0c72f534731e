#!/bin/sh
# Runs rosterd with the Node that came with it, wherever both were put.
set -eu
lib=$(dirname "$(dirname "$(readlink -f "$0")")")/lib/rosterd
# a fixed heap keeps memory flat on large machines, where it would rather grow than collect
set -- "$lib/bin/node" --max-old-space-size=256 --max-semi-space-size=16 --disable-warning=ExperimentalWarning \
  "$lib/dist/src/main.js" "$@"
# Files that root made in the state could not be written by the service any more: root acts as the service's user.
if [ "$(id -u)" = 0 ] && id rosterd >/dev/null 2>&1; then
  set -- setpriv --reuid=rosterd --regid=rosterd --init-groups -- "$@"
fi
exec "$@"
