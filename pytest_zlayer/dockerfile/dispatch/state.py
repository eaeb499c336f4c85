"""The state of a stage while its instructions are dispatched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.stages.scope import NOTHING
from pytest_zlayer.dockerfile.values.platforms import Platform
from pytest_zlayer.dockerfile.values.shells import DEFAULT_SHELL, WINDOWS_SHELL

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class StageState:
    """What holds at one point of a stage.

    Attributes:
        config: the image configuration so far.
        variables: what words and RUN see: ENV and ARG in force, the last writer of a name wins.
        args: those of ``variables`` that come from ARG.
        declared: every name an ARG of this stage or its base stages declared, set or not.
        cmd_set: whether this stage itself has had a CMD (ENTRYPOINT then keeps it).
    """

    config: ImageConfig
    variables: Mapping[str, str]
    args: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    declared: frozenset[str] = frozenset()
    cmd_set: bool = False

    @property
    def workdir(self) -> str:
        """The working directory in force, absolute."""
        return self.config.workdir or "/"

    @property
    def shell(self) -> tuple[str, ...]:
        """What is put in front of a shell form."""
        if self.config.shell:
            return self.config.shell
        return WINDOWS_SHELL if self.config.os == "windows" else DEFAULT_SHELL

    def with_env(self, values: Mapping[str, str]) -> StageState:
        """The state after ``ENV`` set these: a place already taken is kept."""
        args = {name: value for name, value in self.args.items() if name not in values}
        config = replace(self.config, env=_joined(self.config.env, values))
        variables = _joined(self.variables, values)
        return replace(self, config=config, variables=variables, args=MappingProxyType(args))

    def with_arg(self, name: str, value: str) -> StageState:
        """The state after ``ARG name`` got ``value``; the image configuration stays."""
        return replace(
            self,
            variables=_joined(self.variables, {name: value}),
            args=_joined(self.args, {name: value}),
        )


def first_state(base: ImageConfig, platform: Platform, *, scratch: bool) -> StageState:
    """The state of a stage built from an image (or from nothing), before its instructions."""
    config = replace(base, onbuild=(), workdir=base.workdir and absolute("/", base.workdir))
    if scratch or not config.os:
        config = replace(
            config,
            workdir=config.workdir or ("/" if scratch else ""),
            os=platform.os,
            architecture=platform.architecture,
            variant=platform.variant,
            os_version=platform.os_version,
        )
    # Windows finds its own; everywhere else an image without PATH could run nothing by name.
    if "PATH" not in config.env and config.os != "windows":
        config = replace(config, env=_joined(config.env, {"PATH": DEFAULT_PATH}))
    return StageState(config, MappingProxyType(dict(config.env)))


def child_state(base: StageState) -> StageState:
    """The state of a stage built from another one: all but ONBUILD and the memory of CMD."""
    return replace(base, config=replace(base.config, onbuild=()), cmd_set=False)


def absolute(workdir: str, path: str) -> str:
    """``path`` as WORKDIR takes it: an absolute one as it is, another joined and cleaned."""
    if not path:
        return workdir or "/"
    return path if path.startswith("/") else clean(f"/{workdir}/{path}")


def clean(path: str) -> str:
    """An absolute path without ``.``, ``..`` and repeated slashes."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _joined(values: Mapping[str, str], more: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({**values, **more})
