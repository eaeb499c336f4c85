"""What it takes to run a failed step again later, kept beside the log of its build."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pytest_zlayer.builder.execute.build import make_private
from pytest_zlayer.builder.model.masker import looks_random
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.plan.build_plan import BuildPlan
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.values.credentials import redacted
from pytest_zlayer.dockerfile.values.secret_names import looks_secret
from pytest_zlayer.errors import UsageError

_VERSION = 1
_ID = re.compile(r"[0-9a-f]{8}")
_TEXTS = ("buildah", "isolation", "registry", "cache", "cache_scope")
_PATHS = ("root", "runroot", "authfile")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugRecord:
    """A step at which a build has failed.

    Values of secrets are no part of it, only where they come from.

    Attributes:
        id: what it is found by.
        image: label of the image.
        dockerfile: path of the Dockerfile as shown to people.
        text: what stood in the Dockerfile.
        stage: index of the step's stage.
        number: its position there, from 1.
        step: the step on one line.
        line: its first line in the Dockerfile, from 1.
        key: the key of its layer.
        directory: where relative paths start.
        spec: the declaration as plain data, see ``plain_spec``.
        options: the fields of ``BuildOptions`` that say where and how, as texts.
        bases: the references that hooks have put in the place of others.
    """

    id: str
    image: str
    dockerfile: str
    text: str
    stage: int
    number: int
    step: str
    line: int
    key: str
    directory: str
    spec: Mapping[str, Any]
    options: Mapping[str, str]
    bases: Mapping[str, str]

    def build_options(self, options: BuildOptions, given: Collection[str] = ()) -> BuildOptions:
        """``options`` with the storage and the ways of the build that failed.

        Args:
            options: what holds for the rest.
            given: the fields that stay as they are.
        """
        kept = {name: text for name, text in self.options.items() if name not in given}
        texts = {name: kept[name] for name in _TEXTS if name in kept}
        paths = {name: Path(kept[name]) for name in _PATHS if name in kept}
        return replace(options, **texts, **paths)  # type: ignore[arg-type]  # as they were written


def new_record(
    plan: BuildPlan, stage: StagePlan, step: Step, options: BuildOptions, bases: Mapping[str, str]
) -> DebugRecord | None:
    """What it takes to run ``step`` again.

    ``None``: what was fetched from an address with a password in it cannot be fetched again.
    """
    declared = {**plan.spec.build_contexts, **plan.declared}
    spec = replace(plan.spec, build_contexts=declared, tags=(), retries=0, timeout=None)
    if spec.context_url is not None:
        if redacted(spec.context_url) != spec.context_url:
            return None
        spec = replace(spec, context=None)
    return DebugRecord(
        id=secrets.token_hex(4),
        image=plan.label,
        dockerfile=plan.dockerfile_path,
        text=plan.dockerfile.text if plan.dockerfile else "",
        stage=stage.index,
        number=step.number,
        step=step.text,
        line=step.instruction.span.line,
        key=step.key,
        directory=os.getcwd(),
        spec=plain_spec(spec),
        options=options_to_keep(options),
        bases=dict(bases),
    )


def options_to_keep(options: BuildOptions) -> dict[str, str]:
    """The options that a later process needs to find the same storage and layers."""
    found = {name: getattr(options, name) for name in (*_TEXTS, *_PATHS)}
    return {name: str(value) for name, value in found.items() if value is not None}


def plain_spec(spec: ImageSpec) -> dict[str, Any]:
    """A declaration as plain data.

    In the place of what may be secret stands ``None``: of the value of a build argument with the
    name or the looks of a secret, and of the URL of a named context with a password in it.
    """
    values = {one.name: getattr(spec, one.name) for one in fields(spec)}
    found = {name: _plain(value) for name, value in values.items() if value}
    for name, value in found.get("build_args", {}).items():
        if looks_secret(name) or looks_random(value):
            found["build_args"][name] = None
    for name, value in found.get("build_contexts", {}).items():
        if isinstance(value, str) and redacted(value) != value:
            found["build_contexts"][name] = None
    return found


def spec_of(values: Mapping[str, Any], options: BuildOptions) -> ImageSpec:
    """The declaration again; what is not kept comes from the options or the environment.

    Raises:
        UsageError: that is not there.
    """
    found = {name: _tuples(value) for name, value in values.items()}
    if "context" in found:
        found["context"] = Path(found["context"])
    if isinstance(found.get("base"), Mapping):
        found["base"] = spec_of(found["base"], options)
    found["build_args"] = {
        name: _argument(name, options) if value is None else value
        for name, value in found.get("build_args", {}).items()
    }
    found["build_contexts"] = {
        name: _context(name, value, options)
        for name, value in found.get("build_contexts", {}).items()
    }
    return ImageSpec(**found)


def _argument(name: str, options: BuildOptions) -> str:
    value = options.build_args.get(name, options.environment.get(name))
    if value is None:
        raise UsageError(
            f"the value of the build argument {name} is not kept: it may be a secret",
            hint=f"give it by --build-arg {name}=VALUE, or as {name} in the environment",
        )
    return value


def _context(name: str, value: Any, options: BuildOptions) -> str | ImageSpec:
    if isinstance(value, Mapping):
        return spec_of(value, options)
    found: str | None = options.build_contexts.get(name) if value is None else value
    if found is None:
        raise UsageError(
            f"the URL of the build context {name} is not kept: there is a password in it",
            hint=f"give it by --build-context {name}=URL",
        )
    return found


def write_record(directory: Path, record: DebugRecord) -> bool:
    """Write a record where only this user can read it; whether that was possible."""
    values = {one.name: _plain(getattr(record, one.name)) for one in fields(record)}
    content = json.dumps({"version": _VERSION, **values}, indent=1).encode()
    try:
        make_private(directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(directory / f"{record.id}.json", flags, 0o600), "wb") as file:
            file.write(content)
    except OSError:
        return False
    return True


def find_record(logs: Path, name: str) -> DebugRecord | None:
    """The record of the failed step ``name``, or ``None``.

    Args:
        logs: the directory with the logs of all sessions.

    Raises:
        UsageError: it cannot be read, or was written by another version.
    """
    if not _ID.fullmatch(name):
        return None
    path = next(logs.glob(f"*/{name}.json"), None)
    return None if path is None else _read(path)


def _read(path: Path) -> DebugRecord:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise UsageError(f"{path} is not a file of this user")
            values = json.load(file)
        if values.pop("version") != _VERSION:
            raise UsageError(f"{path} was written by another version of pytest-zlayer")
        return DebugRecord(**values)
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror}") from problem
    except (ValueError, TypeError, LookupError, AttributeError) as problem:
        raise UsageError(f"{path} is damaged: {problem}") from problem


def _plain(value: Any) -> Any:
    if isinstance(value, ImageSpec):
        return plain_spec(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return os.fspath(value) if isinstance(value, Path) else value


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
