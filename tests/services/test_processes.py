"""Signals by their names."""

from __future__ import annotations

import pytest

from pytest_zlayer.errors import UsageError
from pytest_zlayer.services.processes import signal_number


@pytest.mark.parametrize("name", ["SIGTERM", "TERM", "sigterm", "15", 15])
def test_a_signal_has_several_names(name):
    assert signal_number(name) == 15


@pytest.mark.parametrize("name", ["FOO", "", "0", 999, "SIG_DFL", None, "²", "9" * 5000])
def test_what_is_no_signal_is_refused(name):
    with pytest.raises(UsageError) as caught:
        signal_number(name)
    assert str(caught.value) == f'there is no signal {name!r}\nhint: such as "SIGTERM"'
