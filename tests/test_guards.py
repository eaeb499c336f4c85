"""Rules of the whole package: which room imports which, what loading costs, what is documented."""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_zlayer import hookspecs
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.inputs.options import OPTIONS
from tests.rooms import EXCEPTIONS, ROOMS, SHARED, TO_COME, UPWARD

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "pytest_zlayer"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = REPOSITORY / "tests"
MODULES_AT_MOST = 20
# What only scripts/buildkit-conformance can run, which names them.
NEED_DOCKER = {
    "tests/engine/conformance/test_buildkit.py",
    "tests/engine/registry/test_docker.py",
}
# A project of its own, whose tests the blocks of the documentation run.
DOCUMENTED_PROJECT = TESTS / "engine" / "docs" / "project"
READS_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
# A program of its own, which is started with the environment it hands on to what it starts.
AGENT = PACKAGE / "buildah" / "agent"


def name_of(path: Path) -> str:
    """``builder/cache/locks``: what the table, and a message, call a module."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


NAMES = {name_of(module) for module in MODULES}


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
    return {name_of(module) for module in MODULES if imports_from(module, top)}


def module_named(dotted: str) -> str:
    """The module of the package that a dotted name is, or is in."""
    parts = dotted.split(".")[1:]
    candidates = (
        name
        for end in range(len(parts), -1, -1)
        for name in ("/".join(parts[:end]), "/".join((*parts[:end], "__init__")))
    )
    return next(name for name in candidates if name in NAMES)


@functools.cache
def imported_modules(module: Path) -> frozenset[str]:
    found = {module_named(name) for name in imports_from(module, "pytest_zlayer")}
    upward = {one for one in found if (name_of(module), room_of(one)) in UPWARD}
    return frozenset(found - upward - {name_of(module)})


def room_of(name: str) -> str:
    """The room that a module stands in: the longest line of the table that names it."""
    parts = name.split("/")
    places = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((place for place in places if place in ROOMS), "")


def rooms_below(entry: str) -> set[str]:
    """The rooms that a word of the table names."""
    if not entry.endswith("/*"):
        return {entry}
    top = entry[:-2]
    return {room for room in ROOMS if room == top or room.startswith(f"{top}/")}


def allowed_in(room: str) -> set[str]:
    return {room, *SHARED}.union(*(rooms_below(entry) for entry in ROOMS[room].split()))


def loops(graph: Mapping[str, set[str]]) -> set[str]:
    """The nodes that can be reached from themselves."""

    @functools.cache
    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(graph[node])
        return found

    return {node for node in graph if node in reached(node)}


def test_every_module_stands_in_a_room_of_the_table() -> None:
    assert sorted(name for name in NAMES if not room_of(name)) == []


def test_every_room_of_the_table_has_modules() -> None:
    assert set(ROOMS) - {room_of(name) for name in NAMES} == TO_COME


def test_the_table_names_rooms_that_it_has() -> None:
    named = {
        one for entries in ROOMS.values() for entry in entries.split() for one in rooms_below(entry)
    }
    assert named - set(ROOMS) == set()


def test_the_table_goes_one_way() -> None:
    assert loops({room: allowed_in(room) - {room, *SHARED} for room in ROOMS}) == set()


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong = {
        (room, other): name_of(module)
        for module in MODULES
        for other in map(room_of, imported_modules(module))
        if other not in allowed_in(room := room_of(name_of(module)))
    }
    assert {f"{room} imports {other}" for room, other in wrong} == EXCEPTIONS["room"], wrong


def test_no_modules_import_each_other() -> None:
    graph = {name_of(module): set(imported_modules(module)) for module in MODULES}
    assert loops(graph) == EXCEPTIONS["cycle"]


def modules_in(folder: Path) -> list[Path]:
    return [one for one in folder.glob("*.py") if one.name != "__init__.py"]


def folders_of(top: Path) -> list[Path]:
    return sorted({module.parent for module in top.rglob("*.py")})


def test_no_folder_is_too_full_to_look_through() -> None:
    found = {
        f"{folder.relative_to(REPOSITORY)} has {len(modules_in(folder))} modules"
        for folder in (*folders_of(PACKAGE), *folders_of(TESTS))
        if len(modules_in(folder)) > MODULES_AT_MOST
    }
    assert found == EXCEPTIONS["folder"]


def test_no_folder_is_made_for_one_module() -> None:
    assert [name_of(one) for one in folders_of(PACKAGE) if len(modules_in(one)) < 2] == []


def test_no_module_is_called_as_its_folder() -> None:
    stuttering = [
        name_of(module)
        for module in MODULES
        if module.stem.rstrip("s").replace("_", "") == module.parent.name.rstrip("s")
    ]
    assert stuttering == []


def test_every_folder_says_what_it_is_for() -> None:
    silent = [
        name_of(folder)
        for folder in folders_of(PACKAGE)
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_bytes()))
    ]
    assert silent == []


def only_handed_on(module: Path) -> list[str]:
    """Names of this package that a module imports and does not use itself."""
    imported = {
        alias.asname or alias.name
        for node in nodes_of(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_zlayer")
        for alias in node.names
    }
    used = {node.id for node in nodes_of(module) if isinstance(node, ast.Name)}
    return sorted(imported - used)


def test_names_have_one_home() -> None:
    """The public faces aside: what users import, the language, COPY; and fixtures for pytest."""
    faces = {"__init__", "dockerfile/__init__", "builder/copy/__init__"}
    found = {
        f"{name_of(folder)}: {name}"
        for folder in folders_of(PACKAGE)
        for name in only_handed_on(folder / "__init__.py")
        if name_of(folder / "__init__.py") not in faces and not name.startswith("zlayer_")
    }
    assert found == set()


def test_what_threads_share_is_not_made_twice() -> None:
    """``cached_property`` has no lock since Python 3.12: ``pytest_zlayer.lazy`` has."""
    users = {
        name_of(module)
        for module in MODULES
        for node in nodes_of(module)
        if isinstance(node, (ast.alias, ast.Attribute))
        and "cached_property" in (getattr(node, "name", ""), getattr(node, "attr", ""))
    }
    assert users == set()


def test_only_the_dockerfile_room_knows_lark() -> None:
    assert {name.split("/")[0] for name in modules_that_import("lark")} == {"dockerfile"}


def test_only_the_buildah_room_starts_processes() -> None:
    assert {name.split("/")[0] for name in modules_that_import("subprocess")} <= {"buildah"}


def test_only_one_module_knows_tenacity() -> None:
    assert modules_that_import("tenacity") == {"builder/retry"}


def test_only_the_plugin_knows_pytest() -> None:
    surface = {"plugin", "hookspecs"}
    assert {name.split("/")[0] for name in modules_that_import("pytest")} == surface


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
        name_of(one) for one in MODULES if AGENT not in one.parents and reads_environment(one)
    }
    assert readers == {"inputs/settings"}


def test_the_records_of_the_storage_are_read_in_one_place() -> None:
    """By ``Records``, which makes the names of their files from the kinds of records."""
    files = ("images.json", "layers.json", "containers.json")
    naming = [
        name_of(module)
        for module in MODULES
        for node in nodes_of(module)
        if isinstance(node, ast.Constant) and node.value in files
    ]
    assert naming == []


def test_directories_are_read_by_what_an_interruption_cannot_leave_open() -> None:
    # A signal between a call of os.scandir and the with that closes it leaves it to the collector
    # of garbage, which complains of it somewhere else.
    using = [
        name_of(module)
        for module in MODULES
        if any(isinstance(one, ast.Attribute) and one.attr == "scandir" for one in nodes_of(module))
    ]
    assert using == []


def test_the_agent_needs_only_the_standard_library() -> None:
    known = (*sys.stdlib_module_names, "pytest_zlayer")
    imported = {name for module in AGENT.rglob("*.py") for name in imports_of(module)}
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
    rooms = tuple(f"pytest_zlayer.{room}" for room in ("dockerfile", "buildah", "builder"))
    assert sorted(name for name in loaded if name.startswith(rooms)) == []


def endless_waits(tree: ast.AST) -> Iterator[int]:
    """Lines that wait, or may make others wait, until something happens, however long it takes."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Call(func=ast.Attribute(attr="join" | "select"), args=[], keywords=[])
                | ast.Call(func=ast.Attribute(attr="select"), args=[_, _, _])
                | ast.Attribute(ast.Name("threading"), "Condition" | "Semaphore" | "Barrier")
                | ast.alias("Future")
            ):
                yield node.lineno


def test_an_endless_wait_would_be_noticed() -> None:
    text = """
from concurrent.futures import Future
thread.join()
thread.join(1.0)
", ".join(words)
selector.select()
selector.select(1.0)
select.select([one], [], [])
condition = threading.Condition()
"""
    assert sorted(endless_waits(ast.parse(text))) == [2, 3, 6, 8, 9]


def test_nothing_waits_without_noticing_signals() -> None:
    """``pytest_zlayer.waiting`` says why; the agent is a program of its own."""
    found = {
        name_of(module)
        for module in MODULES
        if AGENT not in module.parents
        for _ in endless_waits(nodes_of(module)[0])
    }
    threads = {"buildah/process/output", "buildah/runtime/console", "builder/execute/slots"}
    # Sessions have a ``join`` of their own.
    sessions = {"builder/session/build_session", "plugin/collection"}
    assert found == threads | sessions


def is_ours(node: ast.AST) -> bool:
    """Whether a node imports something of the package."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    return any(name.split(".")[0] == "pytest_zlayer" for name in names)


def holds_loading(node: ast.AST) -> bool:
    managers = [one.context_expr for one in node.items] if isinstance(node, ast.With) else []
    return any(isinstance(one, ast.Name) and one.id == "LOADING" for one in managers)


def unguarded_imports(node: ast.AST, *, in_function: bool = False) -> Iterator[ast.stmt]:
    """Imports of this package that functions do without holding ``LOADING``."""
    for child in ast.iter_child_nodes(node):
        if in_function and isinstance(child, ast.stmt) and is_ours(child):
            yield child
        if not holds_loading(child):
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from unguarded_imports(child, in_function=in_function or function)


def test_another_way_would_be_noticed() -> None:
    text = """
from pytest_zlayer import errors
def load():
    from pytest_zlayer import events
    if events:
        import pytest_zlayer.choices
    with LOADING:
        from pytest_zlayer import signals
    import json
"""
    assert [one.lineno for one in unguarded_imports(ast.parse(text))] == [4, 6]


def test_functions_load_modules_in_one_way() -> None:
    """``pytest_zlayer.lazy`` says why; the agent, a program of its own, has one thread."""
    found = {
        f"{name_of(module)}:{one.lineno}"
        for module in MODULES
        if AGENT not in module.parents
        for one in unguarded_imports(nodes_of(module)[0])
    }
    assert found == set()


def test_modules_of_ours_are_loaded_by_name_in_one_place() -> None:
    users = {
        name_of(module)
        for module in MODULES
        for node in nodes_of(module)
        if isinstance(node, (ast.alias, ast.Attribute))
        and "import_module" in (getattr(node, "name", ""), getattr(node, "attr", ""))
    }
    # The others load libraries, and the agent, which is a program of its own.
    assert users == {"lazy", "builder/files/compression", "buildah/agent/__main__"}


def test_every_module_that_is_loaded_late_is_there() -> None:
    text = "".join(module.read_text(encoding="utf-8") for module in MODULES)
    names = re.findall(r'LazyModule\("pytest_zlayer\.([^"]+)"\)', text)
    assert names != []
    files = [PACKAGE / f"{name.replace('.', '/')}.py" for name in names]
    assert [str(file) for file in files if not file.exists()] == []


# Words that were names of this project alone, or say less than the terms of the field.
PRIVATE_WORDS = re.compile(
    r"\b(heirs?|grounds?|wish(es)?|leavings|promis\w+|fulfil\w*|workshops?|doors?|whoever|whither)\b"
    r"|\bof ours\b|\bcomes? down to\b|\b(is|are|be) told\b",
    re.IGNORECASE,
)


def test_no_module_has_words_that_only_this_project_knows() -> None:
    found = [
        f"{name_of(module)}:{number}: {match[0]}"
        for module in MODULES
        for number, line in enumerate(module.read_text(encoding="utf-8").splitlines(), start=1)
        for match in PRIVATE_WORDS.finditer(line)
    ]
    assert found == []


def documentation(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text(encoding="utf-8")


HOOKS = [name for name in vars(hookspecs) if name.startswith("pytest_zlayer_")]
FIXTURES = ["zlayer_image", "zlayer_images", "zlayer_container", "zlayer_build", "zlayer_engine"]
FIXTURES += ["zlayer_service", "zlayer_services", "zlayer_network"]


def test_every_hook_is_documented() -> None:
    assert [name for name in HOOKS if name not in documentation("hooks.md")] == []


def test_every_option_is_documented_with_its_twins() -> None:
    text = documentation("options.md")
    names = [name for one in OPTIONS for name in (one.flag, one.ini, one.variable)]
    assert [name for name in names if name not in text] == []


def test_every_argument_of_the_marker_is_documented() -> None:
    text = documentation("markers.md")
    names = [field.name for field in dataclasses.fields(ImageSpec)]
    assert [name for name in names if f"`{name}" not in text] == []


def test_everything_an_image_has_is_documented() -> None:
    from pytest_zlayer import Image

    known = {name for name in (*dir(Image), *Image.__dataclass_fields__) if name[0] != "_"}
    text = documentation("fixtures.md") + documentation("checks.md")
    assert [name for name in sorted(known) if not re.search(rf"\b{name}\b", text)] == []


def test_extras_that_documents_name_exist() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    documents = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in documents)
    named = set(re.findall(r"pytest-zlayer\[(\w+)\]", text))
    assert {"progress", "structure"} <= named
    assert [one for one in sorted(named) if f"\n{one} = [" not in project] == []


def test_every_fixture_is_documented() -> None:
    assert [name for name in FIXTURES if f"`{name}`" not in documentation("fixtures.md")] == []


def test_every_document_is_linked_from_the_top() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    readme += (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    documents = sorted(path.name for path in (REPOSITORY / "docs").glob("*.md"))
    assert [name for name in documents if f"(docs/{name})" not in readme] == []


def test_every_document_for_developers_is_linked_where_developers_look() -> None:
    linked = {"CONTRIBUTING.md": "docs/internals/", "docs/architecture.md": "internals/"}
    places = {name: base for name, base in linked.items() if (REPOSITORY / name).exists()}
    links = {
        link
        for name, base in places.items()
        for link in re.findall(rf"\({base}([a-z-]+\.md)", (REPOSITORY / name).read_text("utf-8"))
    }
    documents = {path.name for path in (REPOSITORY / "docs" / "internals").glob("*.md")}
    assert documents - links == set()
    assert "docs/internals/" not in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def dead_links(document: Path) -> list[str]:
    """What a Markdown document links to in this repository and is not there."""
    targets = [part.split(")")[0] for part in document.read_text("utf-8").split("](")[1:]]
    local = [target.split("#")[0] for target in targets if "://" not in target]
    return [f"{document.name}: {name}" for name in local if not (document.parent / name).exists()]


def test_links_of_documents_lead_somewhere() -> None:
    documents = sorted({*REPOSITORY.glob("*.md"), *REPOSITORY.glob("[deg]*/**/*.md")})
    assert [link for document in documents for link in dead_links(document)] == []


def test_every_option_that_documents_name_exists() -> None:
    documents = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    text = " ".join(document.read_text(encoding="utf-8") for document in documents)
    named = set(re.findall(r"--zlayer-[a-z-]+[a-z]", text))
    # The last one stands for all of them.
    assert named - {option.flag for option in OPTIONS} == {"--zlayer-x-y"}


def test_files_that_the_architecture_names_are_there() -> None:
    named = re.findall(r"`([a-z0-9_/]+/[a-z0-9_]+\.py)`", documentation("architecture.md"))
    there = {name for name in named if any((one / name).is_file() for one in (PACKAGE, REPOSITORY))}
    assert sorted(set(named) - there) == []


def files_that_test(room: str) -> list[Path]:
    return sorted((TESTS / room).rglob("test_*.py"))


def modules_imported_by(test: Path) -> set[str]:
    return {module_named(name) for name in imports_from(test, "pytest_zlayer")}


def test_every_room_has_tests_that_stand_with_it() -> None:
    rooms = ("dockerfile", "buildah", "builder")
    strangers = [
        test.name
        for room in rooms
        for test in files_that_test(room)
        if not any(name.startswith(f"{room}/") for name in modules_imported_by(test))
    ]
    assert strangers == []
    assert [room for room in rooms if not files_that_test(room)] == []


def test_tests_of_the_dockerfile_room_know_no_other_room() -> None:
    allowed = rooms_below("dockerfile/*") | SHARED
    wrong = [
        f"{test.name} imports {name}"
        for test in files_that_test("dockerfile")
        for name in modules_imported_by(test)
        if room_of(name) not in allowed
    ]
    assert wrong == []


def collected_files() -> set[str]:
    """The files from which the plain test command of this repository collects something."""
    argv = (sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider")
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=plain_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


def plain_environment() -> dict[str, str]:
    """Without what pytest hands on to its children, and what makes a run a part of one."""
    ours = ("PYTEST_", "ZLAYER_TEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def test_no_test_leaves_anything_to_atexit() -> None:
    """A worker of pytest-xdist ends without it."""
    assert [str(file) for file in TESTS.rglob("*.py") if imports_from(file, "atexit")] == []


def test_every_test_file_is_collected() -> None:
    files = (path for path in TESTS.rglob("test_*.py") if DOCUMENTED_PROJECT not in path.parents)
    on_disk = {path.relative_to(REPOSITORY).as_posix() for path in files}
    assert collected_files() == on_disk - NEED_DOCKER
    script = (REPOSITORY / "scripts" / "buildkit-conformance").read_text(encoding="utf-8")
    assert [name for name in NEED_DOCKER if name not in script] == []


def test_what_examples_share_is_the_same() -> None:
    """Each example can be copied alone, so each has the program that makes its files."""
    sources = [path.read_text("utf-8") for path in (REPOSITORY / "examples").glob("*/rootfs.py")]
    in_base = ('.parent / "base" / "rootfs.tar"', "base/rootfs.tar")  # where one puts the file
    beside = ('.with_name("rootfs.tar")', "rootfs.tar")
    for other, plain in zip(in_base, beside, strict=True):
        sources = [source.replace(other, plain) for source in sources]
    assert len(sources) > 1
    assert len(set(sources)) == 1
