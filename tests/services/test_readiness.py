"""Waiting, with a pretended service."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from pytest_zlayer.buildah.errors import EngineTimeout
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.builder.image.log import LogLine
from pytest_zlayer.builder.image.results import RunResult
from pytest_zlayer.dockerfile.instructions import HealthProbe
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.errors import UsageError
from pytest_zlayer.services import ready
from pytest_zlayer.services.errors import ServiceEnded, ServiceNotReady
from pytest_zlayer.services.readiness import default_condition, wait_until


@dataclass
class Pretended:
    """A service whose life is a list of moments: ``None`` while it runs, else its exit code."""

    life: list[int | None] = field(default_factory=lambda: [None])
    lines: list[str] = field(default_factory=list)
    answers: list[RunResult | Exception] = field(default_factory=list)
    probe: HealthProbe | None = None
    ports: dict[int, int] = field(default_factory=dict)
    name: str = "db"
    started_at: float = field(default_factory=time.monotonic)
    pauses: list[float] = field(default_factory=list)

    @property
    def image(self):
        return SimpleNamespace(label="services/db", config=ImageConfig(healthcheck=self.probe))

    @property
    def running(self):
        return self.life[0] is None

    @property
    def exit_code(self):
        return self.life[0]

    def wait_ended(self, seconds):
        self.pauses.append(seconds)
        if len(self.life) > 1:
            del self.life[0]

    def lines_since_start(self):
        return [LogLine("2026-11-26T21:43:57.856", "stdout", one) for one in self.lines]

    def log_text(self):
        return self.lines

    def run(self, *_, **__):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def done(code, text=""):
    return RunResult(code, text, "", 0.1)


def test_one_that_ends_fails_at_once_with_its_code_and_log():
    service = Pretended(life=[None, 3], lines=["starting", "no disk"])
    with pytest.raises(ServiceEnded) as caught:
        wait_until(service, ready.log("ready"), 60)
    assert str(caught.value) == (
        "service db ended before it was ready: exit code 3\n"
        "  waited for: 'ready' in its log\n  the log:\n    starting\n    no disk"
    )
    assert caught.value.exit_code == 3


def test_a_signal_is_named():
    with pytest.raises(ServiceEnded, match=r"exit code 137 \(killed by SIGKILL\)"):
        wait_until(Pretended(life=[137]), ready.log("ready"), 60)


def test_only_the_last_lines_are_shown():
    with pytest.raises(ServiceEnded) as caught:
        wait_until(
            Pretended(life=[1], lines=[f"line {n}" for n in range(90)]), ready.log("x y"), 60
        )
    text = str(caught.value)
    assert "the last 40 lines of its log:\n    line 50\n" in text
    assert text.endswith("line 89")


def test_the_last_words_count():
    wait_until(Pretended(life=[0], lines=["ready"]), ready.log("ready"), 60)


def test_one_that_is_too_slow_says_what_was_there_instead():
    service = Pretended(answers=[done(2, "no route\n")])
    with pytest.raises(ServiceNotReady) as caught:
        wait_until(service, ready.command(["pg_isready"]), 0)
    assert "  waited for: 'pg_isready' with exit code 0\n" in str(caught.value)
    assert "  last check: exit code 2: no route\n  its log is empty" in str(caught.value)


def test_looks_get_slower():
    service = Pretended(answers=[*[done(1)] * 30, done(0)])
    wait_until(service, ready.command("true"), 3600)
    assert service.pauses[0] < 0.05
    assert service.pauses == sorted(service.pauses)
    assert service.pauses[-1] == 1.0


def test_one_that_is_to_end_is_ready_then():
    wait_until(Pretended(life=[None, None, 0]), ready.exited(), 60)
    with pytest.raises(ServiceEnded, match="exit code 5"):
        wait_until(Pretended(life=[None, 5]), ready.exited(), 60)
    wait_until(Pretended(life=[None, 5]), ready.exited(5), 60)


def test_all_conditions_are_met_one_after_the_other():
    service = Pretended(lines=["a"], answers=[done(1), done(0)])
    wait_until(service, ready.all(ready.log("a"), ready.command("x")), 60)
    with pytest.raises(ServiceNotReady, match="last check: 'b' in its log: not in its log yet"):
        wait_until(Pretended(), ready.all(ready.log("b")), 0)


def test_a_function_will_do_and_is_named():
    def is_blue(service):
        return service.name == "blue"

    wait_until(Pretended(name="blue"), is_blue, 0)
    with pytest.raises(ServiceNotReady, match=r"waited for: is_blue\(service\)"):
        wait_until(Pretended(), is_blue, 0)


def test_a_text_is_looked_for_as_it_is_and_as_an_expression():
    wait_until(Pretended(lines=["listening on [::]:80"]), ready.log("listening on [::]:80"), 0)
    wait_until(Pretended(lines=["listening on 8080"]), ready.log(r"on \d+"), 0)
    wait_until(Pretended(lines=["a ( b"]), ready.log("a ("), 0)


def test_a_healthcheck_counts_failures_once_an_interval_and_after_the_start_period():
    second = 10**9
    probe = HealthProbe(("CMD", "check"), interval=1000 * second, retries=2)
    service = Pretended(probe=probe, answers=[*[done(1)] * 5, done(0)])
    wait_until(service, ready.healthcheck(), 60)
    probe = HealthProbe(("CMD", "check"), start_period=1000 * second, interval=1, retries=1)
    service = Pretended(probe=probe, answers=[*[done(1)] * 5, done(0)])
    wait_until(service, ready.healthcheck(), 60)


def test_one_that_is_unhealthy_fails_before_its_time():
    probe = HealthProbe(("CMD-SHELL", "check"), interval=1, retries=3)
    with pytest.raises(ServiceNotReady) as caught:
        wait_until(Pretended(probe=probe, answers=[done(1, "no disk\n")]), ready.healthcheck(), 60)
    reason = "HEALTHCHECK failed 3 times: HEALTHCHECK ended with exit code 1: no disk"
    assert f"last check: unhealthy: {reason}" in str(caught.value)


def test_a_check_that_hangs_is_a_failed_one():
    probe = HealthProbe(("CMD", "check"), timeout=2 * 10**9, interval=1, retries=1)
    hung = EngineTimeout(Failure("timeout", "too slow"))
    with pytest.raises(ServiceNotReady, match="HEALTHCHECK did not end within 2 s"):
        wait_until(Pretended(probe=probe, answers=[hung]), ready.healthcheck(), 60)


@pytest.mark.parametrize("probe", [None, HealthProbe(("NONE",))])
def test_an_image_without_a_healthcheck_cannot_become_healthy(probe):
    with pytest.raises(UsageError, match="services/db has no HEALTHCHECK"):
        wait_until(Pretended(probe=probe), ready.healthcheck(), 60)


def test_by_default_the_strongest_sign_is_waited_for():
    probe = HealthProbe(("CMD", "check"))
    assert str(default_condition(Pretended(probe=probe, ports={80: 1}))) == "a healthy HEALTHCHECK"
    assert (
        str(default_condition(Pretended(probe=HealthProbe(("NONE",)), ports={80: 1}))) == "its port"
    )
    assert str(default_condition(Pretended())) == "its start"
