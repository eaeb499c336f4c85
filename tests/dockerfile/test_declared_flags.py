"""A flag needs one declaration: what the parser reads is what the operation gets."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_zlayer.dockerfile import Add, Copy, Run
from pytest_zlayer.dockerfile.declared_flags import flags_of, written_name
from pytest_zlayer.dockerfile.instructions import From, HealthProbe
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation, RunOperation
from pytest_zlayer.dockerfile.parser.flags import FLAGS


@pytest.mark.parametrize(
    ("holder", "names"),
    [
        (From, "platform"),
        (Copy, "from chown chmod link parents exclude"),
        (Add, "chown chmod link keep-git-dir checksum unpack exclude"),
        (Run, "mount network security device"),
        (HealthProbe, "interval timeout start-period start-interval retries"),
    ],
)
def test_flags_are_called_after_their_fields(holder: type, names: str) -> None:
    declared = flags_of(holder).items()
    assert [written_name(field, one) for field, one in declared] == names.split()
    assert names.split() in [list(one) for one in FLAGS.values()]


@pytest.mark.parametrize(
    ("instruction", "operation"), [(Copy, CopyOperation), (Add, CopyOperation), (Run, RunOperation)]
)
def test_every_flag_is_a_field_of_the_operation(instruction: type, operation: type) -> None:
    """Devices apart, which are refused before there is an operation."""
    fields = {field.name for field in dataclasses.fields(operation)}
    assert set(flags_of(instruction)) - fields <= {"devices"}
