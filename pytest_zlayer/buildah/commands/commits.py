"""The commits of one process: what is left of one that was cut off is removed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.agent.records import Unreadable, unnamed_twins
from pytest_zlayer.buildah.commands import arguments, images
from pytest_zlayer.buildah.commands.commander import LAYERS, Commander
from pytest_zlayer.buildah.commands.probe import Features
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.lines import log_errors

# Seconds that making a layer once more may take, only to remove it.
_UNDOING = 60.0

# The exit status of a buildah that has failed by itself.
_FAILED = 125


class Commits:
    """Commits containers, and knows which commits were begun and not seen to succeed.

    Args:
        commander: runs buildah.
        features: what the installed buildah knows.
        tmpdir: the directory of this process for temporary files.
        note: writes a line into the journal of the agent.
    """

    def __init__(
        self,
        commander: Commander,
        features: Features,
        tmpdir: Path,
        note: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._commander = commander
        self._features = features
        self._tmpdir = tmpdir
        self._note = note
        self._begun: dict[str, list[str]] = {}

    def commit(
        self,
        container: str,
        *,
        name: str | None,
        squash: bool,
        timestamp: int | None,
        format: str,  # noqa: A002 (the word of the command line)
        timeout: float | None,
    ) -> str:
        """Commits a container as an image; its id."""
        options = _options(
            self._features, self._tmpdir, squash=squash, timestamp=timestamp, format=format
        )
        # Noted first: what a commit leaves when it is cut off can only be removed by another one.
        self._note({"commit": container, "options": options})
        self._begun[container] = options
        try:
            identifier = _commit(self._commander, container, options, name=name, timeout=timeout)
        except EngineError as error:
            if error.exit_code == _FAILED:  # it ended by itself, and left nothing
                self._forget(container)
            raise
        self._forget(container)
        return identifier

    def undo(self, container: str) -> None:
        """Removes what a commit of this container has left, as far as that is possible."""
        # Without the container nobody could.
        if container in self._begun:
            with contextlib.suppress(EngineError):
                _undo(self._commander, container, self._begun[container])
                self._forget(container)

    def _forget(self, container: str) -> None:
        self._begun.pop(container, None)
        self._note({"drop commit": container})


def _options(
    features: Features,
    tmpdir: Path,
    *,
    squash: bool,
    timestamp: int | None,
    format: str,  # noqa: A002 (the word of the command line)
) -> list[str]:
    """The options of ``buildah commit``; with the same ones the same layer comes of it."""
    words = ["--quiet", "--format", format, *images.own_policy(tmpdir)]
    if features.commit_identity_label:
        words.append("--identity-label=false")
    if squash:
        words.append("--squash")
    if timestamp is not None:
        words += ["--timestamp", str(timestamp)]
    return words


def _commit(
    commander: Commander,
    container: str,
    options: Sequence[str],
    *,
    name: str | None = None,
    timeout: float | None = LAYERS,
) -> str:
    """``buildah commit``, believed only when an id comes and no error was logged."""
    words = ["commit", *options, arguments.container(container)]
    if name is not None:
        words.append(arguments.image(name))
    done = commander.call(words, timeout=timeout)
    cut_off = done.killed_by_signal is not None
    if cut_off:
        # A commit that was cut off may leave a layer that nothing shows and nothing removes; the
        # same commit takes it over.
        done = commander.call(words, timeout=timeout)
    if done.exit_code != 0:
        raise commander.failed(done)
    torn = log_errors(done.stderr_tail)
    printed = done.stdout_tail[-1].strip() if done.stdout_tail else ""
    if torn or not arguments.is_image_id(printed):
        raise EngineError(
            Failure("transient", f"the commit is incomplete: {torn[0] if torn else printed!r}"),
            command=arguments.masked(done.argv),
            exit_code=done.exit_code,
            stderr=done.stderr_tail,
        )
    if cut_off:
        _remove_twins(commander, printed)
    return printed


def _remove_twins(commander: Commander, identifier: str) -> None:
    """Removes what earlier tries of a commit have stored without getting to name it."""
    with contextlib.suppress(Unreadable):
        known = commander.records.all("images")
        images.remove(commander, unnamed_twins(known, identifier))


def _undo(commander: Commander, container: str, options: Sequence[str]) -> None:
    """Removes what a commit that was cut off may have left, while its container is still there.

    Nothing but the same commit takes over a layer that was left; with that image it goes.
    """
    identifier = _commit(commander, container, options, timeout=_UNDOING)
    _remove_twins(commander, identifier)
    images.remove(commander, [identifier])
