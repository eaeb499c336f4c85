"""What keeps the house in order: who may import what, what loading costs, what is documented."""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_zlayer import hookspecs
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dockerfile import parse
from pytest_zlayer.inputs import settings

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "pytest_zlayer"
MODULES = sorted(PACKAGE.rglob("*.py"))
SHARED = ("pytest_zlayer.errors", "pytest_zlayer.events", "pytest_zlayer.lazy")
# Rooms, and the rooms they may import; the surface is what is in none of them.
ROOMS = {
    "dockerfile": {"dockerfile"},
    "buildah": {"buildah"},
    "builder": {"builder", "dockerfile", "buildah"},
}
READS_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
# A program of its own, which is started with the environment it hands on to what it starts.
AGENT = PACKAGE / "buildah" / "agent"


def relative(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def room_of(module: Path) -> str:
    first = module.relative_to(PACKAGE).parts[0]
    return first if first in ROOMS else "surface"


@functools.cache
def nodes_of(module: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(module.read_bytes())))


def imports_of(module: Path) -> Iterator[str]:
    """Everything a module imports, dotted, wherever the import statement stands."""
    package = module.relative_to(REPOSITORY).parent.parts
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*above, *([node.module] if node.module else [])))
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imports_from(module: Path, top: str) -> list[str]:
    return [name for name in imports_of(module) if name.split(".")[0] == top]


def modules_that_import(top: str) -> set[str]:
    return {relative(module) for module in MODULES if imports_from(module, top)}


def is_allowed(name: str, rooms: set[str]) -> bool:
    if any(name == one or name.startswith(f"{one}.") for one in SHARED):
        return True
    return any(f"{name}.".startswith(f"pytest_zlayer.{room}.") for room in rooms)


def test_imports_go_one_way() -> None:
    wrong = [
        f"{relative(module)} imports {name}"
        for module in MODULES
        for name in imports_from(module, "pytest_zlayer")
        if (room := room_of(module)) != "surface" and not is_allowed(name, ROOMS[room])
    ]
    assert wrong == []


def test_what_threads_share_is_not_made_twice() -> None:
    """``cached_property`` has no lock since Python 3.12: ``pytest_zlayer.lazy`` has."""
    users = {
        relative(module)
        for module in MODULES
        for node in nodes_of(module)
        if isinstance(node, (ast.alias, ast.Attribute))
        and "cached_property" in (getattr(node, "name", ""), getattr(node, "attr", ""))
    }
    assert users == set()


def test_the_shared_errors_import_nothing_of_ours() -> None:
    assert imports_from(PACKAGE / "errors.py", "pytest_zlayer") == []


def test_only_the_dockerfile_room_knows_lark() -> None:
    assert {name.split("/")[0] for name in modules_that_import("lark")} == {"dockerfile"}


def test_only_the_buildah_room_starts_processes() -> None:
    assert {name.split("/")[0] for name in modules_that_import("subprocess")} <= {"buildah"}


def test_only_one_module_knows_tenacity() -> None:
    assert modules_that_import("tenacity") == {"builder/retry.py"}


def test_only_the_surface_knows_pytest() -> None:
    rooms = {name.split("/")[0] for name in modules_that_import("pytest")}
    assert rooms & set(ROOMS) == set()


def test_nothing_of_pytest_that_is_private_is_imported() -> None:
    assert modules_that_import("_pytest") == set()


def reads_environment(module: Path) -> bool:
    attributes = {
        node.attr
        for node in nodes_of(module)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }
    names = {name.rpartition(".")[2] for name in imports_from(module, "os")}
    return not READS_ENVIRONMENT.isdisjoint(attributes | names)


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        relative(one) for one in MODULES if AGENT not in one.parents and reads_environment(one)
    }
    assert readers == {"inputs/settings.py"}


def test_the_agent_needs_only_the_standard_library() -> None:
    known = (*sys.stdlib_module_names, "pytest_zlayer")
    imported = {name for module in AGENT.glob("*.py") for name in imports_of(module)}
    assert {name for name in imported if name.split(".")[0] not in known} == set()
    ours = {name for name in imported if name.startswith("pytest_zlayer")}
    assert {name for name in ours if not name.startswith("pytest_zlayer.buildah.agent")} == set()


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after a statement."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(list(sys.modules)))"
    argv = (sys.executable, "-c", program)
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_loading_the_plugin_loads_no_room_and_no_heavy_library() -> None:
    loaded = loaded_by("import pytest_zlayer.plugin") - loaded_by("import pytest")
    heavy = {"lark", "tenacity", "filelock", "platformdirs", "subprocess", "tarfile", "rich"}
    assert heavy & loaded == set()
    rooms = tuple(f"pytest_zlayer.{room}" for room in ROOMS)
    assert sorted(name for name in loaded if name.startswith(rooms)) == []


def documentation(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text(encoding="utf-8")


HOOKS = [name for name in vars(hookspecs) if name.startswith("pytest_zlayer_")]
FIXTURES = ["zlayer_image", "zlayer_images", "zlayer_container", "zlayer_build", "zlayer_engine"]


def test_every_hook_is_documented() -> None:
    assert [name for name in HOOKS if name not in documentation("hooks.md")] == []


def test_every_option_is_documented_with_its_twins() -> None:
    text = documentation("options.md")
    names = [name for one in settings.OPTIONS for name in (one.flag, one.ini, one.variable)]
    assert [name for name in names if name not in text] == []


def test_every_argument_of_the_marker_is_documented() -> None:
    text = documentation("markers.md")
    names = [field.name for field in dataclasses.fields(ImageSpec)]
    assert [name for name in names if f"`{name}" not in text] == []


def test_every_fixture_is_documented() -> None:
    assert [name for name in FIXTURES if f"`{name}`" not in documentation("fixtures.md")] == []


def test_every_document_is_linked_from_the_top() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    readme += (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    documents = sorted(path.name for path in (REPOSITORY / "docs").glob("*.md"))
    assert [name for name in documents if f"(docs/{name})" not in readme] == []


def dead_links(document: Path) -> list[str]:
    """What a Markdown document links to in this repository and is not there."""
    targets = [part.split(")")[0] for part in document.read_text("utf-8").split("](")[1:]]
    local = [target.split("#")[0] for target in targets if "://" not in target]
    return [f"{document.name}: {name}" for name in local if not (document.parent / name).exists()]


def test_links_of_documents_lead_somewhere() -> None:
    documents = sorted({*REPOSITORY.glob("*.md"), *REPOSITORY.glob("[deg]*/**/*.md")})
    assert [link for document in documents for link in dead_links(document)] == []


def test_every_option_that_documents_name_exists() -> None:
    documents = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
    text = " ".join(document.read_text(encoding="utf-8") for document in documents)
    named = set(re.findall(r"--zlayer-[a-z-]+[a-z]", text))
    assert named - {option.flag for option in settings.OPTIONS} == set()


def blocks_of_readme(language: str) -> list[str]:
    parts = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("```")[1::2]
    return [part.partition("\n")[2] for part in parts if part.startswith(f"{language}\n")]


def test_the_dockerfile_of_the_readme_is_one() -> None:
    (text,) = blocks_of_readme("dockerfile")
    assert [stage.name for stage in parse(text).stages] == ["builder", "runtime"]


def test_the_test_of_the_readme_uses_arguments_that_exist() -> None:
    (text,) = blocks_of_readme("python")
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    (mark,) = [call for call in calls if ast.unparse(call.func) == "pytest.mark.image"]
    known = {field.name for field in dataclasses.fields(ImageSpec)}
    assert {keyword.arg for keyword in mark.keywords} - known == set()


def files_that_test(room: str) -> list[Path]:
    return sorted((REPOSITORY / "tests" / room).rglob("test_*.py"))


def test_every_room_has_tests_that_stand_with_it() -> None:
    strangers = [
        test.name
        for room in ROOMS
        for test in files_that_test(room)
        if not any(is_allowed(name, {room}) for name in imports_of(test))
    ]
    assert strangers == []
    assert [room for room in ROOMS if not files_that_test(room)] == []


def test_tests_of_the_dockerfile_room_know_no_other_room() -> None:
    wrong = [
        f"{test.name} imports {name}"
        for test in files_that_test("dockerfile")
        for name in imports_from(test, "pytest_zlayer")
        if not is_allowed(name, ROOMS["dockerfile"])
    ]
    assert wrong == []
