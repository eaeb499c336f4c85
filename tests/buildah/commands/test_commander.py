"""Commands of buildah, here played by a script, and what becomes of their failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_zlayer.buildah.agent.records import StorageOptions
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.errors import EngineError, EngineTimeout, ImageNotKnown
from pytest_zlayer.buildah.process.agent_client import AgentClient
from pytest_zlayer.buildah.process.runner import Runner

Scripted = Callable[[str], Commander]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    """A commander whose buildah is a shell script."""
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    client = AgentClient((), env)
    client.greet()

    def make(text: str) -> Commander:
        file = tmp_path / "buildah"
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)
        storage = StorageOptions(str(tmp_path), "/rr", "vfs")
        return Commander(Runner(client), file, env, storage)

    yield make
    client.close()


def test_whole_output(scripted: Scripted, tmp_path: Path) -> None:
    said = scripted('echo "$@"').output(["images", "-x"])
    assert said == f"--root {tmp_path} --runroot /rr --storage-driver vfs images -x\n"


def test_output_longer_than_the_tail_is_whole(scripted: Scripted) -> None:
    assert len(scripted("seq 5000").output(["images"]).splitlines()) == 5000


def test_failure(scripted: Scripted) -> None:
    commander = scripted("echo 'Error: something new' >&2; exit 125")
    with pytest.raises(EngineError) as caught:
        commander.output(["images"])
    assert str(caught.value) == "something new"
    assert (caught.value.exit_code, caught.value.stderr) == (125, ("Error: something new",))
    assert caught.value.command[-1] == "images"


def test_unknown_image(scripted: Scripted) -> None:
    with pytest.raises(ImageNotKnown):
        scripted("echo 'Error: x: image not known' >&2; exit 125").output(["inspect"])


def test_overrun_names_the_command(scripted: Scripted) -> None:
    with pytest.raises(EngineTimeout) as caught:
        scripted("exec sleep 60").output(["images"], timeout=0.2)
    assert str(caught.value) == "buildah images did not end within 0.2 s and was ended"


ONCE = """
echo tried >> "$TMPDIR/tries"
[ $(wc -l < "$TMPDIR/tries") -ge 2 ] && { echo done; exit 0; }
"""


@pytest.mark.parametrize(
    "failing",
    [
        "echo 'Error: creating image: layer not known' >&2; exit 125",
        "echo 'panic: x' >&2; echo 'goroutine 1 [running]:' >&2; exit 2",
        "kill -9 $$",
    ],
    ids=["race", "panic", "killed"],
)
def test_repeatable_command_is_given_once_more(scripted: Scripted, failing: str) -> None:
    assert scripted(f"{ONCE}{failing}").repeatable(["images"]) == "done\n"


def test_repeatable_command_is_not_given_for_ever(scripted: Scripted, tmp_path: Path) -> None:
    commander = scripted("echo x >> $TMPDIR/tries; echo 'Error: layer not known' >&2; exit 125")
    with pytest.raises(EngineError):
        commander.repeatable(["images"])
    assert (tmp_path / "tries").read_text(encoding="ascii") == "x\nx\n"


def test_permanent_failure_is_not_repeated(scripted: Scripted, tmp_path: Path) -> None:
    commander = scripted("echo x >> $TMPDIR/tries; echo 'Error: image not known' >&2; exit 125")
    with pytest.raises(EngineError):
        commander.repeatable(["inspect"])
    assert (tmp_path / "tries").read_text(encoding="ascii") == "x\n"
