"""What can be asked of a service while it is waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from pytest_zlayer.builder.image.image_like import ImageLike
from pytest_zlayer.builder.image.log import LogLine
from pytest_zlayer.builder.image.results import RunResult
from pytest_zlayer.services.request import Port

# A condition as people may write it: a function of the service.
Condition: TypeAlias = "Callable[[Any], bool]"


class Waited(Protocol):
    """As much of a service as conditions look at."""

    image: ImageLike
    name: str
    started_at: float

    @property
    def ports(self) -> Any: ...

    @property
    def running(self) -> bool: ...

    @property
    def exit_code(self) -> int | None: ...

    def address(self, port: int | None = None) -> tuple[str, int]: ...

    def port_inside(self, port: int | None = None) -> Port: ...

    def listening(self, port: Port) -> list[str] | None: ...

    def lines_since_start(self) -> list[LogLine]: ...

    def log_text(self) -> list[str]: ...

    def wait_ended(self, seconds: float) -> bool: ...

    def run(
        self, cmd: str | Sequence[str], *, timeout: float | None = None, check: bool = True
    ) -> RunResult: ...
