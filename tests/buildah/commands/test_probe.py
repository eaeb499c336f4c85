"""What is learnt about the binary, and remembered."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from packaging.version import Version

from pytest_zlayer.buildah.commands.probe import (
    Features,
    Memory,
    parse_version,
    version_from,
)
from pytest_zlayer.buildah.errors import EngineUnusable


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)", "1.28.2"),
        ("buildah version 1.41.0-dev (image-spec 1.1.1, runtime-spec 1.2.1)", "1.41.0"),
    ],
)
def test_version(output: str, version: str) -> None:
    assert parse_version(output) == Version(version)


def test_version_too_old() -> None:
    with pytest.raises(EngineUnusable) as caught:
        parse_version("buildah version 1.23.1 (x)")
    assert str(caught.value) == (
        "buildah 1.23.1 is too old: 1.28 or newer is needed\nhint: upgrade buildah"
    )


def test_program_that_is_not_buildah() -> None:
    with pytest.raises(EngineUnusable) as caught:
        parse_version("hello\n")
    assert caught.value.message == "this program does not answer like buildah: 'hello'"


HELPS = {
    "pull": "--policy string   missing, always, newer, or never.",
    "commit": "--identity-label",
}


def test_features_are_what_the_help_says(tmp_path: Path) -> None:
    features = Features(HELPS.__getitem__, Memory(tmp_path / "answers.json", {}))
    assert (features.pull_newer, features.commit_identity_label) == (True, True)
    older = Features(lambda _: "--policy missing", Memory(tmp_path / "older.json", {}))
    assert (older.pull_newer, older.commit_identity_label) == (False, False)


def test_a_feature_is_asked_for_when_it_matters_and_then_remembered(tmp_path: Path) -> None:
    asked: list[str] = []

    def help_of(command: str) -> str:
        asked.append(command)
        return HELPS[command]

    for _ in range(2):
        features = Features(help_of, Memory(tmp_path / "answers.json", {}))
        assert features.commit_identity_label
        assert features.commit_identity_label
    assert asked == ["commit"]


def test_memory_forgets_when_the_key_changes(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "answers.json"
    Memory(file, {"boot": 1}).put("question", ["answer"])
    assert Memory(file, {"boot": 1}).get("question") == ["answer"]
    assert Memory(file, {"boot": 2}).get("question") is None


@pytest.mark.parametrize(
    "content",
    [
        "{", "123", "[" * 100_000, '{"key": "{}"}', '{"key": "{}", "answers": 1}',
        '{"key": "{}", "answers": ["question"]}', "\0",
    ],
)  # fmt: skip
def test_memory_survives_garbage(tmp_path: Path, content: str) -> None:
    file = tmp_path / "answers.json"
    file.write_text(content, encoding="ascii")
    memory = Memory(file, {})
    assert memory.get("question") is None
    memory.put("question", 1)
    assert memory.get("question") == 1


@pytest.mark.parametrize("place", ["fifo", "directory", "absent"])
def test_memory_that_is_no_file(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    memory = Memory(tmp_path / place, {})
    assert memory.get("question") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_memory_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    memory = Memory(file, {})
    memory.put("question", 1)
    os.chown(file, 12345, 12345)
    assert memory.get("question") is None


@pytest.mark.parametrize("remembered", [None, 1, [], {}, "x", {"x": 1}])
def test_answers_that_cannot_be_true_are_asked_for_again(
    tmp_path: Path, remembered: object
) -> None:
    assert version_from(remembered) is None
    memory = Memory(tmp_path / "answers.json", {})
    Features(HELPS.__getitem__, memory).pull_newer  # noqa: B018
    [question] = json.loads((tmp_path / "answers.json").read_bytes())["answers"]
    memory.put(question, remembered)
    assert Features(HELPS.__getitem__, memory).pull_newer is True
