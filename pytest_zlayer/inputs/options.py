"""Every option, declared once: its names, type, default and help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_zlayer.choices import (
    CACHE_LIFETIMES,
    ENGINE_CHOICES,
    ISOLATION_KINDS,
    KEEP_CHOICES,
    OPEN_ISOLATIONS,
    PULL_MODES,
)
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.inputs.option_values import (
    one_of,
    to_context_pair,
    to_count,
    to_factor,
    to_identifier,
    to_limit,
    to_listing,
    to_output_directory,
    to_pair,
    to_path,
    to_patterns,
    to_place,
    to_prebuild,
    to_program,
    to_report,
    to_seconds,
    to_size,
    to_span,
    to_structure,
    to_switch,
    to_text,
)

PROGRESS_CHOICES = ("auto", "plain", "live", "quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting with its three names: ``--zlayer-x-y``, ``ZLAYER_X_Y`` and ``zlayer_x_y``.

    Attributes:
        name: the option without prefix, words joined by ``-``.
        help: what it is for, one sentence.
        convert: text to value; raises ``ValueError`` saying what was expected.
        default: the value when nobody sets it.
        metavar: what stands for the value in help texts; ``""`` for a switch.
        many: may be given several times; the values form a mapping or a tuple.
        bare: the text meant by the option without a value, or ``None``.
        words: values that may follow a switch, after ``=`` only: it takes no word from the
            paths behind it.
        field: the field of ``BuildOptions`` it sets, or ``None``.
    """

    name: str
    help: str
    convert: Callable[[str], Any]
    default: Any = None
    metavar: str = "VALUE"
    many: bool = False
    bare: str | None = None
    words: tuple[str, ...] = ()
    field: str | None = None

    @property
    def flag(self) -> str:
        """The pytest option."""
        return f"--zlayer-{self.name}"

    @property
    def ini(self) -> str:
        """The ini name, which is also where pytest keeps the command line's value."""
        return "zlayer_" + self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return self.ini.upper()


_KEEP_HELP = (
    "keep images and stage images, or what failed tests have used: all, failed or none "
    "(without a value: all)"
)
_BASE = "tried first for base images whose name has no registry"

OPTIONS: tuple[Option, ...] = (
    Option(
        name="keep",
        help=_KEEP_HELP,
        convert=one_of(KEEP_CHOICES),
        default="none",
        metavar="WHAT",
        bare="all",
        field="keep",
    ),
    Option(
        name="retries",
        help="extra attempts for a RUN step that fails",
        convert=to_count,
        default=0,
        metavar="N",
        field="retries",
    ),
    Option(
        name="retry-delay",
        help="seconds to wait before the first retry",
        convert=to_seconds,
        default=3.0,
        metavar="S",
        field="retry_delay",
    ),
    Option(
        name="retry-backoff",
        help="factor by which the wait increases after each retry",
        convert=to_factor,
        default=1.0,
        metavar="FACTOR",
        field="retry_backoff",
    ),
    Option(
        name="retry-max-delay",
        help="upper limit in seconds for the wait before a retry",
        convert=to_seconds,
        default=60.0,
        metavar="S",
        field="retry_max_delay",
    ),
    Option(
        name="retry-max-total",
        help="limit in seconds for the sum of all waits of one build; beyond it the build fails",
        convert=to_seconds,
        default=600.0,
        metavar="S",
        field="retry_max_total",
    ),
    Option(
        name="timeout",
        help="seconds a build may take (0: no limit)",
        convert=to_limit,
        metavar="S",
        field="timeout",
    ),
    Option(
        name="step-timeout",
        help="seconds one RUN step may take (0: no limit)",
        convert=to_limit,
        metavar="S",
        field="step_timeout",
    ),
    Option(
        name="transfer-timeout",
        help="seconds one attempt of a pull or push may take (0: no limit)",
        convert=to_limit,
        default=600.0,
        metavar="S",
        field="transfer_timeout",
    ),
    Option(
        name="pull",
        help="when base images are pulled: missing, newer, always or never",
        convert=one_of(PULL_MODES),
        default="missing",
        metavar="MODE",
        field="pull",
    ),
    Option(
        name="registry",
        help=f"default registry, {_BASE}",
        convert=to_text,
        metavar="HOST",
        field="registry",
    ),
    Option(
        name="authfile",
        help="file with the credentials of registries",
        convert=to_path,
        metavar="FILE",
        field="authfile",
    ),
    Option(
        name="platform",
        help="platform to build for, os/arch[/variant]",
        convert=to_text,
        metavar="PLATFORM",
        field="platform",
    ),
    Option(
        name="build-arg",
        help="value of a build argument; may be repeated",
        convert=to_pair,
        metavar="NAME=VALUE",
        many=True,
        field="build_args",
    ),
    Option(
        name="build-context",
        help="named build context: path, docker-image://… or oci-layout://…; may be repeated",
        convert=to_context_pair,
        metavar="NAME=VALUE",
        many=True,
        field="build_contexts",
    ),
    Option(
        name="image",
        help="use an existing image for the declaration called NAME instead of building it; "
        "may be repeated",
        convert=to_pair,
        metavar="NAME=REF",
        many=True,
        field="images",
    ),
    Option(
        name="cache-mount",
        help="path at which every RUN step gets a cache mount; may be repeated",
        convert=to_text,
        default=(),
        metavar="PATH",
        many=True,
        field="cache_mounts",
    ),
    Option(
        name="no-cache",
        help="run every step, even if its layer is cached, and renew the cache",
        convert=to_switch,
        default=False,
        metavar="",
        field="no_cache",
    ),
    Option(
        name="cache",
        help="what happens to cached layers: keep (they serve later runs) or session (the layers "
        "of this run are removed when it ends)",
        convert=one_of(CACHE_LIFETIMES),
        default="keep",
        metavar="HOW",
        field="cache",
    ),
    Option(
        name="cache-scope",
        help="cached layers are used only by runs with the same scope: separates CPU types, "
        "mirrors or trust zones",
        convert=str,
        default="",
        metavar="TEXT",
        field="cache_scope",
    ),
    Option(
        name="cache-max-age",
        help="cached layers unused for longer are removed",
        convert=to_span,
        default=14 * 86400.0,
        metavar="TIME",
        field="cache_max_age",
    ),
    Option(
        name="cache-max-size",
        help="the least recently used cached layers beyond this size are removed",
        convert=to_size,
        default=10 * 1024**3,
        metavar="SIZE",
        field="cache_max_size",
    ),
    Option(
        name="cache-from",
        help="a place to look for layers built on other machines: dir:PATH or "
        "REGISTRY/REPOSITORY; may be repeated",
        convert=to_place,
        default=(),
        metavar="PLACE",
        many=True,
        field="cache_from",
    ),
    Option(
        name="cache-to",
        help="a place to send finished layers to: dir:PATH or REGISTRY/REPOSITORY",
        convert=to_place,
        metavar="PLACE",
        field="cache_to",
    ),
    Option(
        name="cache-push-timeout",
        help="seconds to wait at the end of the run for layers that are still being sent "
        "(0: do not wait)",
        convert=to_seconds,
        default=60.0,
        metavar="S",
        field="cache_push_timeout",
    ),
    Option(
        name="jobs",
        help="stages and images built in parallel (0: one for each core)",
        convert=to_count,
        default=0,
        metavar="N",
        field="jobs",
    ),
    Option(
        name="prebuild",
        help="build the images of the selected tests in the background while other tests run: "
        "on or off; only: build them and run no test",
        convert=to_prebuild,
        default="on",
        metavar="on|off|only",
        bare="on",
    ),
    Option(
        name="missing",
        help="what happens to tests that need an image when there is no usable buildah: "
        "fail or skip",
        convert=one_of(("fail", "skip")),
        default="fail",
        metavar="WHAT",
    ),
    Option(
        name="buildah",
        help="path of the buildah program",
        convert=to_program,
        metavar="PATH",
        field="buildah",
    ),
    Option(
        name="isolation",
        help="how RUN steps are isolated from the host: auto, oci, rootless or chroot; "
        "buildah: like auto, but buildah run starts every command",
        convert=one_of((*OPEN_ISOLATIONS, *ISOLATION_KINDS)),
        default="auto",
        metavar="TYPE",
        field="isolation",
    ),
    Option(
        name="service-engine",
        help="the program that runs services: auto (podman if it works, otherwise buildah), "
        "podman or buildah",
        convert=one_of(ENGINE_CHOICES),
        default="auto",
        metavar="ENGINE",
        field="service_engine",
    ),
    Option(
        name="root",
        help="directory of the container storage",
        convert=to_path,
        metavar="DIR",
        field="root",
    ),
    Option(
        name="runroot",
        help="directory of the container storage's state",
        convert=to_path,
        metavar="DIR",
        field="runroot",
    ),
    Option(
        name="progress",
        help="how builds are shown: auto, plain, live or quiet",
        convert=one_of(PROGRESS_CHOICES),
        default="auto",
        metavar="HOW",
    ),
    Option(
        name="log-dir",
        help="directory in which the logs of builds are kept",
        convert=to_output_directory,
        metavar="DIR",
        field="log_dir",
    ),
    Option(
        name="debug",
        help="when a step fails, open a shell in the state before the step, as --pdb opens a "
        "debugger",
        convert=to_switch,
        default=False,
        metavar="",
    ),
    Option(
        name="marker",
        help="name of the marker that declares images, for projects in which image means something "
        "else",
        convert=to_identifier,
        default="image",
        metavar="NAME",
    ),
    Option(
        name="lint",
        help="run the build checks on Dockerfiles: those that match the patterns of the ini option "
        "(relative to the rootdir), otherwise all that pytest finds",
        convert=to_patterns,
        default=(),
        metavar="",
        many=True,
    ),
    Option(
        name="structure-tests",
        help="files of container-structure-test and the image that they test: a context, "
        "CONTEXT:TARGET or ref:NAME; may be repeated",
        convert=to_structure,
        default=(),
        metavar="IMAGE=FILE…",
        many=True,
    ),
    Option(
        name="report",
        help="write a report of what was built: FILE.html (a page) or FILE.json; may be repeated",
        convert=to_report,
        default=(),
        metavar="FILE",
        many=True,
    ),
    Option(
        name="durations",
        help="show the N slowest builds and steps (0: all)",
        convert=to_count,
        metavar="N",
    ),
    Option(
        name="list",
        help="show which tests need which images and stages; runs no test and needs no buildah",
        convert=to_listing,
        metavar="",
        words=("json",),
    ),
    Option(
        name="group",
        help="run only the tests that need an image of this group (see --zlayer-list=json)",
        convert=to_text,
        metavar="ID",
    ),
)
