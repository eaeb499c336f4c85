"""Images from and to other places: registries, archives, manifest lists."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from pytest_zlayer.buildah.agent.ownlocks import pulling
from pytest_zlayer.buildah.commands import arguments, traces
from pytest_zlayer.buildah.commands.commander import BOOKKEEPING, Commander
from pytest_zlayer.buildah.commands.download import downloading
from pytest_zlayer.buildah.commands.images import remove as remove_images
from pytest_zlayer.buildah.commands.local_place import LocalPlace
from pytest_zlayer.buildah.commands.probe import Features
from pytest_zlayer.buildah.errors import EngineError, ImageNotKnown
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.lines import own_retry
from pytest_zlayer.buildah.messages.meaning import of_debug_log
from pytest_zlayer.buildah.process.command import Completed
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.buildah.storage.records import parse_image
from pytest_zlayer.choices import PullMode

_REGISTRY = "docker://"
_LOCAL = ("oci", "oci-archive", "docker-archive", "dir", "docker-daemon")


class _TriesAgain(Exception):
    """buildah is about to pause and repeat what failed."""


def pull(
    commander: Commander,
    features: Features,
    reference: str,
    tmpdir: Path,
    *,
    policy: PullMode,
    platform: str | None,
    on_line: LineSink | None,
    on_size: Callable[[int], None] | None,
    timeout: float | None,
) -> str:
    """``buildah pull``; the id of the image."""
    if policy == "newer" and not features.pull_newer:
        return _pull_newer(
            commander, features, reference, tmpdir, platform=platform, on_line=on_line,
            on_size=on_size, timeout=timeout,
        )  # fmt: skip
    place = LocalPlace.of(reference)
    wanted = place.linked(tmpdir) if place else reference
    words = arguments.pull(wanted, policy=policy, platform=platform)
    arrivals = traces.Arrivals(commander)

    def watch(stream: str, line: str) -> None:
        arrivals.watch(line)
        if on_line is not None:
            on_line(stream, line)

    with downloading(tmpdir) as download, pulling(commander.storage):
        done = _transfer(
            commander, words, cwd=tmpdir, timeout=timeout, on_line=watch,
            env={"TMPDIR": download.tmpdir},
            meanwhile=None if on_size is None else lambda: on_size(download.size()),
        )  # fmt: skip
    if done.exit_code != 0:
        raise commander.failed(place.in_words_of_the_caller(done) if place else done)
    if arrivals.noted is not None:
        commander.runner.drop_traces(arrivals.noted)
    printed = done.stdout_tail[-1].strip() if done.stdout_tail else ""
    if not arguments.is_image_id(printed):
        raise EngineError(
            Failure("permanent", f"buildah pull printed {printed!r}"),
            command=arguments.masked(done.argv),
        )
    return printed


def _transfer(
    commander: Commander,
    words: Sequence[str],
    *,
    timeout: float | None,
    on_line: LineSink | None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Completed:
    """Tries once: whether and when to try again is decided where it can be announced.

    buildah 1.28 has its own way: three more attempts in six seconds, whatever ``--retry`` says.
    """

    def watch(stream: str, line: str) -> None:
        reason = own_retry(line) if stream == "stderr" else None
        if reason is not None:
            raise _TriesAgain(reason)
        if on_line is not None:
            on_line(stream, line)

    try:
        return commander.call(
            words,
            timeout=timeout,
            on_line=watch,
            brief=False,
            cwd=cwd,
            env=env,
            meanwhile=meanwhile,
        )
    except _TriesAgain as again:
        said = (f"Error: {again}",)
        return Completed(tuple(commander.argv(words)), 125, (), said, seconds=0.0)


def _pull_newer(
    commander: Commander,
    features: Features,
    reference: str,
    tmpdir: Path,
    *,
    platform: str | None,
    on_line: LineSink | None,
    on_size: Callable[[int], None] | None,
    timeout: float | None,
) -> str:
    """What "newer" means, for a buildah that does not know the word."""
    try:
        return pull(
            commander, features, reference, tmpdir, policy="always", platform=platform,
            on_line=on_line, on_size=on_size, timeout=timeout,
        )  # fmt: skip
    except EngineError as error:
        if error.interrupted or error.failure.kind == "timeout":
            raise
        try:
            found = commander.output(["inspect", "--type", "image", arguments.image(reference)])
        except ImageNotKnown:
            raise error from None
        return parse_image(found).id


def push(
    commander: Commander,
    image: str,
    destination: str,
    tmpdir: Path,
    *,
    on_line: LineSink | None,
    timeout: float | None,
    format: str | None,  # noqa: A002 (the word of the command line)
    authfile: Path | None,
    compress: bool = True,
) -> str:
    """``buildah push``; the digest the destination has now."""
    words = ["push", "--retry", "0", *([] if compress else ["--disable-compression"])]
    if format is not None:
        words += ["--format", format]
    target = [arguments.image(image), checked_destination(destination)]
    return _push(
        commander, words, target, tmpdir, on_line=on_line, timeout=timeout, authfile=authfile
    )


def manifest_push(
    commander: Commander,
    name: str,
    destination: str,
    tmpdir: Path,
    *,
    on_line: LineSink | None,
    timeout: float | None,
    authfile: Path | None,
) -> str:
    """``buildah manifest push --all``; the digest the destination has now."""
    words = ["manifest", "push", "--all", *registries_option(commander)]
    target = [arguments.image(name), checked_destination(destination)]
    return _push(
        commander, words, target, tmpdir, on_line=on_line, timeout=timeout, authfile=authfile
    )


def _push(
    commander: Commander,
    words: Sequence[str],
    target: Sequence[str],
    tmpdir: Path,
    *,
    on_line: LineSink | None,
    timeout: float | None,
    authfile: Path | None,
) -> str:
    auth = [] if authfile is None else ["--authfile", str(authfile)]
    with _digest_file(tmpdir) as file:
        line = [*words, *auth, "--digestfile", str(file), *target]
        done = _transfer(commander, line, timeout=timeout, on_line=on_line)
        if done.exit_code != 0:
            raise commander.failed(done)
        digest = file.read_text(encoding="ascii").strip()
        if not digest.startswith("sha256:"):
            raise _silent(commander, [*words, *auth, *target], timeout)
    return digest


def _silent(commander: Commander, words: Sequence[str], timeout: float | None) -> EngineError:
    """The error for a push that ended with status 0 and pushed nothing: 1.28 does that for lists.

    The reason stands only in the log of a second try.
    """
    talking = replace(commander, options=(*commander.options, "--log-level", "debug"))
    done = talking.call(words, timeout=timeout, brief=False)
    return EngineError(of_debug_log(done.stderr_tail), command=arguments.masked(done.argv))


@contextlib.contextmanager
def _digest_file(tmpdir: Path) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix="digest-", dir=tmpdir)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def checked_destination(destination: str) -> str:
    """Where to push, with its transport in front; a bare name means a registry.

    Raises:
        UsageError: it is neither an image name nor ``transport:details``.
    """
    transport, _, details = destination.partition(":")
    if transport in _LOCAL and details:
        return destination
    return f"docker://{arguments.image(destination.removeprefix('docker://'))}"


def manifest_create(
    commander: Commander, name: str, images: Sequence[str], storage: StorageInfo
) -> str:
    """``buildah manifest create``; the id of the list."""
    words = ["manifest", "create", arguments.image(name)]
    identifier = commander.output(words).strip()
    for image in images:
        manifest_add(commander, name, image, storage)
    return identifier


def manifest_add(commander: Commander, name: str, image: str, storage: StorageInfo) -> None:
    """``buildah manifest add`` under a lock: of several at once buildah would keep only some.

    An image of the store, or with ``docker://`` in front one (or all of a list) of a registry.
    """
    words = ["manifest", "add"]
    if image.startswith(_REGISTRY):
        source = f"{_REGISTRY}{arguments.image(image.removeprefix(_REGISTRY))}"
        words += ["--all", *registries_option(commander)]
    else:
        source = f"containers-storage:{arguments.image(image)}"
    storage.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(storage.state / "manifests.lock", timeout=BOOKKEEPING):
        commander.output([*words, arguments.image(name), source], brief=False)


def check_pushed(
    commander: Commander,
    destination: str,
    digest: str,
    name: str,
    *,
    timeout: float | None,
    authfile: Path | None,
) -> None:
    """Reads what was pushed back from the registry; other destinations are believed.

    A login page that answers everything with "fine" makes buildah believe that it has pushed. A
    manifest list is the one thing that can be made of an image elsewhere without its layers.

    Args:
        commander: with the proxies.
        destination: where it was pushed.
        digest: what it has to be.
        name: a name for the list, which nothing else has.

    Raises:
        EngineError: the registry has something else, or nothing.
    """
    target = checked_destination(destination)
    if not target.startswith(_REGISTRY):
        return
    source = f"{_REGISTRY}{repository(target.removeprefix(_REGISTRY))}@{digest}"
    auth = [] if authfile is None else ["--authfile", str(authfile)]
    words = ["manifest", "add", "--all", *registries_option(commander), *auth, name, source]
    commander.output(["manifest", "create", name])
    try:
        done = _transfer(commander, words, timeout=timeout, on_line=None)
        if done.exit_code != 0:
            raise _not_there(commander.failed(done))
    finally:
        # What cannot be removed is looked for again at the end; here it must not hide how it went.
        with contextlib.suppress(EngineError):
            remove_images(commander, [name])


def _not_there(error: EngineError) -> EngineError:
    failure = error.failure
    kind = failure.kind if failure.kind == "transient" else "permanent"
    message = f"what was pushed cannot be read back: {failure.message}"
    return EngineError(
        Failure(kind, message, failure.hint),
        command=error.command,
        exit_code=error.exit_code,
        stderr=error.stderr,
    )


def repository(name: str) -> str:
    """An image name without its tag and digest."""
    before, slash, last = name.partition("@")[0].rpartition("/")
    return before + slash + last.partition(":")[0]


def registries_option(commander: Commander) -> list[str]:
    """What makes ``manifest`` read the same registries.conf as ``pull`` and ``push`` do.

    In buildah 1.28 it does not look at the environment.
    """
    file = commander.env.get("CONTAINERS_REGISTRIES_CONF")
    return ["--registries-conf", file] if file else []
