"""The wheel as users get it: what is in it, and that it works away from the repository."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml

from tests.conftest import PrivateStorage

REPOSITORY = Path(__file__).parent.parent
DOCKERFILE = """\
FROM scratch AS words
COPY greeting.txt /words/

FROM scratch AS library
COPY --from=words /words /library
LABEL shelf="1"

FROM library
ARG READER=nobody
ENV READER=$READER
COPY <<card /card
${READER}
card
"""
TEST = """\
import pytest


@pytest.mark.image("box", build_args={"READER": "ada"})
def test_the_last_stage_has_what_the_first_two_made(zlayer_image):
    assert zlayer_image.path("/library/greeting.txt").read_text() == "hello\\n"
    assert zlayer_image.path("/card").read_text() == "ada\\n"
    assert zlayer_image.config.env["READER"] == "ada"
    assert zlayer_image.config.labels == {"shelf": "1"}
"""


def run(*argv: str | Path, cwd: Path) -> str:
    """What a program prints; when it fails, the test does, with that."""
    done = subprocess.run(
        argv, cwd=cwd, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    options = ("--wheel", "--no-isolation", "--outdir", folder)
    run(sys.executable, "-m", "build", *options, REPOSITORY, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_two_builds_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second, copy = tmp_path / "first", tmp_path / "second", tmp_path / "copy"
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
    run(*build, first, REPOSITORY, cwd=tmp_path)
    (sources,) = first.glob("*.tar.gz")
    with tarfile.open(sources) as archive:
        archive.extractall(copy, filter="data")
    (unpacked,) = copy.iterdir()
    for path in unpacked.rglob("*"):  # another time, and other permissions
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1, 1))
    run(*build, second, unpacked, cwd=tmp_path)
    assert contents(first) == contents(second)


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file."""
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir()}


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_every_module(names: list[str]) -> None:
    package = REPOSITORY / "pytest_zlayer"
    modules = {path.relative_to(REPOSITORY).as_posix() for path in package.rglob("*.py")}
    assert modules - set(names) == set()


def test_the_wheel_holds_the_grammar_inside_the_package(names: list[str]) -> None:
    grammars = sorted(name for name in names if name.endswith(".lark"))
    assert grammars == [
        "pytest_zlayer/grammar/dockerfile.lark",
        "pytest_zlayer/grammar/word.lark",
    ]


def test_the_wheel_says_that_it_is_typed(names: list[str]) -> None:
    assert "pytest_zlayer/py.typed" in names


def test_the_wheel_holds_nothing_else(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pytest_zlayer"}


def test_the_wheel_declares_plugin_and_command(wheel: Path, names: list[str]) -> None:
    (entry_points,) = [name for name in names if name.endswith("/entry_points.txt")]
    with zipfile.ZipFile(wheel) as archive:
        declared = archive.read(entry_points).decode()
    assert "[pytest11]\nzlayer = pytest_zlayer.plugin" in declared
    assert "[console_scripts]\npytest-zlayer = pytest_zlayer.cli:run_program" in declared


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(archive.read(name).decode())


def test_the_classifiers_name_the_versions_of_python_that_are_tested(metadata: Message) -> None:
    named = re.findall(r":: (3\.\d+)$", "\n".join(metadata.get_all("Classifier", [])), re.MULTILINE)
    script = (REPOSITORY / "scripts" / "test-pythons").read_text("utf-8")
    (tested,) = re.findall(r"^MINORS=\((.*)\)$", script, re.MULTILINE)
    assert named == [f"3.{minor}" for minor in tested.split()]
    assert metadata["Requires-Python"] == f">={named[0]}"


def test_the_citation_names_the_version_of_the_wheel(metadata: Message) -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == metadata["Version"]


def test_the_notice_names_what_is_installed_beside_the_wheel(metadata: Message) -> None:
    needed = {
        re.split(r"[^A-Za-z0-9-]", one)[0]
        for one in metadata.get_all("Requires-Dist", [])
        if "extra ==" not in one or re.search(r"'(progress|structure|testinfra|zstd)'", one)
    }
    notice = (REPOSITORY / "NOTICE").read_text("utf-8")
    named = {line.split()[0].lower() for line in notice.splitlines() if line.startswith("  ")}
    assert named == {one.lower() for one in needed}


def test_the_wheel_carries_licence_and_notice(names: list[str]) -> None:
    licences = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_the_changelog_is_in_the_form_of_keep_a_changelog() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
    headings = re.findall(r"^##+ .*$", text, re.MULTILINE)
    known = r"## \[(Unreleased|\d+\.\d+\.\d+)\]( - \d{4}-\d\d-\d\d)?"
    kinds = r"### (Added|Changed|Deprecated|Removed|Fixed|Security)"
    assert [one for one in headings if not re.fullmatch(f"{known}|{kinds}", one)] == []


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new virtual environment that has the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin" / "python"
    options = ("--quiet", "--disable-pip-version-check")
    run(python, "-m", "pip", "install", *options, wheel, cwd=folder)
    return python


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A test project with one image of three stages."""
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "box" / "greeting.txt").write_text("hello\n")
    (tmp_path / "test_box.py").write_text(TEST)
    return tmp_path


def test_a_project_elsewhere_passes_with_the_wheel(
    installed: Path, project: Path, private_storage: PrivateStorage
) -> None:
    shown = run(
        installed, "-m", "pytest", "-q", "--strict-markers", *private_storage.options, cwd=project
    )
    assert "1 passed" in shown
    assert private_storage.containers() == []


def test_the_command_of_the_wheel_parses_a_dockerfile(installed: Path, project: Path) -> None:
    command = installed.with_name("pytest-zlayer")
    assert '"FROM"' in run(command, "parse", "box/Dockerfile", "--json", cwd=project)
