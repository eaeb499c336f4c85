#!/bin/sh
# Runs a command as an ordinary user with subordinate ids, without adding one to this machine:
# the files that make a user one are covered in a mount namespace of our own.
#
#   as_ordinary_user.sh DIRECTORY REACHABLE COMMAND...
#
# DIRECTORY becomes the user's home, with the directory for temporary files in it; REACHABLE are
# directories, separated by colons, that are made reachable even below /root: the prefix of the
# Python, the repository.
set -eu
home=$1 reachable=$2
shift 2
if [ "${ORDINARY_USER_NAMESPACE:-}" != made ]; then
    ORDINARY_USER_NAMESPACE=made exec unshare --mount --propagation private "$0" "$home" "$reachable" "$@"
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
number=0
old_ifs=$IFS IFS=:
for directory in $reachable; do
    number=$((number + 1))
    case $directory in
    /root/*)
        mkdir -p "$files/$number"
        mount --bind "$directory" "$files/$number"
        ;;
    esac
done
case :$reachable in
*:/root/*) mount -t tmpfs -o mode=0755 tmpfs /root ;;
esac
number=0
for directory in $reachable; do
    number=$((number + 1))
    case $directory in
    /root/*)
        mkdir -p "$directory"
        mount --bind "$files/$number" "$directory"
        ;;
    esac
done
IFS=$old_ifs
mkdir -p "$home/tmp"
chown "$uid:$uid" "$home" "$home/tmp"
cd "$home"
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=+all \
    env -i PATH="$PATH" HOME="$home" USER=ordinary TMPDIR="$home/tmp" "$@"
