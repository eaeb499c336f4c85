"""How hints call what a user can give: as Python does, or as the command line does."""

from __future__ import annotations

from pytest_zlayer.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """Hints, with a place for a name in braces.

    Attributes:
        secret, ssh: what to give for a secret or an agent that a RUN requires.
        timeout: how a build gets more time.
    """

    secret: str = "declare it: secrets={{{0!r}: 'path/or/env:NAME'}}"  # noqa: S105 (no password)
    ssh: str = "declare it: ssh={{{0!r}: '/path/of/the/agent.sock'}}"
    timeout: str = "raise timeout= on the declaration or --zlayer-timeout"


COMMAND_LINE = Wording(
    secret="give it: --secret id={0},src=FILE or --secret id={0},env=NAME",  # noqa: S106 (no password)
    ssh="give it: --ssh {0} or --ssh {0}=SOCKET",
    timeout="raise --timeout",
)
