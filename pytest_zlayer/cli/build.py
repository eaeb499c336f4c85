"""``build``: build an image from a Dockerfile, as ``docker build`` does."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.choices import IMAGE_FORMATS, NETWORK_MODES
from pytest_zlayer.cli.options import STORAGE, add_settings, here, read_settings
from pytest_zlayer.cli.output import show, writing
from pytest_zlayer.cli.progress import BuildWatch
from pytest_zlayer.cli.sources import add_source, source_arguments
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs.declarations import declare
from pytest_zlayer.lazy import LOADING
from pytest_zlayer.signals import TerminationHandler

if TYPE_CHECKING:
    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.builder.model.spec import ImageSpec
    from pytest_zlayer.builder.session.build_session import BuildSession
    from pytest_zlayer.cli.options import Verbs
    from pytest_zlayer.inputs.settings import Settings

_SETTINGS = (
    "cache-from",
    "cache-to",
    "cache-push-timeout",
    *STORAGE,
    "keep",
    "retries",
    "retry-delay",
    "retry-backoff",
    "retry-max-delay",
    "timeout",
    "step-timeout",
    "transfer-timeout",
    "pull",
    "registry",
    "authfile",
    "platform",
    "build-arg",
    "build-context",
    "cache-mount",
    "no-cache",
    "jobs",
    "isolation",
    "progress",
    "log-dir",
    "report",
)


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "build",
        help="build an image",
        description="Build an image. The image id is printed on standard output, progress on "
        "standard error. Without --tag the image gets a name that `pytest-zlayer ps` lists.",
    )
    add_source(parser)
    add = parser.add_argument
    add(
        "-t",
        "--tag",
        action="append",
        default=[],
        metavar="TAG",
        help="name of the image; may be repeated",
    )
    add(
        "--label",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="label of the image; may be repeated",
    )
    add(
        "--secret",
        action="append",
        default=[],
        metavar="id=ID[,src=FILE|,env=NAME]",
        help="secret for RUN --mount=type=secret; may be repeated",
    )
    add(
        "--ssh",
        action="append",
        default=[],
        metavar="ID[=SOCKET]",
        help="agent for RUN --mount=type=ssh (default: the agent in SSH_AUTH_SOCK); may be "
        "repeated",
    )
    add("--network", choices=NETWORK_MODES, help="network of RUN steps")
    add("--shm-size", metavar="SIZE", help="size of /dev/shm in RUN steps, such as 64m")
    add(
        "--ulimit",
        action="append",
        default=[],
        metavar="NAME=SOFT[:HARD]",
        help="resource limit of RUN steps; may be repeated",
    )
    add(
        "--add-host",
        action="append",
        default=[],
        metavar="NAME:ADDRESS",
        help="additional host name for RUN steps; may be repeated",
    )
    add("-m", "--memory", metavar="SIZE", help="memory limit of RUN steps, such as 512m")
    add("--format", choices=IMAGE_FORMATS, help="format of the image")
    add("--squash", action="store_true", help="put everything this build adds into one layer")
    add("--layers", metavar="POLICY", help="how layers are made (each: one for each instruction)")
    add("--iidfile", metavar="FILE", type=Path, help="write the image id to this file")
    add(
        "-o",
        "--output",
        metavar="DIR|FILE.tar",
        help="write the files of the image there (also type=local|tar,dest=PATH); without --tag no "
        "image is kept",
    )
    add("--push", action="store_true", help="push every tag after the build")
    add_settings(parser, _SETTINGS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Build the image and say what it is."""
    if arguments.push and not arguments.tag:
        raise UsageError("--push needs a --tag: it says where to push to")
    _check_place(arguments.iidfile)
    settings = read_settings(arguments)
    spec = spec_of(arguments, settings)
    output = _output(arguments.output) if arguments.output else None
    watched = BuildWatch(settings)
    session = _session(settings, watched, stay=output is None or bool(arguments.tag))
    arguments.ctrl_c.interrupts(session.interrupt)
    failed = True
    with TerminationHandler(session.interrupt):
        try:
            image = session.build(spec)
            watched.built(image)
            _finish(image, arguments)
            if output is not None:
                with writing(output):
                    image.export(output)
            failed = False
        finally:
            session.close(failed=failed)
            watched.end(session)
    show([image.id])
    return 0


def spec_of(arguments: argparse.Namespace, settings: Settings) -> ImageSpec:
    """The image the command line declares.

    Raises:
        UsageError: arguments that cannot mean anything.
    """
    args, values = source_arguments(arguments)
    values |= {
        "tags": tuple(arguments.tag),
        "labels": dict(_pair("--label", one) for one in arguments.label),
        "secrets": dict(_secret(one, settings.environment) for one in arguments.secret),
        "ssh": dict(_agent(one) for one in arguments.ssh),
        "network": arguments.network,
        "format": arguments.format,
        "squash": arguments.squash,
        "layers": arguments.layers,
        "shm_size": arguments.shm_size,
        "ulimits": tuple(arguments.ulimit),
        "add_hosts": tuple(arguments.add_host),
        "memory": arguments.memory,
    }
    return declare(args, values, place=here(), what="build")


def _output(text: str) -> Path:
    """Where ``--output`` writes: a path, or ``type=local|tar,dest=PATH`` as docker has it."""
    if "=" not in text:
        return Path(text)
    fields = dict(_pair("--output", one) for one in text.split(","))
    kind, dest = fields.pop("type", "local"), fields.pop("dest", "")
    if kind not in ("local", "tar") or not dest or fields:
        raise UsageError(
            f"--output: expected DIR, FILE.tar or type=local|tar,dest=PATH, not {text!r}"
        )
    if kind == "tar" and not dest.endswith(".tar"):
        raise UsageError(f"--output: a tar archive has a name that ends with .tar, not {dest!r}")
    return Path(dest)


def _session(settings: Settings, watched: BuildWatch, *, stay: bool) -> BuildSession:
    with LOADING:
        from pytest_zlayer.builder.model.wording import COMMAND_LINE
        from pytest_zlayer.builder.session.open_engine import begin_opening

    session_id = os.urandom(6).hex()
    options = settings.build_options(
        stay=stay, session_id=session_id, wording=COMMAND_LINE, watched=watched.is_live
    )
    # The engine takes its time to open, and what comes now to be loaded.
    engine = begin_opening(options, session_id)
    with LOADING:
        from pytest_zlayer.builder.session.build_session import BuildSession

    return BuildSession(options, listener=watched.listen, engine=engine)


def _check_place(file: Path | None) -> None:
    """Refuse, before anything is built, a file for the image id that cannot be written."""
    if file is None:
        return
    there = file if file.exists() else file.absolute().parent
    if not there.exists():
        raise UsageError(f"--iidfile: no such directory: {there}")
    if file.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(f"--iidfile: cannot write {file}")


def _finish(image: Image, arguments: argparse.Namespace) -> None:
    if arguments.push:
        image.push(*arguments.tag)
    if arguments.iidfile is not None:
        with writing(arguments.iidfile):
            arguments.iidfile.write_text(f"sha256:{image.id}", encoding="utf-8")


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"{option}: expected NAME=VALUE, not {text!r}")
    return name, value


def _secret(text: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """``id=ID`` with ``src=FILE`` or ``env=NAME``, as ``docker build`` takes it."""
    fields = dict(_pair("--secret", one) for one in text.split(","))
    secret = fields.pop("id", "")
    source = fields.pop("src", None) or fields.pop("source", None)
    variable = fields.pop("env", None)
    kind = fields.pop("type", "env" if variable else "file")
    if not secret or fields or kind not in ("env", "file"):
        raise UsageError(f"--secret: expected id=ID,src=FILE or id=ID,env=NAME, not {text!r}")
    if kind == "env" or (source is None and secret in variables):
        return secret, f"env:{variable or source or secret}"
    path = Path(source or secret)
    if not path.is_file():
        raise UsageError(f"--secret: no such file: {path}")
    return secret, str(path.absolute())


def _agent(text: str) -> tuple[str, str]:
    name, _, socket = text.partition("=")
    return name, socket or "default"
