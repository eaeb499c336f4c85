"""From the arguments of a declaration (marker, fixture factory, call) to an ``ImageSpec``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_zlayer.argument_values import as_text, mapping, path_text
from pytest_zlayer.choices import IMAGE_DIRECTORIES, IMAGES_IN_FILES
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.matrix import cell_text
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import TypedDict

    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.choices import ImageFormat, PullMode

    Context: TypeAlias = str | os.PathLike[str] | ImageSpec | None

    class ImageArguments(TypedDict, total=False):
        """The keyword arguments every way of declaring an image takes."""

        name: str | None
        dockerfile: str | os.PathLike[str] | None
        text: str | None
        target: str | None
        build_args: Mapping[str, str | int] | None
        buildargs: Mapping[str, str | int] | None
        base: ImageSpec | str | None
        build_contexts: Mapping[str, str | os.PathLike[str] | ImageSpec] | None
        platform: str | None
        tags: Sequence[str]
        labels: Mapping[str, str] | None
        secrets: Mapping[str, str | os.PathLike[str]] | None
        ssh: Mapping[str, str | os.PathLike[str]] | None
        cache_mounts: Sequence[str]
        pull: PullMode | None
        network: str | None
        retries: int | None
        timeout: float | None
        no_cache: bool | None
        format: ImageFormat | None
        squash: bool
        layers: str | None
        ref: str | None
        shm_size: str | None
        ulimits: Sequence[str]
        add_hosts: Sequence[str]
        memory: str | None


class ImageMarker(Protocol):
    """What ``@pytest.mark.image`` takes, with its defaults: the one list of its arguments."""

    def __call__(
        self,
        context: Context = ".",
        *,
        name: str | None = None,
        dockerfile: str | os.PathLike[str] | None = None,
        text: str | None = None,
        target: str | None = None,
        build_args: Mapping[str, str | int] | None = None,
        base: ImageSpec | str | None = None,
        build_contexts: Mapping[str, str | os.PathLike[str] | ImageSpec] | None = None,
        platform: str | None = None,
        tags: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        secrets: Mapping[str, str | os.PathLike[str]] | None = None,
        ssh: Mapping[str, str | os.PathLike[str]] | None = None,
        cache_mounts: Sequence[str] = (),
        pull: PullMode | None = None,
        network: str | None = None,
        retries: int | None = None,
        timeout: float | None = None,
        no_cache: bool | None = None,
        format: ImageFormat | None = None,  # noqa: A002 - the word of docker build
        squash: bool = False,
        layers: str | None = None,
        ref: str | None = None,
        shm_size: str | None = None,
        ulimits: Sequence[str] = (),
        add_hosts: Sequence[str] = (),
        memory: str | None = None,
        matrix: Mapping[str, Sequence[str | int]] | None = None,
    ) -> object: ...


def marker_signature() -> str:
    """The arguments of the marker as ``pytest --markers`` shows them."""
    _, *parameters = inspect.signature(ImageMarker.__call__).parameters.values()
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    return str(inspect.Signature(plain))


def argument_names() -> tuple[str, ...]:
    """The names of all arguments, for messages and documentation."""
    _, *names = inspect.signature(ImageMarker.__call__).parameters
    return (*names, "buildargs")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a declaration stands: relative paths start at ``folder``, then at ``rootdir``."""

    folder: Path
    rootdir: Path

    def candidates(self, path: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Where a path may be, the first place first."""
        both = (self.folder / path, self.rootdir / path)
        return tuple(dict.fromkeys(Path(os.path.normpath(one)) for one in both))

    def find(self, path: str | os.PathLike[str]) -> Path:
        """The candidate that exists, else the first one."""
        found = self.candidates(path)
        return next((one for one in found if one.exists()), found[0])

    def shown(self, path: Path) -> str:
        """The path as people know it: relative to the rootdir where that is shorter."""
        below = path.is_relative_to(self.rootdir)
        return str(path.relative_to(self.rootdir) if below else path)


def declare(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    place: Place,
    what: str = "the image marker",
    cell: Mapping[str, str] | None = None,
) -> ImageSpec:
    """The image that these arguments declare; ``cell`` holds the values of a matrix cell.

    Raises:
        UsageError: arguments that cannot mean anything.
        MachineError: a path of it is one that the system refuses.
    """
    with LOADING:
        from pytest_zlayer.builder.model.errors import machine_errors_reported
        from pytest_zlayer.builder.model.spec import ImageSpec

    given = _bind(args, kwargs, what)
    first = given.pop("context", _UNSET)
    with machine_errors_reported(f"reading {what}"):
        if isinstance(first, ImageSpec):
            spec = _with_context(first, place)
        else:
            spec = _in_context(first, given, place)
        values = {name: _placed(name, value, place) for name, value in given.items()}
    return _with_cell(replace(spec, **values), cell or {})


class _Unset:
    """Stands for an argument that was not given; ``context=None`` means something else."""


_UNSET = _Unset()


def _bind(args: Sequence[Any], kwargs: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Arguments by name, aliases resolved, the ones that say nothing left out."""
    with LOADING:
        from pytest_zlayer.builder.model.spec import ARGUMENTS

    given = dict(kwargs)
    if len(args) > 1:
        raise UsageError(f"{what} takes one positional argument, the context, not {len(args)}")
    if args and "context" in given:
        raise UsageError(f"{what} got the context twice")
    if args:
        given["context"] = args[0]
    if "buildargs" in given:
        if given.get("build_args") is not None:
            raise UsageError("build_args and buildargs are the same argument; give one of them")
        given["build_args"] = given.pop("buildargs")
    for name in given:
        if name not in ARGUMENTS:
            raise unknown_argument(name, what, argument_names())
    return {name: one for name, one in given.items() if one is not None or name == "context"}


def _placed(name: str, value: Any, place: Place) -> Any:
    """The value with its paths made absolute; what else may be wrong ``ImageSpec`` says."""
    return _PLACED[name](name, value, place) if name in _PLACED else value


def unknown_argument(name: str, what: str, known: Sequence[str]) -> UsageError:
    """The error for an argument that ``what`` does not know, with the one that is most like it."""
    with LOADING:
        from pytest_zlayer.dockerfile.values.suggest import suggest

    near = suggest(name, known)
    hint = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}"
    return UsageError(f"unknown argument {name!r} of {what}", hint=hint)


def _in_context(value: Any, given: Mapping[str, Any], place: Place) -> ImageSpec:
    with LOADING:
        from pytest_zlayer.builder.model.spec import ImageSpec, is_remote_context

    if value is _UNSET:
        value = None if given.keys() & {"text", "ref"} else "."
    if value is None:
        if not given.keys() & {"text", "ref"}:
            raise UsageError("an image needs a context, a text or a ref")
        return ImageSpec()
    text = path_text("context", value)
    if is_remote_context("context", text):
        return ImageSpec(context_url=text)
    return ImageSpec(context=_existing(text, place))


def _with_context(spec: ImageSpec, place: Place) -> ImageSpec:
    """The declaration with its paths, and those of what it needs, made absolute."""
    base = spec.base
    spec = replace(
        spec,
        ref=None if spec.ref is None else _placed_ref(spec.ref, place),
        build_contexts=_as_contexts("build_contexts", spec.build_contexts, place),
        base=base if base is None or isinstance(base, str) else _with_context(base, place),
    )
    if spec.context is None or spec.context.is_absolute():
        return spec
    return replace(spec, context=_existing(spec.context, place))


def _existing(path: str | Path, place: Place) -> Path:
    found = place.find(path)
    if found.exists():
        return found
    looked = " and ".join(place.shown(one) for one in place.candidates(path))
    raise UsageError(f"no such build context: {str(path)!r}", hint=f"looked for {looked}")


def _with_cell(spec: ImageSpec, cell: Mapping[str, str]) -> ImageSpec:
    """A matrix names build arguments, and ``target`` and ``platform`` by these words."""
    direct: dict[str, Any] = {name: cell[name] for name in ("target", "platform") if name in cell}
    rest = {name: one for name, one in cell.items() if name not in direct}
    return replace(
        spec, build_args={**spec.build_args, **rest}, cell=cell_text(cell) or None, **direct
    )


def _as_contexts(name: str, value: Any, place: Place) -> dict[str, str | ImageSpec]:
    return {
        key: _as_context(f"{name}[{key!r}]", one, place)
        for key, one in mapping(name, value).items()
    }


def _as_context(name: str, value: Any, place: Place) -> str | ImageSpec:
    with LOADING:
        from pytest_zlayer.builder.model.spec import ImageSpec

    if isinstance(value, ImageSpec):
        return _with_context(value, place)
    return _named_context(name, path_text(name, value), place)


def _as_base(_: str, value: Any, place: Place) -> Any:
    with LOADING:
        from pytest_zlayer.builder.model.spec import ImageSpec

    return _with_context(value, place) if isinstance(value, ImageSpec) else value


def _in_file(text: str, place: Place) -> str | None:
    """A reference to an image in a file with its path made absolute; ``None`` for others."""
    kind, colon, rest = text.partition(":")
    if kind not in IMAGES_IN_FILES or not colon or rest.startswith("//"):
        return None
    if not rest:
        raise UsageError(f"{text!r} names no path", hint=f"write {kind}:PATH")
    path, colon, name = rest.partition(":")
    found, tag = place.find(rest), ""
    if not found.exists():
        found, tag = place.find(path), f"{colon}{name}"
    if not found.exists():
        looked = " and ".join(place.shown(one) for one in place.candidates(path))
        raise UsageError(f"there is no file for {text!r}", hint=f"looked for {looked}")
    if found.is_dir() != (kind in IMAGE_DIRECTORIES):
        wanted = "a directory" if kind in IMAGE_DIRECTORIES else "an archive"
        raise UsageError(f"{text!r}: {place.shown(found)} is not {wanted}")
    return f"{kind}:{found}{tag}"


def _as_ref(name: str, value: Any, place: Place) -> str:
    return _placed_ref(as_text(name, value), place)


def _placed_ref(text: str, place: Place) -> str:
    return _in_file(text, place) or text


def _named_context(name: str, text: str, place: Place) -> str:
    with LOADING:
        from pytest_zlayer.builder.model.spec import is_remote_context

    in_file = _in_file(text, place)
    if in_file is not None:
        return in_file
    if is_remote_context(name, text):
        return text
    kind, separator, rest = text.partition("://")
    if not separator:
        return str(_existing(text, place))
    if kind == "oci-layout":
        return f"{kind}://{place.find(rest)}"
    return text


def _as_secrets(name: str, value: Any, place: Place) -> dict[str, str]:
    found = {}
    for key, one in mapping(name, value).items():
        text = path_text(f"{name}[{key!r}]", one)
        found[key] = text if text.startswith("env:") else str(place.find(text))
    return found


def _as_ssh(name: str, value: Any, place: Place) -> dict[str, str]:
    found = {}
    for key, one in mapping(name, value).items():
        text = path_text(f"{name}[{key!r}]", one)
        found[key] = text if text == "default" else str(place.find(text))
    return found


_PLACED: Mapping[str, Callable[[str, Any, Place], Any]] = {
    "base": _as_base,
    "ref": _as_ref,
    "build_contexts": _as_contexts,
    "secrets": _as_secrets,
    "ssh": _as_ssh,
}
