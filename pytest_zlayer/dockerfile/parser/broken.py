"""What could be read of a Dockerfile in which an instruction makes no sense."""

from __future__ import annotations

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.written import Instruction


@dataclass(frozen=True, slots=True)
class BrokenDockerfile:
    """A Dockerfile that failed in phase ``instruction``.

    Attributes:
        check: what a builder reads from the directive ``check``, as of a ``Dockerfile``.
        lines: all instructions in file order; one that was refused is a plain ``Instruction``.
        instructions: those BuildKit reads: the first that is wrong is the last of them.
        error: what is wrong with each line.
    """

    check: str | None
    lines: tuple[Instruction, ...]
    instructions: tuple[Instruction, ...]
    error: DockerfileError
