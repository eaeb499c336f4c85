"""The value of ``RUN --device``."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.devices import check_device


@pytest.mark.parametrize(
    "raw",
    [
        "vendor.com/device=a",
        "name=vendor.com/device=a",
        "NAME=vendor.com/device=a,required",
        "vendor.com/device=a,required=false",
        "required,vendor.com/device=a",
        "required=1",
    ],
)
def test_a_device_has_a_name_and_may_be_required(raw: str) -> None:
    check_device(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("name=a,name=b", "device name already set to a"),
        ("a,b", "invalid field 'b' must be a key=value pair"),
        ("a,name", "invalid field 'name' must be a key=value pair"),
        ("a,required=maybe", "invalid value for required: maybe"),
        ("a,color=red", "unexpected key 'color' in 'color=red'"),
        ("a,nam=b", "unexpected key 'nam' in 'nam=b' (did you mean name?)"),
        ("a,Requird=1", "unexpected key 'requird' in 'Requird=1' (did you mean required?)"),
    ],
)
def test_what_names_no_device_is_refused(raw: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        check_device(raw)
    assert str(caught.value) == message


def test_a_broken_list_is_reported() -> None:
    with pytest.raises(ValueError, match=r"^failed to parse csv devices: "):
        check_device('a,"b')
