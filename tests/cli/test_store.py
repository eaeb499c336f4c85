"""``ps`` and ``prune``: how what is in the store is shown; tests/engine looks into a real one."""

from __future__ import annotations

from pytest_zlayer.builder.session.prune import StoreItem
from pytest_zlayer.cli.store import table


def test_items_are_shown_aligned_with_sizes_and_ages():
    items = [
        StoreItem("kept image", "localhost/a:1", "0", 1_500_000, None),
        StoreItem("cache", "localhost/cache:key", "1", 999, 7200.0),
        StoreItem("kept container", "zl", "2", 0, 30.0),
    ]
    assert table(items) == [
        "KIND            NAME                   SIZE  AGE",
        "kept image      localhost/a:1        1.5 MB",
        "cache           localhost/cache:key   999 B  2 h",
        "kept container  zl                           30 s",
    ]
