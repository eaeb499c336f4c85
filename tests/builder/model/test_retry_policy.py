"""Pauses before retries."""

from __future__ import annotations

import random

import pytest

from pytest_zlayer.builder.model.retry_policy import RetryPolicy


@pytest.fixture(params=[0.0, 0.5, 0.999])
def share(request, monkeypatch):
    """How much of the random share is used."""
    monkeypatch.setattr(random, "random", lambda: request.param)
    return request.param


def test_pauses_grow_by_the_factor_and_a_random_share(share):
    policy = RetryPolicy(delay=1, backoff=2, max_delay=60)
    assert [policy.pause(number) for number in (1, 2, 3)] == pytest.approx(
        [one * (1 + share / 4) for one in (1, 2, 4)]
    )


def test_no_pause_exceeds_the_limit(share):
    policy = RetryPolicy(delay=1, backoff=2, max_delay=60)
    assert policy.pause(7) == pytest.approx(48 * (1 + share / 4))
    assert max(policy.pause(number) for number in range(1, 100)) <= 60


def test_pauses_of_one_length_have_no_random_share(share):
    assert RetryPolicy(delay=90, max_delay=60).pause(3) == 60
    assert RetryPolicy(delay=5, max_delay=60).pause(3) == 5
