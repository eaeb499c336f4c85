"""Words that several rooms let users choose from; each list is written here and nowhere else."""

from __future__ import annotations

from typing import Literal, get_args

NetworkMode = Literal["default", "none", "host"]
PullMode = Literal["missing", "newer", "always", "never"]

NETWORK_MODES: tuple[NetworkMode, ...] = get_args(NetworkMode)
PULL_MODES: tuple[PullMode, ...] = get_args(PullMode)
