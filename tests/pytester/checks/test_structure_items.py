"""Structure files as items: what they are called, and what becomes of mistakes."""

from __future__ import annotations

from tests.pytester.conftest import Project

TESTS = """\
schemaVersion: "2.0.0"
commandTests:
  - {name: it runs, command: app}
  - {name: it runs, command: app}
fileExistenceTests:
  - {name: it is there, path: /app}
metadataTest: {user: app}
"""


def names(project: Project, *args: str) -> list[str]:
    lines = project.run("--collect-only", "-q", *args).stdout.lines
    return [line for line in lines if "::" in line]


def write(project: Project, ini: str, text: str = TESTS, file: str = "s.yaml") -> None:
    project.dockerfile("FROM scratch AS a\nFROM a AS b\n", "api")
    (project.path / file).write_text(text)
    project.pytester.makeini(f"[pytest]\n{ini}\n")


def test_each_test_is_an_item(project: Project) -> None:
    write(project, "zlayer_structure_tests = api = s.yaml")
    assert names(project) == [
        "s.yaml::commandTests::it runs",
        "s.yaml::commandTests::it runs-2",
        "s.yaml::fileExistenceTests::it is there",
        "s.yaml::metadataTest",
    ]
    assert names(project, "-k", "existence") == ["s.yaml::fileExistenceTests::it is there"]
    assert names(project, "s.yaml::metadataTest") == ["s.yaml::metadataTest"]
    assert names(project, "-n2")[:1] == ["s.yaml::commandTests::it runs"]


def test_one_file_for_several_images(project: Project) -> None:
    write(project, "zlayer_structure_tests =\n  api = s.yaml\n  api:a = s.yaml\n  ref:x/y:1 = s.y*")
    found = names(project, "-k", "metadata")
    assert found == [f"s.yaml::metadataTest[{one}]" for one in ("api", "api:a", "ref:x/y:1")]


def test_a_file_outside_of_what_is_collected(project: Project) -> None:
    (project.path / "tests").mkdir()
    write(project, "testpaths = tests\nzlayer_structure_tests = api = s.yaml")
    assert len(names(project)) == 4
    assert names(project, "tests") == []


def test_a_file_that_cannot_be_read_is_a_collection_error(project: Project) -> None:
    write(project, "zlayer_structure_tests = api = s.yaml", TESTS.replace("command:", "comand:"))
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["s.yaml:3:21: unknown key comand in commandTests*", "hint: did you mean command[?]"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_an_image_that_cannot_be_is_reported_before_anything_runs(project: Project) -> None:
    write(project, "zlayer_structure_tests = apy = s.yaml")
    result = project.run()
    assert result.ret != 0
    text = f"{result.stdout.str()}{result.stderr.str()}"
    assert "no such build context: 'apy'" in text
    assert project.builds() == []


def test_a_setting_that_means_nothing_is_refused(project: Project) -> None:
    write(project, "zlayer_structure_tests = api")
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*zlayer_structure_tests in tox.ini: expected IMAGE = FILE*"])


def test_images_of_structure_files_are_listed(project: Project) -> None:
    write(project, "zlayer_structure_tests = api:a = s.yaml")
    result = project.run("--zlayer-list")
    result.stdout.fnmatch_lines(["*needed by s.yaml::metadataTest"])
