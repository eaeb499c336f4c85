"""Running buildah: every command gets the same storage, environment and translation of errors."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_zlayer.buildah.agent.records import Records, StorageOptions, Unreadable
from pytest_zlayer.buildah.commands import arguments
from pytest_zlayer.buildah.commands.disks import cramped_disk, full_disk
from pytest_zlayer.buildah.commands.lock_holder import holder_hint
from pytest_zlayer.buildah.errors import EngineError, EngineTimeout, ImageNotKnown
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.process.command import Completed, Request
from pytest_zlayer.buildah.process.runner import Runner
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import LazyModule

# What only a failure needs.
if TYPE_CHECKING:
    from pytest_zlayer.buildah.commands import logins
    from pytest_zlayer.buildah.messages import lines, meaning
else:
    lines = LazyModule("pytest_zlayer.buildah.messages.lines")
    logins = LazyModule("pytest_zlayer.buildah.commands.logins")
    meaning = LazyModule("pytest_zlayer.buildah.messages.meaning")

# Seconds for commands that only touch the storage's records. Nothing in buildah limits how long
# it waits for a lock, which a stopped process may hold for ever.
BOOKKEEPING = 120.0
# Seconds for commands that write whole layers: tens of GB on a slow disk.
LAYERS = 3600.0

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Commander:
    """buildah with its storage and environment, ready to be given commands.

    Attributes:
        runner: runs it.
        binary: its path.
        env: its whole environment.
        storage: the storage it uses, ``None`` while it has not been asked which that is.
        options: further global options.
    """

    runner: Runner
    binary: Path
    env: Mapping[str, str]
    storage: StorageOptions | None = None
    options: tuple[str, ...] = ()

    @property
    def records(self) -> Records:
        """The records of the storage as they are now.

        Raises:
            Unreadable: the storage is not known yet.
        """
        if self.storage is None:
            raise Unreadable("the storage is not known yet")
        return Records(self.storage)

    def argv(self, words: Sequence[str]) -> list[str]:
        """The whole command line."""
        return [str(self.binary), *self._global_options(), *words]

    def _global_options(self) -> list[str]:
        return [*(self.storage.words() if self.storage else ()), *self.options]

    def call(
        self,
        words: Sequence[str],
        *,
        timeout: float | None = BOOKKEEPING,
        env: Mapping[str, str] | None = None,
        leaves: Mapping[str, Any] | None = None,
        brief: bool = True,
        **more: Any,
    ) -> Completed:
        """Runs buildah; only an overrun of the time limit is an error.

        Args:
            brief: it has to do with nothing but the storage; see :class:`Request`.
            leaves: what the command may leave in the store when it does not succeed; see
                :mod:`pytest_zlayer.buildah.commands.traces`.
        """
        request = Request(
            argv=self.argv(words),
            env={**self.env, **(env or {})},
            timeout=timeout,
            brief=brief,
            **more,
        )
        noted = self.runner.note_traces(leaves) if leaves else None
        done = self.finish(request)
        if noted is not None and done.exit_code == 0:
            self.runner.drop_traces(noted)
        return done

    def call_again(self, words: Sequence[str], **more: Any) -> Completed:
        """The same for a command that may be given twice: once more if its agent is killed."""
        return _once_more(lambda: self.call(words, **more))

    def finish(self, request: Request) -> Completed:
        """Runs a request; only an overrun of the time limit is an error."""
        done = self.runner.run(request)
        if done.timed_out:
            raise self._overrun(done, request.timeout or 0.0)
        return done

    def _overrun(self, done: Completed, seconds: float) -> EngineTimeout:
        words = done.argv[done.argv.index(str(self.binary)) + 1 + len(self._global_options()) :]
        return EngineTimeout(
            Failure(
                "timeout",
                f"buildah {words[0]} did not end within {seconds:g} s and was ended",
                self._lock_holder(),
            ),
            command=arguments.masked(done.argv),
            stderr=done.stderr_tail,
        )

    def _lock_holder(self) -> str | None:
        return None if self.storage is None else holder_hint(Path(self.storage.root))

    def output(self, words: Sequence[str], **more: Any) -> str:
        """What buildah prints.

        Raises:
            EngineError: it failed.
        """
        captured = io.BytesIO()
        done = self.call(words, stdout=captured, **more)
        if done.exit_code != 0:
            raise self.failed(done)
        return captured.getvalue().decode("utf-8", "replace")

    def repeatable(self, words: Sequence[str], **more: Any) -> str:
        """The same for a command that may be given twice: once more after a crash or a race.

        buildah's storage has moments in which a command finds a layer or container that another
        process is just removing.
        """
        return _once_more(lambda: self.output(words, **more))

    def failed(self, done: Completed) -> EngineError:
        """The error for a command that ended badly."""
        code = -done.killed_by_signal if done.killed_by_signal else done.exit_code
        failure = self.full_disk() or meaning.classify(done.argv, code, done.stderr_tail)
        failure = logins.explain_login(failure, done.argv, self.env)
        if failure.kind == "permanent" and lines.says_broken_pipe(done.stderr_tail):
            failure = cramped_disk(self._places())
        unknown = _image_unknown(done.stderr_tail)
        kind = ImageNotKnown if unknown else EngineError
        return kind(
            (meaning.image_gone(done.stderr_tail) or failure) if unknown else failure,
            command=arguments.masked(done.argv),
            exit_code=done.exit_code,
            stderr=done.stderr_tail,
        )

    def full_disk(self) -> Failure | None:
        """The failure that a full disk is: buildah's messages often do not name it."""
        return full_disk(self._places())

    def _places(self) -> list[str]:
        """Where buildah writes."""
        known = self.storage
        places = [self.env.get("TMPDIR", ""), *((known.root, known.runroot) if known else ())]
        return [place for place in places if place]

    def with_environment(self, **env: str) -> Commander:
        """The same with more environment."""
        return replace(self, env={**self.env, **env})


def _once_more(give: Callable[[], _Answer]) -> _Answer:
    try:
        return give()
    except EngineError as error:
        if not error.failure.may_pass:
            raise
    return give()


def _image_unknown(stderr: Sequence[str]) -> bool:
    return lines.says_not_known(stderr) and any("image" in line for line in stderr[-1:])
