"""RUN steps that fail, and are tried again from a clean state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.session.hooks import BuildHooks
from pytest_zlayer.events import StepRetry
from pytest_zlayer.report.text import failure_lines
from tests.engine.building import building
from tests.engine.conftest import BUSYBOX, Storage

pytestmark = pytest.mark.usefixtures("busybox")

FLAKY = f"""\
FROM {BUSYBOX}
RUN --mount=type=cache,target=/count,id={{name}} \\
    echo once >> /log; echo . >> /count/n; test $(wc -l < /count/n) -gt 2
"""


def test_a_retry_starts_from_the_state_before_the_step(storage: Storage) -> None:
    with building(storage) as builds:
        image = builds.build(FLAKY.format(name="clean"), retries=3)

        assert image.path("/log").read_text() == "once\n"
        assert image.build.steps[-1].attempts == 3


def test_each_retry_is_announced_with_its_reason(storage: Storage) -> None:
    with building(storage) as builds:
        builds.build(FLAKY.format(name="announced"), retries=3)

        retries = [event for event in builds.events if isinstance(event, StepRetry)]
        assert [(one.attempt, one.attempts, one.line) for one in retries] == [(1, 4, 2), (2, 4, 2)]
        assert {one.reason for one in retries} == {"the command exited with 1"}
        assert builds.session.retries == tuple(retries)


def test_a_retry_says_what_the_command_wrote_last_to_standard_error(storage: Storage) -> None:
    run = r"RUN echo late >&2; printf '50%%\rno mirror\r\n' >&2; echo; echo out; exit 4"
    text = f"FROM {BUSYBOX}\n{run}\n"
    with building(storage) as builds, pytest.raises(BuildError) as caught:
        builds.build(text, retries=1)
    assert [one.reason for one in builds.session.retries] == [
        "the command exited with 4: no mirror"
    ]
    assert caught.value.reason == "the command exited with 4"


def test_without_retries_the_first_failure_counts(storage: Storage) -> None:
    with building(storage) as builds, pytest.raises(BuildError) as caught:
        builds.build(f"FROM {BUSYBOX}\nRUN exit 7\n")

    assert (caught.value.exit_code, caught.value.attempts) == (7, 1)


@pytest.mark.parametrize(
    ("command", "status"), [("absent-command", 127), ("/etc/passwd", 126)], ids=["127", "126"]
)
def test_a_command_that_cannot_be_executed_is_not_retried(
    storage: Storage, command: str, status: int
) -> None:
    with building(storage) as builds, pytest.raises(BuildError) as caught:
        builds.build(f"FROM {BUSYBOX}\nRUN {command}\n", retries=3)

    assert (caught.value.exit_code, caught.value.attempts) == (status, 1)


def test_the_hook_decides_about_retries(storage: Storage) -> None:
    asked: list[tuple[str, int]] = []

    def never(step: str, attempt: int, error: BuildError) -> bool:
        asked.append((step, attempt))
        return False

    hooks = BuildHooks(retry=never)
    with building(storage, hooks=hooks) as builds, pytest.raises(BuildError) as caught:
        builds.build(f"FROM {BUSYBOX}\nRUN exit 7\n", retries=3)

    assert caught.value.attempts == 1
    assert asked == [("RUN exit 7", 1)]


def test_the_pauses_of_a_build_have_a_limit_in_all(storage: Storage) -> None:
    with building(storage, retry_max_total=0.025) as builds, pytest.raises(BuildError) as caught:
        builds.build(f"FROM {BUSYBOX}\nRUN exit 7\n", retries=9)

    assert caught.value.attempts == 3


def test_a_failure_tells_the_step_its_lines_and_its_output(storage: Storage) -> None:
    text = f"FROM {BUSYBOX} AS app\nRUN for i in $(seq 60); do echo line $i; done; \\\n  exit 3\n"
    with building(storage) as builds, pytest.raises(BuildError) as caught:
        builds.build(text, name="shop")

    error = caught.value
    assert (error.image, error.line, error.end_line) == ("shop", 2, 3)
    assert error.source_lines == tuple(text.splitlines()[1:])
    assert error.tail == tuple(f"line {number}" for number in range(21, 61))
    assert error.message == (
        "building shop failed at <inline Dockerfile>:2 (stage app): the command exited with 3"
    )
    assert error.log_path is not None
    assert "line 1\n" in Path(error.log_path).read_text(encoding="utf-8")


def test_an_excerpt_is_bounded_and_printable(storage: Storage) -> None:
    lines = ["RUN : \x1b[31m && \\", f"  : {'x' * 300} && \\", *["  : && \\"] * 30, "  exit 3"]
    with building(storage) as builds, pytest.raises(BuildError) as caught:
        builds.build("\n".join([f"FROM {BUSYBOX}", *lines]))

    shown = failure_lines(caught.value)
    assert shown[2:4] == ["    2 | RUN : \ufffd[31m && \\", f"    3 |   : {'x' * 196}…"]
    assert shown[21:23] == ["   21 |   : && \\", "      | … and 13 more lines"]


def test_a_timeout_says_how_long_the_step_ran(
    storage: Storage, time_is_over: Callable[..., None]
) -> None:
    with building(storage, on_line=time_is_over) as builds, pytest.raises(BuildError) as caught:
        builds.build(f"FROM {BUSYBOX}\nRUN echo begun; sleep 600\n", timeout=600)

    assert "the build's timeout is 600 s" in caught.value.message
    assert caught.value.tail[:1] == ("begun",)
