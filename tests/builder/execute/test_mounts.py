"""Mounts that cannot be had: where they stand, and what to give for them."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.buildah.run_request import Tmpfs, Volume
from pytest_zlayer.builder.execute.mounts import MountPreparer, MountRefused, PreparedMounts
from pytest_zlayer.builder.model.wording import COMMAND_LINE, Wording
from pytest_zlayer.dockerfile import parse
from pytest_zlayer.dockerfile.dispatch.instruction import begin_stage, dispatch
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import RunOperation
from pytest_zlayer.dockerfile.stages.resolve import resolve_stages


def run_of(text: str) -> RunOperation:
    graph = resolve_stages(parse(f"FROM scratch\n{text}\n"))
    state = begin_stage(graph, 0, ImageConfig())
    operation = dispatch(graph, 0, state, graph.nodes[0].stage.instructions[0])[1]
    assert isinstance(operation, RunOperation)
    return operation


def run(argv: Sequence[str]) -> Completed:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    said = tuple(done.stderr.splitlines())
    return Completed(tuple(argv), done.returncode, (), said, 0.0)


def preparer_of(tmp_path: Path, **given: Any) -> MountPreparer:
    """Mounts take their files from ``source``; caches and copies have folders of their own."""
    for name in ("scratch", "source"):
        (tmp_path / name).mkdir(exist_ok=True)
    arguments: dict[str, Any] = {
        "secrets": {}, "ssh": {}, "build_args": {}, "wording": Wording(), "environment": {},
        "check": lambda: None, "process": run,
    }  # fmt: skip
    return MountPreparer(
        scratch=lambda: tmp_path / "scratch",
        caches=tmp_path / "caches",
        source_path=lambda _, path: tmp_path / "source" / path.lstrip("/"),
        **{**arguments, **given},
    )


def prepared(tmp_path: Path, text: str, isolation: str = "oci", **given: Any) -> PreparedMounts:
    return preparer_of(tmp_path, **given).prepare(run_of(text), isolation)


def refused(tmp_path: Path, text: str, **given: Any) -> MountRefused:
    with pytest.raises(MountRefused) as caught:
        prepared(tmp_path, text, **given)
    return caught.value


REQUIRED = "RUN --mount=type=tmpfs,target=/t --mount=type=secret,id=token,required true"
SSH = "RUN --mount=type=ssh,required true"


@pytest.mark.parametrize(
    ("text", "wording", "column", "told"),
    [
        (
            REQUIRED,
            Wording(),
            42,
            ("secret token: not found", "declare it: secrets={'token': 'path/or/env:NAME'}"),
        ),
        (
            REQUIRED,
            COMMAND_LINE,
            42,
            (
                "secret token: not found",
                "give it: --secret id=token,src=FILE or --secret id=token,env=NAME",
            ),
        ),
        (
            SSH,
            Wording(),
            13,
            (
                "ssh agent default: not given",
                "declare it: ssh={'default': '/path/of/the/agent.sock'}",
            ),
        ),
        (
            SSH,
            COMMAND_LINE,
            13,
            ("ssh agent default: not given", "give it: --ssh default or --ssh default=SOCKET"),
        ),
    ],
)
def test_what_is_missing_is_told_in_the_words_of_the_one_who_asked(
    tmp_path: Path, text: str, wording: Wording, column: int, told: tuple[str, str]
) -> None:
    error = refused(tmp_path, text, wording=wording)
    assert (error.message, error.hint) == told
    assert (error.span.line, error.span.column) == (2, column)


def test_secret_that_cannot_be_read_is_shown_at_its_mount(tmp_path: Path) -> None:
    error = refused(tmp_path, REQUIRED, secrets={"token": "env:NOWHERE"})
    assert error.message == "secret token: environment variable NOWHERE is not set"
    assert (error.span.line, error.span.column) == (2, 42)


def test_files_of_another_stage_are_seen_as_they_are(tmp_path: Path) -> None:
    found = prepared(tmp_path, "RUN --mount=target=/src,source=a true")
    assert found.volumes == [Volume(tmp_path / "source" / "a", "/src", readonly=True)]
    assert found.targets == ["/src"]


def test_what_is_written_to_a_bind_mount_is_written_to_a_copy(tmp_path: Path) -> None:
    preparer = preparer_of(tmp_path)
    (tmp_path / "source" / "f").write_text("F")
    found = preparer.prepare(run_of("RUN --mount=target=/src,rw true"), "oci")
    (volume,) = found.volumes
    assert (volume.target, volume.readonly) == ("/src", False)
    assert (volume.source / "f").read_text() == "F"
    (volume.source / "f").write_text("changed")
    found.undo.close()
    assert not volume.source.exists()
    assert (tmp_path / "source" / "f").read_text() == "F"


def test_a_file_system_in_memory_has_its_size(tmp_path: Path) -> None:
    found = prepared(tmp_path, "RUN --mount=type=tmpfs,target=/t,size=1k,ro true")
    assert found.tmpfs == [Tmpfs("/t", 1024, readonly=True)]
    assert found.targets == ["/t"]


def test_a_cache_is_made_once_and_kept(tmp_path: Path) -> None:
    text = "RUN --mount=type=cache,target=/c,mode=0711,uid=0,gid=0 true"
    first, second = (prepared(tmp_path, text).volumes for _ in range(2))
    assert first == second
    (volume,) = first
    assert (volume.target, volume.readonly) == ("/c", False)
    assert volume.source.parent == tmp_path / "caches"
    assert stat.S_IMODE(volume.source.stat().st_mode) == 0o711
    assert sorted(one.name for one in volume.source.parent.iterdir()) == [
        volume.source.name,
        f"{volume.source.name}.used",
    ]


def test_caches_of_other_ids_and_namespaces_are_others(tmp_path: Path) -> None:
    texts = [f"RUN --mount=type=cache,target=/c,id={one} true" for one in "ab"]
    spaces = [{}, {"BUILDKIT_CACHE_MOUNT_NS": "x"}]
    found = {
        prepared(tmp_path, text, build_args=space).volumes[0].source
        for text in texts
        for space in spaces
    }
    assert len(found) == 4


def test_an_empty_cache_begins_with_the_files_of_a_stage(tmp_path: Path) -> None:
    preparer = preparer_of(tmp_path)
    (tmp_path / "source" / "a").mkdir()
    (tmp_path / "source" / "a" / "f").write_text("F")
    mount = "type=cache,target=/c,from=x,source=a,ro"
    (volume,) = preparer.prepare(run_of(f"RUN --mount={mount} true"), "oci").volumes
    assert (volume.source / "f").read_text() == "F"
    assert volume.readonly


def test_a_folder_of_a_cache_is_made_and_links_lead_nowhere_else(tmp_path: Path) -> None:
    (whole,) = prepared(tmp_path, "RUN --mount=type=cache,target=/c true").volumes
    (whole.source / "way").symlink_to("/etc")
    (part,) = prepared(tmp_path, "RUN --mount=type=cache,target=/c,source=way/x true").volumes
    assert part.source == whole.source / "etc" / "x"
    assert part.source.is_dir()


def test_a_private_cache_that_is_taken_is_replaced_by_another(tmp_path: Path) -> None:
    text = "RUN --mount=type=cache,target=/c,sharing=private true"
    first = prepared(tmp_path, text)
    second = prepared(tmp_path, text)
    names = [one.volumes[0].source.name for one in (first, second)]
    assert names[1] == f"{names[0]}-1"
    first.undo.close()
    assert prepared(tmp_path, text).volumes == first.volumes


def test_a_locked_cache_is_waited_for(tmp_path: Path) -> None:
    text = "RUN --mount=type=cache,target=/c,sharing=locked true"
    first = prepared(tmp_path, text)

    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        prepared(tmp_path, text, check=give_up)
    first.undo.close()
    assert prepared(tmp_path, text).volumes == first.volumes


def test_a_secret_is_a_private_file_that_goes_with_the_step(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"s\xff")
    text = "RUN --mount=type=secret,id=token,env=TOKEN,target=/t,mode=0440 true"
    found = prepared(tmp_path, text, secrets={"token": str(tmp_path / "token")})
    (volume,) = found.volumes
    assert (volume.target, volume.readonly) == ("/t", True)
    assert volume.source.read_bytes() == b"s\xff"
    assert stat.S_IMODE(volume.source.stat().st_mode) == 0o440
    assert found.hidden_env == {"TOKEN": "s\udcff"}
    assert found.env == {}
    found.undo.close()
    assert not volume.source.exists()


def test_a_secret_may_be_a_variable_or_missing(tmp_path: Path) -> None:
    text = "RUN --mount=type=secret,id=token,env=TOKEN true"
    given = {"secrets": {"token": "env:T"}, "environment": {"T": "s"}}
    assert prepared(tmp_path, text, **given).hidden_env == {"TOKEN": "s"}
    assert prepared(tmp_path, text).hidden_env == {}


def test_a_secret_that_is_no_file_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, REQUIRED, secrets={"token": str(tmp_path / "none")})
    assert error.message == (
        f"secret token: cannot read {tmp_path}/none: No such file or directory"
    )


@pytest.mark.parametrize(
    ("given", "socket"),
    [
        ({"ssh": {"default": "/s"}}, "/s"),
        ({"ssh": {"default": "default"}, "environment": {"SSH_AUTH_SOCK": "/e"}}, "/e"),
        ({"ssh": {"default": ""}, "environment": {"SSH_AUTH_SOCK": "/e"}}, "/e"),
        ({"environment": {"SSH_AUTH_SOCK": "/e"}}, None),
        ({"ssh": {"other": "/s"}}, None),
    ],
)
def test_the_socket_of_an_agent_is_the_one_that_was_given(
    tmp_path: Path, given: dict[str, Any], socket: str | None
) -> None:
    found = prepared(tmp_path, "RUN --mount=type=ssh,target=/a true", **given)
    if socket is None:
        assert (found.volumes, found.env) == ([], {})
    else:
        assert found.volumes == [Volume(Path(socket), "/a")]
        assert found.env == {"SSH_AUTH_SOCK": "/a"}


def test_the_first_of_two_agents_is_the_one_in_the_environment(tmp_path: Path) -> None:
    text = "RUN --mount=type=ssh,target=/a --mount=type=ssh,id=b,target=/b true"
    found = prepared(tmp_path, text, ssh={"default": "/s", "b": "/t"})
    assert found.env == {"SSH_AUTH_SOCK": "/a"}
    assert found.targets == ["/a", "/b"]


SCRIPT = "RUN <<EOF\n#!/bin/sh\nid\nEOF"


@pytest.mark.parametrize(
    ("isolation", "target", "argv"),
    [("oci", "/dev/pipes/EOF", ()), ("chroot", "/run/pipes/EOF", ("/run/pipes/EOF",))],
)
def test_a_script_is_a_file_that_can_be_executed(
    tmp_path: Path, isolation: str, target: str, argv: tuple[str, ...]
) -> None:
    found = prepared(tmp_path, SCRIPT, isolation)
    (volume,) = found.volumes
    assert (volume.target, volume.readonly) == (target, True)
    assert volume.source.read_text() == "#!/bin/sh\nid\n"
    assert stat.S_IMODE(volume.source.stat().st_mode) == 0o755
    assert found.argv[-1:] == argv


def test_what_was_prepared_is_undone_when_a_later_mount_is_refused(tmp_path: Path) -> None:
    text = "RUN --mount=target=/src,rw --mount=type=secret,id=token,required true"
    refused(tmp_path, text)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_program_that_fails_is_reported_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No such file or directory"):
        prepared(tmp_path, "RUN --mount=target=/src,source=none,rw true")


def test_a_program_that_fails_silently_is_reported_with_its_status(tmp_path: Path) -> None:
    def fail(argv: Sequence[str]) -> Completed:
        return Completed(tuple(argv), 7, (), (), 0.0) if argv[0] == "cp" else run(argv)

    with pytest.raises(EngineError, match="cp exited with 7"):
        prepared(tmp_path, "RUN --mount=target=/src,rw true", process=fail)
