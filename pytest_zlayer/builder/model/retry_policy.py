"""A retry policy: the number of attempts with the pauses between them."""

from __future__ import annotations

import random

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Extra attempts and the pauses before them.

    Attributes:
        retries: attempts after the first one.
        delay: seconds before the first retry.
        backoff: factor from one pause to the next; 1 keeps it fixed.
        max_delay: seconds no pause exceeds.
        jitter: share of the pause that is random when ``backoff`` is not 1 (0.25: up to a quarter
            more), so that many workers do not ask one registry at the same moments.
    """

    retries: int = 0
    delay: float = 3.0
    backoff: float = 1.0
    max_delay: float = 60.0
    jitter: float = 0.25

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the failed ``attempt`` (counted from 1)."""
        seconds = min(self.delay * self.backoff ** (attempt - 1), self.max_delay)
        if self.backoff == 1.0:
            return seconds
        # Room for the random share, also in the longest pauses: they would all be the same.
        share = 1 + random.random() * self.jitter  # noqa: S311  # spreads load, no secret
        return min(seconds, self.max_delay / (1 + self.jitter)) * share


# As BuildKit does: after 1, 2 and 4 seconds.
TRANSFERS = RetryPolicy(retries=3, delay=1.0, backoff=2.0, max_delay=8.0)
