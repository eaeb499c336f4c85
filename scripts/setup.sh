# Set-up shared by the scripts that run something; to be sourced by bash.
#
#   set_up EXTRA                        system packages if missing, .venv, and the package with it
#   make_venv PYTHON DIRECTORY EXTRA    a virtual environment of its own for another Python
#   in_memory COMMAND…                  run tests with their files in memory, where there is room
#
# Doing it again does only what is missing. Nothing is downloaded when all is there.

set -euo pipefail

# Each of some thousand processes would compile pytest's plugins and the tests anew: the suite would
# take twice the time.
unset PYTHONDONTWRITEBYTECODE

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$REPOSITORY/.venv
cd "$REPOSITORY"

say() {
    printf '== %s\n' "$*"
}

fail() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

trap 'printf "%s: failed in line %s: %s\n" "$0" "$LINENO" "$BASH_COMMAND" >&2' ERR

have() {
    command -v "$1" > /dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "not root and no sudo; as root, run: $*"
    fi
}

# What the distribution calls the things we need: an entry is THING=PACKAGES. What a distribution
# does not list here is asked of the person, by "still missing after the installation". Only the
# names for apt-get have been tried (Debian 12 and 13). Those for dnf and apk were compared with the
# package lists of Fedora 44 and Alpine 3.24; Fedora packages no registry, nobody but Debian
# mmdebstrap.
install_packages() {
    say "installing with the system's package manager: $*"
    if have apt-get; then
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            $(package_names "$*" python="python3 python3-venv" \
                buildah="buildah netavark ca-certificates" runtime=runc busybox=busybox-static \
                registry=docker-registry bootstrap=mmdebstrap git=git namespaces=uidmap \
                podman="podman netavark aardvark-dns containernetworking-plugins iptables \
                    nftables passt" \
                skopeo=skopeo crun=crun browser=chromium)
        case " $* " in
        *" registry "*) stop_registry_of_debian ;;
        esac
    elif have dnf; then
        as_root dnf install -y -q \
            $(package_names "$*" python=python3 buildah=buildah runtime=crun busybox=busybox \
                git=git namespaces=shadow-utils podman="podman netavark aardvark-dns iptables-nft" \
                skopeo=skopeo crun=crun browser=chromium)
    elif have zypper; then
        as_root zypper --non-interactive install \
            $(package_names "$*" python=python3 buildah=buildah runtime=crun busybox=busybox-static \
                registry=distribution-registry git=git namespaces=shadow \
                podman="podman netavark aardvark-dns iptables" skopeo=skopeo crun=crun \
                browser=chromium)
    elif have pacman; then
        as_root pacman -Sy --noconfirm --needed \
            $(package_names "$*" python=python buildah=buildah runtime=crun busybox=busybox \
                git=git namespaces=shadow podman="podman netavark aardvark-dns iptables" \
                skopeo=skopeo crun=crun browser=chromium)
    elif have apk; then
        as_root apk add --quiet \
            $(package_names "$*" python=python3 buildah=buildah runtime=crun busybox=busybox-static \
                registry=docker-registry git=git namespaces=shadow-subids \
                podman="podman netavark aardvark-dns iptables" skopeo=skopeo crun=crun \
                browser=chromium)
    else
        fail "no known package manager; please install: $*"
    fi
}

# Debian's package starts a registry that everybody on the network can use. The tests start their own.
stop_registry_of_debian() {
    [ ! -d /run/systemd/system ] || as_root systemctl --quiet disable --now docker-registry
}

# package_names "THING…" THING=PACKAGES…: the packages of these things.
package_names() {
    local wanted=" $1 " entry
    shift
    for entry in "$@"; do
        case $wanted in
        *" ${entry%%=*} "*) printf '%s ' "${entry#*=}" ;;
        esac
    done
}

python_is_usable() {
    python3 - > /dev/null 2>&1 << 'PYTHON'
import ensurepip, sys, venv
sys.exit(sys.version_info < (3, 10))
PYTHON
}

has_static_busybox() {
    python3 examples/almanac/rootfs.py --find > /dev/null 2>&1
}

# runc lives in /usr/sbin, which is not on every user's PATH.
has_runtime() {
    have crun || have runc || [ -x /usr/sbin/runc ]
}

# The whole test suite has a registry, a real Debian, git sources, an ordinary user, services and
# pages in a browser in it.
missing_for_tests() {
    have docker-registry || have registry || printf 'registry '
    have mmdebstrap || printf 'bootstrap '
    have git || printf 'git '
    have newuidmap || printf 'namespaces '
    has_podman || printf 'podman '
    have skopeo || printf 'skopeo '
    have crun || printf 'crun '
    have chromium || have chromium-browser || have google-chrome || printf 'browser '
}

# With what its networks need: a helper of either kind lies outside PATH, and /usr/sbin is not on
# every user's.
has_podman() {
    have podman && { have iptables || [ -x /usr/sbin/iptables ]; } &&
        [ -x /usr/lib/podman/netavark -o -x /usr/libexec/podman/netavark ]
}

missing_things() {
    python_is_usable || printf 'python '
    have buildah || printf 'buildah '
    has_runtime || printf 'runtime '
    has_static_busybox || printf 'busybox '
    [ "$1" != dev ] || missing_for_tests
}

set_up_system() {
    local missing
    missing=$(missing_things "$1")
    [ -z "$missing" ] || install_packages $missing
    missing=$(missing_things "$1")
    [ -z "$missing" ] || fail "still missing after the installation: $missing(Python must be 3.10 or newer)"
    say "found $(python3 --version), $(buildah --version)"
}

set_up_python() {
    make_venv python3 "$VENV" "$1"
}

# make_venv PYTHON DIRECTORY EXTRA [REQUIREMENT…]: made or changed only when something is new.
make_venv() {
    local python=$1 venv=$2 extra=$3 stamp wanted
    shift 3
    stamp=$venv/installed-$extra
    if ! "$venv/bin/python" -c '' 2> /dev/null; then
        say "making a virtual environment in ${venv#"$REPOSITORY"/}"
        "$python" -m venv --clear "$venv"
    fi
    wanted="$(cksum pyproject.toml) $*"
    if [ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ]; then
        say "installing the package into ${venv#"$REPOSITORY"/} (extra: $extra)"
        install_into "$venv" --editable ".[$extra]"
        [ $# -eq 0 ] || install_into "$venv" --no-deps "$@"
        printf '%s\n' "$wanted" > "$stamp"
    fi
}

install_into() {
    local venv=$1
    shift
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# in_memory COMMAND…: tests that keep their files in memory, where root may mount that and there is
# room. A third of the time of the engine tests goes to storages that make sure of what they write to
# a disk. What a failed run has made is left to be looked at. (/dev/shm will not do: containers that
# are isolated by chroot alone see it too.)
in_memory() {
    local place=${TMPDIR:-/tmp}/tests-$$
    if [ -n "${PYTEST_DEBUG_TEMPROOT:-}" ] || ! mount_memory "$place"; then
        "$@"
        return
    fi
    PYTEST_DEBUG_TEMPROOT=$place "$@" || {
        fail "failed; the files of the tests are in $place: umount it when you have looked"
    }
    umount --lazy "$place"
    rmdir "$place"
}

# mount_memory DIRECTORY: whether it could be made.
mount_memory() {
    [ "$(id -u)" -eq 0 ] && [ "$(free_memory)" -gt $((12 << 20)) ] || return 1
    mkdir -m 700 "$1" 2> /dev/null || return 1
    mount -t tmpfs -o size=8g,mode=700 tests "$1" 2> /dev/null || { rmdir "$1" && return 1; }
    has_attributes "$1" || { umount "$1" && rmdir "$1" && return 1; }
}

# In kB.
free_memory() {
    sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo
}

# has_attributes DIRECTORY: whether files there can have extended attributes of users.
has_attributes() {
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.test", b"")' "$1" 2> /dev/null
}

set_up() {
    set_up_system "$1"
    set_up_python "$1"
}
