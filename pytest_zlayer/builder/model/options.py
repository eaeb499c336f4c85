"""Settings of a building session: the values of options, environment and ini files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType

from pytest_zlayer.builder.model.cache_place import CachePlace
from pytest_zlayer.builder.model.retry_policy import TRANSFERS, RetryPolicy
from pytest_zlayer.builder.model.wording import Wording
from pytest_zlayer.choices import CacheLifetime, EngineChoice, Keep, PullMode
from pytest_zlayer.dataclass import dataclass

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Defaults for every build of a session; an ``ImageSpec`` may override the per-image ones.

    Attributes:
        keep: what is left in the storage at the end: ``all``, ``failed`` or ``none``.
        retries: extra attempts of a failed RUN.
        retry_delay: seconds before the first retry.
        retry_backoff: factor by which the delay grows with each retry (1: fixed).
        retry_max_delay: seconds no delay exceeds.
        retry_max_total: seconds the pauses of one build may sum up to; then it fails.
        timeout: seconds a build may take; ``None``: no limit.
        step_timeout: seconds one RUN may take; ``None``: no limit.
        pull: when base images are pulled.
        registry: default registry tried first for unqualified names, or ``None``.
        platform: default platform or ``None`` (the host's).
        build_args, build_contexts: defaults, overridden by name by a declaration's own.
        images: declared image name to a ready reference used instead of building.
        no_cache: never use cached layers.
        isolation: ``auto``, ``buildah``, ``oci``, ``rootless`` or ``chroot``.
        buildah: path of the binary, or ``None`` (found on PATH).
        root, runroot: container storage, or ``None`` (the user's).
        jobs: stages and images built in parallel.
        log_dir: directory for build logs; ``None``: a temporary one.
        cache: what happens to cached layers: ``keep`` (they serve later sessions), ``session``
            (those this session made are removed with it).
        cache_scope: keeps cached layers apart from those of other scopes (CPU types, mirrors).
        cache_mounts: targets mounted as caches in every RUN.
        cache_max_age: seconds after which an unused cached layer is removed.
        cache_max_size: bytes the layer cache may hold.
        cache_from: places on other machines where layers are looked for, in this order.
        cache_to: a place that finished layers are sent to, or ``None``.
        cache_push_timeout: seconds the end of a session waits for layers on their way.
        send_cached: send also what was cached here before and the place has not.
        transfer_timeout: seconds one attempt of a pull or push may take; ``None``: no limit.
        transfer_retry: how often a pull or push that failed for a reason that may pass (network,
            internal error of the registry) is tried again.
        authfile: registry credentials file, or ``None`` (the user's).
        environment: the process environment this session may read (proxies, SSH_AUTH_SOCK,
            SOURCE_DATE_EPOCH, XDG directories); read once at the edge.
        stay: images stay in the storage under their tags; one without gets a name of its own.
        service_engine: what runs services; ``auto``: the strongest that works.
        watched: somebody sees what goes on; only then pulls tell how many bytes have come.
        session_id: set to share one session between processes (xdist workers); ``None``: new.
        worker: short name of this process within the session (``main``, ``gw0``).
        wording: how hints call what can be given.
    """

    keep: Keep = "none"
    retries: int = 0
    retry_delay: float = 3.0
    retry_backoff: float = 1.0
    retry_max_delay: float = 60.0
    retry_max_total: float = 600.0
    timeout: float | None = None
    step_timeout: float | None = None
    pull: PullMode = "missing"
    registry: str | None = None
    platform: str | None = None
    build_args: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    build_contexts: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    images: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    no_cache: bool = False
    cache: CacheLifetime = "keep"
    isolation: str = "auto"
    buildah: str | None = None
    root: Path | None = None
    runroot: Path | None = None
    jobs: int = 0
    log_dir: Path | None = None
    cache_scope: str = ""
    cache_mounts: tuple[str, ...] = ()
    cache_max_age: float = 14 * 86400.0
    cache_max_size: int = 10 * 1024**3
    cache_from: tuple[CachePlace, ...] = ()
    cache_to: CachePlace | None = None
    cache_push_timeout: float = 60.0
    send_cached: bool = False
    transfer_timeout: float | None = 600.0
    transfer_retry: RetryPolicy = TRANSFERS
    authfile: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    stay: bool = False
    service_engine: EngineChoice = "auto"
    watched: bool = False
    session_id: str | None = None
    worker: str = "main"
    wording: Wording = Wording()
