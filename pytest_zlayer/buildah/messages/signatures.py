"""The messages of buildah by which failures are known."""

from __future__ import annotations

from pytest_zlayer.buildah.failures import NO_LOGIN, FailureKind
from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """A message of buildah by which a failure is known.

    Attributes:
        kind: of the failure.
        pattern: a regular expression for what buildah says.
        message, hint: as in ``Failure``.
        whole: whether ``message`` says it all, and what buildah has said would only hide that.
    """

    kind: FailureKind
    pattern: str
    message: str
    hint: str | None = None
    whole: bool = False


# What to do where something else has removed what a build was using.
NOBODY_REMOVES = (
    "nothing else may remove containers or images of this storage while it is in use "
    "(buildah rm -a, rmi -a, podman system prune); --zlayer-root gives the run one of its own"
)

# The first that is found counts.
SIGNATURES = (
    Signature(
        "environment",
        r"no space left on device|disk quota exceeded",
        "the disk is full",
        "free space in the container storage and in TMPDIR",
    ),
    Signature(
        "environment",
        r"read-only file system",
        "the container storage is read-only",
        "choose another with --zlayer-root and --zlayer-runroot",
    ),
    Signature(
        "environment",
        r"(?:mkdir|open|chmod|chown|lstat) \S+: permission denied$"
        r"|(?:mkdir|open) \S+(?:lock|storage\S*): permission denied",
        "buildah is not permitted to use its storage",
        "run as root, or as a user with entries in /etc/subuid and /etc/subgid",
    ),
    Signature(
        "environment",
        r"cgroups? in hybrid mode not supported|cgroup\S* .*not (?:mounted|supported|found)",
        "the OCI runtime cannot use the control groups of this machine",
        "use --zlayer-isolation chroot, or install runc",
    ),
    Signature(
        "environment",
        r"executable file not found in \$PATH",
        "a program buildah needs is not installed",
        "install crun or runc, or use --zlayer-isolation chroot",
    ),
    Signature(
        "environment",
        r'could not find "?(?:netavark|aardvark-dns)"?',
        "netavark, which this version of buildah needs for networks, is not installed",
        "install the package netavark",
        whole=True,
    ),
    Signature("permanent", r"unrecognized isolation type", "there is no such isolation"),
    Signature(
        "environment",
        r"(?:newuidmap|newgidmap)|no subuid ranges found|cannot find UID/GID for user"
        r"|error creating (?:new )?user namespace",
        "this user has no subordinate user ids",
        "add the user to /etc/subuid and /etc/subgid and install the package uidmap",
    ),
    Signature(
        "environment",
        # "container config" before buildah 1.39.
        r"failed to get (?:default )?container config|Failed to read .*toml"
        r"|reading .*storage\.conf",
        "a configuration file in /etc/containers or ~/.config/containers cannot be read",
    ),
    Signature(
        "environment",
        r"obtaining default signature policy|invalid policy in|open \S*policy\.json",
        "the signature policy of containers is missing or broken",
        "restore /etc/containers/policy.json",
    ),
    Signature("permanent", r"rejected by policy", "the signature policy rejects this image"),
    Signature(
        "environment",
        r"checking authfile|unmarshaling JSON at|unmarshaling JSON .*auth",
        "the registry credentials file cannot be read",
    ),
    Signature(
        "environment",
        r"driver not supported",
        "the storage driver is not available",
        "check the driver in storage.conf",
    ),
    Signature(
        "environment",
        r"containers-storage:\S+.* (?:unexpected end of JSON input|invalid character"
        r"|.*digest \S+ does not match)",
        "an image in the container storage is damaged",
        "remove it, or the whole storage, and build again",
    ),
    Signature(
        "environment",
        r"storage may be corrupted|layers\.json|overlay/\S+: no such file or directory"
        r"|recreating the missing symlinks|file integrity checksum failed|Digest did not match"
        r"|locating item named \"manifest\"",
        "a layer in the container storage is damaged",
        "remove the image that uses it, or the whole storage, and build again",
    ),
    Signature(
        "permanent",
        # The second is what the kernel makes of a list of layers that is too long for it.
        r"max depth exceeded|mountfrom re-exec output: invalid argument",
        "the image has more than the 128 layers the storage can mount",
        "squash it, or join RUN instructions",
    ),
    Signature("absent", r"manifest unknown|name unknown|NAME_UNKNOWN", "no such image there"),
    Signature(
        "permanent",
        r"unauthorized|authentication required|invalid username/password|\b401\b",
        NO_LOGIN,
        "log in with buildah login, or name a file of logins with --zlayer-authfile",
    ),
    Signature(
        "permanent", r"\bdenied: |\b403 \(?Forbidden", "the registry denies access to this image"
    ),
    # buildah has already paused five times by then, as long as the registry asked for or for a
    # minute: to go on would only use up more of the allowance.
    Signature(
        "permanent",
        r"toomanyrequests|too many requests to registry|429 \(?Too Many",
        "the registry asks to slow down",
        "log in for a higher rate limit, wait, or use a mirror (registries.conf)",
    ),
    Signature(
        "permanent",
        r"no image found in (?:manifest list|image index) for",
        "there is no image for this platform",
    ),
    Signature(
        "transient",
        r"unexpected HTTP status: 5\d\d|\b5\d\d \(?(?:Internal|Bad Gateway|Service|Gateway)",
        "the registry has an internal error",
    ),
    Signature(
        "permanent",
        r"server gave HTTP response to HTTPS client|tls: |x509: ",
        "the TLS connection to the registry failed",
        "check its certificate, or mark the registry as insecure in registries.conf",
    ),
    Signature(
        "transient",
        r"no such host|Temporary failure in name resolution|server misbehaving",
        "the name of the registry cannot be resolved",
        "check the network and the spelling of the registry",
    ),
    Signature(
        "transient",
        r"connection refused|connection reset|network is unreachable|no route to host"
        r"|i/o timeout|TLS handshake timeout|Client\.Timeout",
        "the registry cannot be reached",
    ),
    Signature("transient", r"unexpected EOF|: EOF$", "the connection to the registry was cut"),
    Signature("transient", r"digest sha256:\S+ does not match", "a downloaded layer was damaged"),
    Signature(
        "permanent",
        r"invalid character '<' looking for|does not match provided manifest digest",
        "something other than a registry answered",
        "a proxy or login page may stand in between",
    ),
    Signature(
        "permanent",
        r"did not resolve to an alias",
        "the image name has no registry",
        "write it in full, or set --zlayer-registry",
    ),
    Signature(
        "transient",
        r"layer not known",
        "a layer disappeared while it was in use",
        "if this persists, the storage is damaged: remove the image, or the whole storage",
    ),
    Signature(
        "transient",
        r"container not known|saving updated state for build container",
        "a working container is gone: something else has removed it from the container storage",
        NOBODY_REMOVES,
        whole=True,
    ),
    Signature("permanent", r"image not known|no such image|not found in local", "no such image"),
    Signature("permanent", r"image is in use|image used by", "the image is in use by a container"),
    Signature("permanent", r"name is already in use", "that container name is in use"),
    Signature("permanent", r"unknown user|unable to find user", "the image has no such user"),
    Signature("permanent", r"invalid reference format", "that is not an image name"),
)
