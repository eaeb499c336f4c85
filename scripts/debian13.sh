# Sourced: a root file system of Debian 13, for what this machine's Debian is too old for.

say() {
    printf '== %s\n' "$*"
}

need_root() {
    [ "$(id -u)" -eq 0 ] || { say "this needs root"; exit 1; }
}

# limit OPTION: the machine's own hard limit, as SOFT:HARD.
limit() {
    local found
    found=$(ulimit "$1")
    [ "$found" != unlimited ] || found=1048576
    printf '%s:%s' "$found" "$found"
}

# make_root DIRECTORY MIRROR PACKAGES: Debian 13 with some packages, unless it is there.
make_root() {
    [ ! -d "$1" ] || return 0
    say "making a Debian 13 root file system in $1"
    mmdebstrap --quiet --variant=minbase --include="$3" trixie "$1.new" "$2"
    # buildah raises these limits for its containers, which an unprivileged machine may not allow.
    mkdir -p "$1.new/etc/containers"
    printf '[containers]\ndefault_ulimits = ["nofile=%s", "nproc=%s"]\n' \
        "$(limit -Hn)" "$(limit -Hu)" > "$1.new/etc/containers/containers.conf"
    mv "$1.new" "$1"
}

# enter_root DIRECTORY: in a mount namespace of its own, prepare DIRECTORY and make it the root.
#
# A real root is needed (pivot_root, not chroot): engines make user and mount namespaces. What has
# to be seen inside is bound in "$1" before.
enter_root() {
    mkdir -p "$1/old"
    mount --rbind /dev "$1/dev"
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
    mount -t tmpfs -o mode=755 tmpfs "$1/run"
    cp -L /etc/resolv.conf "$1/run/resolv.conf" 2> /dev/null || true
    cd "$1"
    pivot_root . old
    umount --lazy /old
    cd /
}
