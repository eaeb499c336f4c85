"""Words that several rooms know; each list is written here and nowhere else."""

from __future__ import annotations

from typing import Literal, get_args

NetworkMode = Literal["default", "none", "host"]
PullMode = Literal["missing", "newer", "always", "never"]
ImageFormat = Literal["oci", "docker"]
# What is kept at the end of a run.
Keep = Literal["all", "failed", "none"]
# How long cached layers are kept.
CacheLifetime = Literal["keep", "session"]
# How RUN is isolated.
IsolationKind = Literal["oci", "rootless", "chroot"]
# What runs services.
EngineChoice = Literal["auto", "podman", "buildah"]
# Where the terminal of a command is: joined with that of this process, for a person; or recorded:
# what is written there is the command's standard output, and nobody types.
Terminal = Literal["joined", "recorded"]

NETWORK_MODES: tuple[NetworkMode, ...] = get_args(NetworkMode)
PULL_MODES: tuple[PullMode, ...] = get_args(PullMode)
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
KEEP_CHOICES: tuple[Keep, ...] = get_args(Keep)
CACHE_LIFETIMES: tuple[CacheLifetime, ...] = get_args(CacheLifetime)
ISOLATION_KINDS: tuple[IsolationKind, ...] = get_args(IsolationKind)
# What leaves the kind open: "buildah" has ``buildah run`` start each command, "auto" not always.
OPEN_ISOLATIONS = ("auto", "buildah")
ENGINE_CHOICES: tuple[EngineChoice, ...] = get_args(EngineChoice)
# Images in files of this machine: KIND:PATH[:NAME].
IMAGE_DIRECTORIES = ("oci", "dir")
IMAGES_IN_FILES = ("oci-archive", "docker-archive", *IMAGE_DIRECTORIES)
# Names of files that are taken for Dockerfiles where none is named.
DOCKERFILES = ("Dockerfile", "Containerfile", "Dockerfile.*", "*.Dockerfile", "*.dockerfile")
# Of Linux, by their numbers, without the CAP_ in front (linux/capability.h).
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
