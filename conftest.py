"""What every test of this repository may use."""

from __future__ import annotations

pytest_plugins = ["pytester"]
