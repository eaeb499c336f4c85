#!/bin/sh
# Runs a command as an ordinary user with subordinate ids, without adding one to this machine:
# the files that make a user one are covered in a mount namespace of our own.
#
#   as_ordinary_user.sh DIRECTORY PYTHON_PREFIX COMMAND...
#
# DIRECTORY becomes the user's home; PYTHON_PREFIX is made reachable even below /root.
set -eu
home=$1 prefix=$2
shift 2
if [ "${ORDINARY_USER_NAMESPACE:-}" != made ]; then
    ORDINARY_USER_NAMESPACE=made exec unshare --mount --propagation private "$0" "$home" "$prefix" "$@"
fi
unset ORDINARY_USER_NAMESPACE
uid=54321
files=$home.etc
mkdir -p "$files" "$home"
for name in passwd group subuid subgid; do
    [ -e "/etc/$name" ] || touch "/etc/$name"
    cp "/etc/$name" "$files/$name"
done
echo "ordinary:x:$uid:$uid::$home:/bin/sh" >> "$files/passwd"
echo "ordinary:x:$uid:" >> "$files/group"
echo "ordinary:700000:65536" >> "$files/subuid"
echo "ordinary:700000:65536" >> "$files/subgid"
for name in passwd group subuid subgid; do
    mount --bind "$files/$name" "/etc/$name"
done
case $prefix in
/root/*)
    mkdir -p "$files/prefix"
    mount --bind "$prefix" "$files/prefix"
    mount -t tmpfs -o mode=0755 tmpfs /root
    mkdir -p "$prefix"
    mount --bind "$files/prefix" "$prefix"
    ;;
esac
chown "$uid:$uid" "$home"
cd "$home"
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=+all \
    env -i PATH="$PATH" HOME="$home" USER=ordinary "$@"
