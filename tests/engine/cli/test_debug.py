"""``debug``: a failed step again, or a shell in the state before it, after its session."""

from __future__ import annotations

import json
import os
import secrets
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from pytest_zlayer.builder.model.errors import BuildError
from tests.engine.building import building, write_files
from tests.engine.conftest import Storage

WORD = "only-while-it-was-built"
PROGRAM = (sys.executable, "-m", "pytest_zlayer", "debug")
TEXT = """\
FROM {busybox} AS tools
RUN echo {unique} > /tool
FROM {busybox}
ARG PLAIN
ENV COLOUR=blue
RUN echo before > /before
WORKDIR /src
USER app
RUN --mount=from=tools,target=/t --mount=type=secret,id=word,env=WORD \\
    --mount=type=tmpfs,target=/memory --network=none \\
    cat /t/tool /before; id -un; pwd; echo $PLAIN $COLOUR $WORD; \\
    grep -q ' /memory tmpfs' /proc/mounts && touch /memory/x || exit 8; \\
    tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; exit 7
RUN echo never
"""


@dataclass(frozen=True)
class Failed:
    """A build that has failed, in a session that is over."""

    storage: Storage
    cache: Path
    error: BuildError
    unique: str

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.storage, self.cache)

    @property
    def record(self) -> Path:
        logs = self.cache / "pytest-zlayer" / "logs"
        [path] = logs.glob(f"*/{self.error.debug_id}.json")
        return path

    def debug(
        self, *words: str, typed: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, str(self.error.debug_id), *words],
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            env={**self.environment, **more},
            timeout=120,
        )


Fail = Callable[..., Failed]


def environment(storage: Storage, cache: Path) -> dict[str, str]:
    return {**storage.environment, "XDG_CACHE_HOME": str(cache)}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The user's cache directory, with the logs of this test alone."""
    return tmp_path / "user-cache"


@pytest.fixture
def fail(storage: Storage, busybox: str, cache: Path) -> Fail:
    """Builds a Dockerfile that fails."""

    def build(text: str = TEXT, context: Path | None = None, **given: object) -> Failed:
        unique = secrets.token_hex(4)
        declared = {name: given.pop(name) for name in ("build_args", "secrets") if name in given}
        source = text.replace("{busybox}", busybox).replace("{unique}", unique)
        given["environment"] = {**environment(storage, cache), "THE_WORD": WORD}
        with building(storage, **given) as builds, pytest.raises(BuildError) as caught:
            builds.build(source, context, **declared)
        return Failed(storage, cache, caught.value, unique)

    return build


@pytest.fixture
def failed(fail: Fail) -> Failed:
    return fail(build_args={"PLAIN": "plain"}, secrets={"word": "env:THE_WORD"})


def test_the_step_runs_again_as_it_was_and_gives_its_exit_status(failed: Failed) -> None:
    done = failed.debug(THE_WORD="sesame")
    assert done.stdout.splitlines() == [
        failed.unique, "before", "app", "/src", "plain blue sesame", "lo",
    ]  # fmt: skip
    assert done.returncode == 7
    assert "building it first" not in done.stderr
    assert done.stderr.endswith("the step exited with 7\n")


def test_a_secret_is_asked_for_where_it_came_from_and_nowhere_kept(fail: Fail) -> None:
    token = secrets.token_hex(8)
    failed = fail(
        TEXT.replace("echo $PLAIN $COLOUR $WORD;", ""),
        secrets={"word": "env:THE_WORD"},
        build_args={"API_TOKEN": token},
    )
    missing = failed.debug()
    assert missing.returncode == 2
    assert "the value of the build argument API_TOKEN is not kept" in missing.stderr
    missing = failed.debug("--build-arg", "API_TOKEN=x")
    assert "environment variable THE_WORD is not set" in missing.stderr
    assert failed.debug(THE_WORD="x", API_TOKEN=token).returncode == 7
    kept = [path.read_bytes() for path in failed.cache.rglob("*") if path.is_file()]
    assert len(kept) > 1
    assert not any(text.encode() in content for text in (WORD, token) for content in kept)


def test_secrets_are_hidden_in_what_is_told_of_the_steps_before_it(fail: Fail) -> None:
    run = f"--mount=type=secret,id=word,env=WORD echo it is $WORD >&2; test $WORD = {WORD}"
    text = f"FROM {{busybox}}\nRUN : {{unique}}\nRUN {run}\nRUN exit 7\n"
    failed = fail(text, secrets={"word": "env:THE_WORD"}, cache="session")
    done = failed.debug(THE_WORD="another-word")
    assert "it is ***" in done.stderr, done
    assert "another-word" not in done.stderr + done.stdout


def test_what_is_kept_lies_with_the_log_for_this_user_alone(failed: Failed) -> None:
    assert failed.error.log_path is not None
    assert failed.record.parent == Path(failed.error.log_path).parent
    assert stat.S_IMODE(failed.record.stat().st_mode) == 0o600
    assert stat.S_IMODE(failed.record.parent.stat().st_mode) == 0o700


def test_a_shell_has_all_that_the_step_had(failed: Failed) -> None:
    typed = "cat /t/tool /before\nid -un; pwd; echo $PLAIN $COLOUR $WORD; touch /src/x\nexit 3\n"
    done = failed.debug("--shell", typed=typed, THE_WORD="sesame")
    assert done.stdout.splitlines() == [
        failed.unique, "before", "app", "/src", "plain blue sesame",
    ]  # fmt: skip
    assert done.returncode == 3


@pytest.mark.parametrize("isolation", ["oci", "chroot"])
def test_a_script_runs_again_where_it_is_found(fail: Fail, isolation: str) -> None:
    failed = fail("FROM {busybox}\nRUN <<EOT\n#!/bin/sh\necho {unique}\nexit 5\nEOT\n")
    done = failed.debug("--isolation", isolation)
    assert (done.returncode, done.stdout) == (5, f"{failed.unique}\n"), done


def wait_for_size(shell: pexpect.spawn, size: str) -> None:
    """Wait until the terminal inside has it: a size may be passed on a little late."""
    shell.sendline(f"until stty size | grep '{size[:-1]}[{size[-1]}]'; do sleep 0.1; done")
    shell.expect(f"{size}\r\n")


@pytest.mark.parametrize("isolation", ["oci", "chroot"])
def test_a_shell_on_a_terminal_is_one(failed: Failed, isolation: str) -> None:
    shell = pexpect.spawn(
        PROGRAM[0],
        [*PROGRAM[1:], str(failed.error.debug_id), "--shell", "--isolation", isolation],
        env={**failed.environment, "THE_WORD": "x"},  # type: ignore[arg-type]  # a mapping of texts
        encoding="utf-8",
        timeout=60,
        dimensions=(33, 77),
    )
    shell.expect(r"/src \$ ")
    wait_for_size(shell, "33 77")
    if isolation == "oci":  # with chroot isolation buildah passes on the first size only
        shell.setwinsize(44, 88)
        wait_for_size(shell, "44 88")
    shell.sendline("sh -c 'tty; exec sleep 1000'")
    shell.expect("/dev/(pts/|console)")
    shell.sendintr()
    shell.expect(r"/src \$ ")
    shell.sendline("exit 6")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 6
    assert "Error" not in shell.before


@pytest.mark.parametrize("given", [{"no_cache": True}, {"cache": "session"}], ids=str)
def test_what_is_gone_with_the_session_is_built_again_after_a_line_that_says_so(
    fail: Fail, given: dict[str, object]
) -> None:
    failed = fail("FROM {busybox}\nRUN echo {unique} > /before\nRUN cat /before; exit 4\n", **given)
    done = failed.debug()
    assert (done.returncode, done.stdout) == (4, f"{failed.unique}\n")
    assert "the state before the step is not in the store: building it first\n" in done.stderr


def test_nothing_is_left_in_the_store_and_nothing_of_the_step_is_kept(failed: Failed) -> None:
    before = failed.storage.leftovers(), failed.storage.image_names()
    failed.debug("--shell", typed="true\n", THE_WORD="x")
    failed.debug(THE_WORD="x")
    assert (failed.storage.leftovers(), failed.storage.image_names()) == before


def test_a_step_that_succeeds_now_says_so(fail: Fail, tmp_path: Path) -> None:
    context = write_files(tmp_path / "context", {"code": "5"})
    text = "FROM {busybox}\nRUN echo {unique}\nRUN --mount=target=/c exit $(cat /c/code)\n"
    failed = fail(text, context)
    (context / "code").write_text("0")
    done = failed.debug()
    assert done.returncode == 0
    assert "what it reads has changed since it failed" in done.stderr
    assert "the step exited with 0" in done.stderr


def test_a_copy_that_failed_fails_again_and_has_a_shell_before_it(fail: Fail) -> None:
    failed = fail("FROM {busybox}\nRUN echo {unique} > /one\nCOPY --from=0 /x /y\n".replace(
        "COPY --from=0", "FROM {busybox}\nENV A=b\nCOPY --from=0"))  # fmt: skip
    done = failed.debug()
    assert done.returncode == 1
    assert f"to debug it: pytest-zlayer debug {failed.error.debug_id}" in done.stderr
    done = failed.debug("--shell", typed="echo $A; exit 9\n")
    assert (done.returncode, done.stdout) == (9, "b\n")


def test_an_image_without_a_shell_is_an_error(fail: Fail, storage: Storage) -> None:
    failed = fail('FROM scratch\nCOPY --from={busybox} /bin/busybox /run\nRUN ["/run", "false"]\n')
    done = failed.debug("--shell", typed="")
    assert done.returncode == 2
    assert "has no shell" in done.stderr
    assert failed.debug().returncode == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 9}', "1"])
def test_a_damaged_record_is_an_error(failed: Failed, content: str) -> None:
    failed.record.write_text(content)
    done = failed.debug()
    assert done.returncode == 2
    assert str(failed.record) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_build_that_others_need_is_there_again(
    storage: Storage, busybox: str, cache: Path
) -> None:
    from pytest_zlayer.builder.model.spec import ImageSpec

    base = ImageSpec(text=f"FROM {busybox}\nRUN echo {secrets.token_hex(4)} > /base\n")
    with (
        building(storage, environment=environment(storage, cache)) as builds,
        pytest.raises(BuildError) as caught,
    ):
        builds.build("FROM base\nRUN cat /base; exit 3\n", base=base)
    failed = Failed(storage, cache, caught.value, "")
    done = failed.debug()
    assert done.returncode == 3
    assert len(done.stdout.strip()) == 8
    assert json.loads(failed.record.read_text())["spec"]["build_contexts"]["base"]["text"]


def test_an_unknown_id_is_an_error(storage: Storage) -> None:
    options = ["--root", str(storage.root), "--runroot", str(storage.runroot)]
    done = subprocess.run(
        [*PROGRAM, "0123abcd", *options], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **storage.environment},
    )  # fmt: skip
    assert done.returncode == 2
    assert "nothing kept that is called '0123abcd'" in done.stderr


def test_pytest_opens_the_shell_when_a_step_fails_and_goes_on(
    storage: Storage, busybox: str, tmp_path: Path
) -> None:
    unique = secrets.token_hex(4)
    test = f"""
        import pytest

        TEXT = "FROM {busybox}\\nRUN echo {unique} > /before\\nRUN cat /before; exit 3"

        @pytest.mark.image(text=TEXT)
        @pytest.mark.parametrize("number", range(2))
        def test_image(zlayer_image, number):
            pass

        def test_other():
            pass
    """
    write_files(tmp_path / "project", {"test_it.py": textwrap.dedent(test), "pytest.ini": ""})
    places = [f"--zlayer-root={storage.root}", f"--zlayer-runroot={storage.runroot}"]
    shell = pexpect.spawn(
        sys.executable,
        ["-m", "pytest", "-p", "no:cacheprovider", "--zlayer-debug", *places],
        cwd=str(tmp_path / "project"),
        env={**storage.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")},  # type: ignore[arg-type]  # a mapping of texts
        encoding="utf-8",
        timeout=100,
    )
    shell.expect("zlayer: shell before <inline Dockerfile>:3: RUN cat /before; exit 3")
    shell.expect("/ # ")
    shell.sendline("echo the $(cat /before)")
    shell.expect(f"the {unique}\r\n")
    shell.sendline("exit 4")
    shell.expect("zlayer: the shell ended with 4")
    shell.expect(pexpect.EOF)
    assert "shell before" not in shell.before  # once for both tests
    assert "1 passed" in shell.before
    assert "2 errors" in shell.before
