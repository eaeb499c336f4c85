"""From the arguments of a declaration to an ``ImageSpec``."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.builder.model.errors import MachineError
from pytest_zlayer.builder.model.spec import ARGUMENTS, ImageSpec
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs import declarations
from pytest_zlayer.inputs.declarations import Place, declare


def keys_of_the_typed_arguments() -> set[str]:
    tree = ast.parse(inspect.getsource(declarations))
    (found,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == "ImageArguments"
    ]
    return {node.target.id for node in found.body if isinstance(node, ast.AnnAssign)}


def test_an_image_takes_every_argument_of_the_marker() -> None:
    assert set(declarations.argument_names()) == {*ARGUMENTS, "buildargs", "matrix"}


def test_every_argument_with_a_path_is_one_of_an_image() -> None:
    assert declarations._PLACED.keys() < ARGUMENTS


def test_fixtures_and_calls_take_the_arguments_of_the_marker() -> None:
    names = set(declarations.argument_names()) - {"context", "matrix"}
    assert keys_of_the_typed_arguments() == names


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A test folder with an archive and a directory, below a rootdir with another one."""
    for name in ("tests/files", "shared"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tests" / "image.tar").touch()
    return Place(tmp_path / "tests", tmp_path)


def test_paths_of_a_spec_and_of_what_it_needs_start_at_the_folder_of_the_test(place: Place) -> None:
    needed = ImageSpec(ref="docker-archive:image.tar:x:1")
    contexts = {"files": "files", "shared": "shared", "other": "docker-image://x", "deep": needed}
    spec = declare(
        (ImageSpec(text="FROM base", base=needed, build_contexts=contexts),), {}, place=place
    )
    found = ImageSpec(ref=f"docker-archive:{place.folder}/image.tar:x:1")
    assert spec.base == found
    assert dict(spec.build_contexts) == {
        "files": f"{place.folder}/files",
        "shared": f"{place.rootdir}/shared",
        "other": "docker-image://x",
        "deep": found,
    }


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("oci-archive:none.tar", "there is no file for 'oci-archive:none.tar'"),
        ("oci:image.tar", "'oci:image.tar': tests/image.tar is not a directory"),
        ("oci-archive:files", "'oci-archive:files': tests/files is not an archive"),
        ("dir:", "'dir:' names no path"),
    ],
)
@pytest.mark.parametrize("form", ["argument", "spec", "base"])
def test_an_image_in_a_file_that_cannot_be_is_refused(
    place: Place, ref: str, message: str, form: str
) -> None:
    args, given = {
        "argument": ((), {"ref": ref}),
        "spec": ((ImageSpec(ref=ref),), {}),
        "base": ((), {"text": "", "base": ImageSpec(ref=ref)}),
    }[form]
    with pytest.raises(UsageError) as caught:
        declare(args, given, place=place)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("args", "given", "message", "hint"),
    [
        (
            ("a", "b"),
            {},
            "a call takes one positional argument, the context, not 2",
            None,
        ),
        (("a",), {"context": "b"}, "a call got the context twice", None),
        (
            (),
            {"text": "", "build_args": {}, "buildargs": {}},
            "build_args and buildargs are the same argument; give one of them",
            None,
        ),
        (
            (),
            {"text": "", "tagret": "x"},
            "unknown argument 'tagret' of a call",
            "did you mean 'target'?",
        ),
        (
            (),
            {"text": "", "frobnicate": 1},
            "unknown argument 'frobnicate' of a call",
            f"known are {', '.join(declarations.argument_names())}",
        ),
        ((None,), {}, "an image needs a context, a text or a ref", None),
        ((3,), {}, "context must be a path, not 3", None),
        (
            ("none",),
            {},
            "no such build context: 'none'",
            "looked for tests/none and none",
        ),
        (
            ("https://u:secret@host/x.git?foo=1",),
            {},
            'context https://u:xxxxx@host/x.git?foo=1: unexpected query "foo"',
            None,
        ),
        (
            (),
            {"text": "", "build_contexts": {"x": "none"}},
            "no such build context: 'none'",
            "looked for tests/none and none",
        ),
        (
            (),
            {"text": "", "build_contexts": {"x": "https://host/x.git?foo=1"}},
            "build_contexts['x'] https://host/x.git?foo=1: unexpected query \"foo\"",
            None,
        ),
        (
            (),
            {"text": "", "build_contexts": {"x": ""}},
            "build_contexts['x'] must be a path, not ''",
            None,
        ),
        (
            (),
            {"text": "", "base": ""},
            "base must be an ImageSpec or the name of an image, not ''",
            None,
        ),
        ((), {"ref": 3}, "ref must be text, not 3", None),
        ((), {"text": "", "secrets": {"a": 3}}, "secrets['a'] must be a path, not 3", None),
        ((), {"text": "", "ssh": {"a": 3}}, "ssh['a'] must be a path, not 3", None),
        (
            (),
            {"text": "", "ssh": ["a"]},
            "ssh must be a mapping of names to values, not ['a']",
            None,
        ),
        (
            (),
            {"text": "", "secrets": ["a"]},
            "secrets must be a mapping of names to values, not ['a']",
            None,
        ),
        ((), {"ref": "dir:"}, "'dir:' names no path", "write dir:PATH"),
        (
            (),
            {"ref": "oci:none:1"},
            "there is no file for 'oci:none:1'",
            "looked for tests/none and none",
        ),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(
    place: Place, args: tuple[Any, ...], given: dict[str, Any], message: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        declare(args, given, place=place, what="a call")
    assert (caught.value.message, caught.value.hint) == (message, hint)


LONG = "x" * 300


@pytest.mark.parametrize(
    ("args", "given"),
    [
        ((LONG,), {}),
        ((), {"text": "", "secrets": {"a": LONG}}),
        ((), {"text": "", "build_contexts": {"a": LONG}}),
        ((), {"ref": f"oci:{LONG}"}),
    ],
)
def test_a_path_that_the_system_refuses(
    place: Place, args: tuple[Any, ...], given: dict[str, Any]
) -> None:
    with pytest.raises(MachineError) as caught:
        declare(args, given, place=place, what="a call")
    said = "reading a call failed: File name too long: "
    assert caught.value.message.startswith(said)
    assert len(caught.value.message) < len(said) + 210


def test_without_arguments_the_folder_of_the_test_is_the_context(place: Place) -> None:
    assert declare((), {}, place=place) == ImageSpec(context=place.folder)
    assert declare((), {"name": None}, place=place) == ImageSpec(context=place.folder)


@pytest.mark.parametrize("given", [{"text": "FROM scratch"}, {"ref": "alpine:3"}])
def test_a_text_or_a_ready_image_needs_no_context(place: Place, given: dict[str, Any]) -> None:
    assert declare((), given, place=place) == ImageSpec(**given)
    assert declare((None,), given, place=place) == ImageSpec(**given)
    both = declare(("files",), {"text": "FROM scratch"}, place=place)
    assert both == ImageSpec(context=place.folder / "files", text="FROM scratch")


def test_a_context_may_lie_behind_an_address(place: Place) -> None:
    url = "https://example.com/api.git#main"
    assert declare((url,), {}, place=place) == ImageSpec(context_url=url)
    spec = declare((), {"text": "", "build_contexts": {"x": url}}, place=place)
    assert spec.build_contexts == {"x": url}


def test_a_wrong_address_in_a_spec_is_reported_with_its_name(place: Place) -> None:
    spec = ImageSpec(text="", build_contexts={"x": "https://h/r.git?foo=1"})
    with pytest.raises(UsageError) as caught:
        declare((spec,), {}, place=place)
    assert caught.value.message == (
        "build_contexts['x'] https://h/r.git?foo=1: unexpected query \"foo\""
    )


def test_contexts_with_a_scheme_are_kept_and_layouts_are_found(place: Place) -> None:
    contexts = {
        "image": "docker-image://x",
        "other": "oci://x",
        "layout": "oci-layout://shared",
        "tar": "dir:files",
    }
    spec = declare((), {"text": "", "build_contexts": contexts}, place=place)
    assert spec.build_contexts == {
        "image": "docker-image://x",
        "other": "oci://x",
        "layout": f"oci-layout://{place.rootdir}/shared",
        "tar": f"dir:{place.folder}/files",
    }


def test_files_of_secrets_and_keys_are_found(place: Place) -> None:
    spec = declare(
        (),
        {
            "text": "",
            "secrets": {"a": "image.tar", "b": "env:TOKEN", "c": Path("shared")},
            "ssh": {"default": "default", "key": "shared", "gone": "none"},
        },
        place=place,
    )
    assert spec.secrets == {
        "a": f"{place.folder}/image.tar",
        "b": "env:TOKEN",
        "c": f"{place.rootdir}/shared",
    }
    assert spec.ssh == {
        "default": "default",
        "key": f"{place.rootdir}/shared",
        "gone": f"{place.folder}/none",
    }


def test_a_cell_sets_target_and_platform_and_adds_build_arguments(place: Place) -> None:
    spec = declare(
        (),
        {"text": "", "buildargs": {"A": 1, "PY": "3.9"}, "base": "other"},
        place=place,
        cell={"PY": "3.12", "target": "dev", "platform": "linux/arm64"},
    )
    assert spec.build_args == {"A": "1", "PY": "3.12"}
    assert (spec.target, spec.platform, spec.base) == ("dev", "linux/arm64", "other")
    assert spec.cell == "PY-3.12_target-dev_platform-linux/arm64"


def test_a_declaration_without_a_matrix_has_no_cell(place: Place) -> None:
    spec = declare((), {"text": "", "target": "dev"}, place=place)
    assert (spec.cell, spec.target, spec.build_args) == (None, "dev", {})


def test_arguments_are_added_to_those_of_a_spec(place: Place) -> None:
    given = ImageSpec(context=Path("files"), target="dev", tags=("a",))
    spec = declare((given,), {"tags": "b", "retries": 2, "timeout": 3}, place=place)
    assert spec == ImageSpec(
        context=place.folder / "files", target="dev", tags=("b",), retries=2, timeout=3.0
    )
    absolute = ImageSpec(context=place.rootdir)
    assert declare((absolute,), {}, place=place) == absolute


def test_the_marker_is_shown_with_its_arguments_and_their_defaults() -> None:
    shown = declarations.marker_signature()
    assert shown.startswith("(context='.', *, name=None, dockerfile=None, ")
    assert ", tags=(), " in shown
    assert ", squash=False, " in shown
    assert ": " not in shown


def test_a_path_outside_of_the_rootdir_is_shown_whole(place: Place) -> None:
    assert place.shown(place.folder / "x") == "tests/x"
    assert place.shown(Path("/elsewhere/x")) == "/elsewhere/x"


def test_where_folder_and_rootdir_are_one_there_is_one_candidate(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)
    assert place.candidates("a/../b") == (tmp_path / "b",)
    assert place.find("none") == tmp_path / "none"
