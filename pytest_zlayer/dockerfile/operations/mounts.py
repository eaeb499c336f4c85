"""The value of ``RUN --mount``: its fields, checked and typed."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Literal, cast, get_args

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.kinds import (
    MAIN_CONTEXT,
    BindMount,
    CacheMount,
    Mount,
    SecretMount,
    Sharing,
    SourceRef,
    SshMount,
    TmpfsMount,
)
from pytest_zlayer.dockerfile.values.csvline import csv_fields
from pytest_zlayer.dockerfile.values.paths import clean
from pytest_zlayer.dockerfile.values.quoting import go_quote
from pytest_zlayer.dockerfile.values.scalars import parse_bool, parse_size, parse_unsigned
from pytest_zlayer.dockerfile.values.suggest import suggest

MountType = Literal["bind", "cache", "tmpfs", "secret", "ssh"]

MOUNT_TYPES: Final[tuple[MountType, ...]] = get_args(MountType)
SHARING_MODES: Final[tuple[Sharing, ...]] = get_args(Sharing)
MOUNT_KEYS: Final = (
    "type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode",
    "uid", "gid", "src", "dst", "destination", "ro", "rw", "readwrite", "env",
)  # fmt: skip
_READ_ONLY: Final = ("readonly", "ro")
_READ_WRITE: Final = ("readwrite", "rw")
# Labels for SELinux, which buildah knows and BuildKit does not: nothing has to be relabelled here.
_RELABEL: Final = ("z", "Z")


@dataclass(frozen=True, slots=True)
class MountFields:
    """One ``--mount`` as it was written, values expanded and checked (``from_`` is still raw).

    ``None`` and ``""`` mean "not given"; ``readonly`` has its default filled in. ``size`` is in
    bytes. ``target`` may be relative to the working directory and ``source`` is not yet cleaned.
    """

    type: MountType = "bind"
    from_: str = ""
    source: str = ""
    target: str = ""
    readonly: bool | None = None
    size: int = 0
    id: str = ""
    sharing: Sharing | None = None
    required: bool = False
    env: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None


def check_mount_from(raw: str) -> None:
    """What is checked before anything is expanded: the fields' form and no variable in ``from``.

    Raises:
        ValueError: BuildKit's text.
    """
    for key, value in _pairs(raw):
        # A `$` at the very end stands for itself.
        if key == "from" and value is not None and "$" in value[:-1]:
            raise ValueError(
                "'from' doesn't support variable expansion, define alias stage instead"
            )


def mount_from(raw: str) -> str:
    """The stage or image a mount takes its files from, unexpanded; ``""`` when it names none.

    Raises:
        ValueError: the fields are no valid CSV.
    """
    found = ""
    for key, value in _pairs(raw):
        if key == "from" and value is not None:
            found = value
    return found


def parse_mount(raw: str, expand: Callable[[str], str]) -> MountFields:
    """Read all fields, each value expanded by ``expand`` first (``from`` for its errors only).

    Raises:
        ValueError: BuildKit's text; ``expand`` may raise errors of its own.
    """
    fields = MountFields()
    for key, value, field in _triples(raw):
        if value is None:
            fields = _set_flag(fields, key, field)
        elif key == "from":
            expand(value)
            fields = replace(fields, from_=value)
        else:
            fields = _set_value(fields, key, expand(value), field)
    _check_owner_keys(fields)
    if fields.readonly is None:
        fields = replace(fields, readonly=fields.type not in ("cache", "tmpfs"))
    if fields.type == "secret":
        _check_secret(fields)
    if fields.sharing and fields.type != "cache":
        raise ValueError(f"invalid cache sharing set for {fields.type} mount")
    if fields.type == "ssh" and fields.source:
        raise ValueError("ssh does not support source")
    return fields


def build_mount(
    fields: MountFields, *, workdir: str, from_: SourceRef | None = None, ssh_index: int = 0
) -> Mount:
    """The mount the fields describe, defaults filled in.

    ``from_`` is what ``fields.from_`` was found to be; ``ssh_index`` counts the ssh mounts before
    this one in the instruction.

    Raises:
        ValueError: ``invalid mount target "/"``.
    """
    match fields.type:
        case "secret":
            return _secret(fields, workdir)
        case "ssh":
            return _ssh(fields, workdir, ssh_index)
    target = _target(fields.target, workdir)
    if target == "/":
        raise ValueError('invalid mount target "/"')
    source = clean("/" + fields.source)
    readonly = bool(fields.readonly)
    match fields.type:
        case "tmpfs":
            return TmpfsMount(target, fields.size, readonly)
        case "cache":
            return _cache(fields, target, source, from_)
        case _:
            return BindMount(target, source, from_ or MAIN_CONTEXT, readonly)


def _pairs(raw: str) -> Iterable[tuple[str, str | None]]:
    return [(key, value) for key, value, _ in _triples(raw)]


def _triples(raw: str) -> list[tuple[str, str | None, str]]:
    """Key in lower case, value (``None`` without ``=``) and the whole field, for each field."""
    try:
        fields = csv_fields(raw)
    except ValueError as error:
        raise ValueError(f"failed to parse csv mounts: {error}") from None
    split = [(field, *field.partition("=")) for field in fields]
    return [(key.lower(), value if equals else None, field) for field, key, equals, value in split]


def _set_flag(fields: MountFields, key: str, field: str) -> MountFields:
    if field in _RELABEL and fields.type in ("bind", "cache"):
        return fields
    if key in _READ_ONLY:
        return replace(fields, readonly=True)
    if key in _READ_WRITE:
        return replace(fields, readonly=False)
    if key == "required":
        _need_type(fields, key, "secret", "ssh")
        return replace(fields, required=True)
    raise ValueError(f"invalid field '{field}' must be a key=value pair")


def _set_value(fields: MountFields, key: str, value: str, field: str) -> MountFields:
    match key:
        case "type":
            return replace(fields, type=_mount_type(value))
        case "source" | "src":
            return replace(fields, source=value)
        case "target" | "dst" | "destination":
            return replace(fields, target=value)
        case "readonly" | "ro":
            return replace(fields, readonly=_boolean(key, value))
        case "readwrite" | "rw":
            return replace(fields, readonly=not _boolean(key, value))
        case "required":
            _need_type(fields, key, "secret", "ssh")
            return replace(fields, required=_boolean(key, value))
        case "size":
            _need_type(fields, key, "tmpfs")
            return replace(fields, size=_size(value))
        case "id":
            return replace(fields, id=value)
        case "sharing":
            return replace(fields, sharing=_sharing(value))
        case "mode":
            return replace(fields, mode=_number(key, value, base=8))
        case "uid":
            return replace(fields, uid=_number(key, value))
        case "gid":
            return replace(fields, gid=_number(key, value))
        case "env":
            return replace(fields, env=value)
        case _:
            raise _refusal(f"unexpected key '{key}' in '{field}'", key, MOUNT_KEYS)


def _need_type(fields: MountFields, key: str, *types: MountType) -> None:
    if fields.type not in types:
        raise ValueError(f"unexpected key '{key}' for mount type '{fields.type}'")


def _mount_type(value: str) -> MountType:
    if value.lower() not in MOUNT_TYPES:
        raise _refusal(f"unsupported mount type {go_quote(value)}", value, MOUNT_TYPES)
    return cast("MountType", value.lower())


def _sharing(value: str) -> Sharing:
    if value.lower() not in SHARING_MODES:
        raise _refusal(f"unsupported sharing value {go_quote(value)}", value, SHARING_MODES)
    return cast("Sharing", value.lower())


def _refusal(message: str, word: str, candidates: Iterable[str]) -> ValueError:
    guess = suggest(word, candidates)
    return ValueError(f"{message} (did you mean {guess}?)" if guess else message)


def _boolean(key: str, value: str) -> bool:
    try:
        return parse_bool(value)
    except ValueError:
        raise ValueError(f"invalid value for {key}: {value}") from None


def _size(value: str) -> int:
    try:
        return parse_size(value)
    except ValueError:
        raise ValueError(f"invalid value for size: {value}") from None


def _number(key: str, value: str, *, base: int = 10) -> int:
    try:
        return parse_unsigned(value, base=base)
    except ValueError:
        raise ValueError(f"invalid value {value} for {key}") from None


def _check_owner_keys(fields: MountFields) -> None:
    if fields.type in ("cache", "secret", "ssh"):
        return
    for key, value in (("mode", fields.mode), ("uid", fields.uid), ("gid", fields.gid)):
        if value is not None:
            raise ValueError(f"{key} not allowed for {go_quote(fields.type)} type mounts")


def _check_secret(fields: MountFields) -> None:
    if fields.from_:
        raise ValueError("secret mount should not have a from")
    if fields.sharing:
        raise ValueError("secret mount should not define sharing")
    if not (fields.source or fields.target or fields.id):
        raise ValueError("invalid secret mount. one of source, target required")
    if fields.source and fields.id:
        raise ValueError("both source and id can't be set")


def _target(target: str, workdir: str) -> str:
    """Absolute and, when it had to be joined to the working directory, cleaned."""
    if target.startswith("/"):
        return target
    return clean("/" + posixpath.join(workdir, target))


def _cache(fields: MountFields, target: str, source: str, from_: SourceRef | None) -> CacheMount:
    return CacheMount(
        target=target,
        id=fields.id or clean(fields.target),
        source=source,
        from_=from_,
        readonly=bool(fields.readonly),
        sharing=fields.sharing or "shared",
        mode=0o755 if fields.mode is None else fields.mode,
        uid=fields.uid or 0,
        gid=fields.gid or 0,
    )


def _secret(fields: MountFields, workdir: str) -> SecretMount:
    name = fields.source or fields.id or _base(fields.target)
    wanted = fields.target or (f"/run/secrets/{_base(name)}" if fields.env is None else "")
    return SecretMount(
        id=name,
        target=_target(wanted, workdir) if wanted else None,
        env=fields.env,
        required=fields.required,
        mode=0o400 if fields.mode is None else fields.mode,
        uid=fields.uid or 0,
        gid=fields.gid or 0,
    )


def _ssh(fields: MountFields, workdir: str, index: int) -> SshMount:
    wanted = fields.target or f"/run/buildkit/ssh_agent.{index}"
    return SshMount(
        id=fields.id or "default",
        target=_target(wanted, workdir),
        required=fields.required,
        mode=0o600 if fields.mode is None else fields.mode,
        uid=fields.uid or 0,
        gid=fields.gid or 0,
    )


def _base(path: str) -> str:
    return posixpath.basename(path.rstrip("/")) or "/"
