"""FROM lines, expanded with the global scope: what each of them names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.errors import Diagnostic
from pytest_zlayer.dockerfile.instructions import From, Stage
from pytest_zlayer.dockerfile.stages.graph import Base
from pytest_zlayer.dockerfile.stages.scope import GlobalScope, Reading, part_of, read_word
from pytest_zlayer.dockerfile.stages.sources import SCRATCH, find_context, reference_problem
from pytest_zlayer.dockerfile.values.platforms import Platform, parse_platform
from pytest_zlayer.dockerfile.values.suggest import suggest


@dataclass(slots=True)
class BaseReader:
    """Resolves FROM lines one after the other: each sees only the stages above it.

    Attributes:
        problems: what was wrong with the lines read so far.
        replaced: stages whose place a named context takes, index to the context's name.
        names: stage name to index so far; a repeated name means the latest stage.
    """

    scope: GlobalScope
    escape: str
    contexts: Collection[str]
    host: Platform
    problems: list[Diagnostic] = field(default_factory=list)
    replaced: dict[int, str] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)

    def read(self, stage: Stage) -> Base:
        """What ``stage`` is built from; when that is not clear, a problem and scratch."""
        instruction = stage.from_
        platform = self._platform(instruction)
        base = self._base(stage, self._image(instruction))
        if stage.name is not None:
            self.names[stage.name] = stage.index
        return replace(base, platform=platform)

    def _image(self, instruction: From) -> str | None:
        word = instruction.image
        reading = read_word(word.value, self.scope.values, self.escape)
        if self._depends_on_broken(reading):
            return None
        if reading.error is not None:
            self.problems.append(Diagnostic(reading.error, part_of(word, *reading.fault)))
        elif not reading.value:
            message = f"base name ({word.value}) should not be blank"
            self.problems.append(Diagnostic(message, word.span, self._blank_hint(reading)))
        return reading.value or None

    def _blank_hint(self, reading: Reading) -> str | None:
        if not reading.missing:
            return None
        name = reading.missing[0]
        meant = suggest(name, sorted(self.scope.declared))
        if meant:
            return f"did you mean ${meant}?"
        if name in self.scope.declared:
            return f"ARG {name} has no default: pass it as a build argument or give it one"
        return f"declare ARG {name} before the first FROM"

    def _platform(self, instruction: From) -> str | None:
        word = instruction.platform
        if word is None or not word.value:
            return None
        reading = read_word(word.value, self.scope.values, self.escape)
        if self._depends_on_broken(reading):
            return None
        message, platform = read_platform(word.value, reading, self.scope.values, self.host)
        if message is not None:
            self.problems.append(Diagnostic(message, word.span))
        return None if platform is None else str(platform)

    def _base(self, stage: Stage, image: str | None) -> Base:
        if image is None:
            return Base("scratch")
        own = None if stage.name is None else find_context(stage.name, self.contexts)
        if own is not None:
            # Its own base is not used then, and must be a valid name all the same.
            self._check_reference(stage.from_, image)
            self.replaced[stage.index] = own
            return Base("context", own)
        if image in self.names:
            return self._stage_base(self.names[image])
        if image == SCRATCH:
            return Base("scratch")
        return self._outside(stage.from_, image)

    def _stage_base(self, index: int) -> Base:
        if index in self.replaced:
            return Base("context", self.replaced[index])
        return Base("stage", index=index)

    def _outside(self, instruction: From, image: str) -> Base:
        self._check_reference(instruction, image)
        context = find_context(image, self.contexts)
        return Base("image", image) if context is None else Base("context", context)

    def _check_reference(self, instruction: From, image: str) -> None:
        problem = reference_problem(image)
        if problem is not None:
            hint = self._stage_hint(image)
            self.problems.append(Diagnostic(problem, instruction.image.span, hint))

    def _stage_hint(self, image: str) -> str | None:
        # Stage names are stored in lower case, and FROM looks them up as they are written.
        if image.lower() in self.names:
            return f"the stage is called {image.lower()}: FROM finds stages by lower-case name only"
        meant = suggest(image, self.names)
        return f"did you mean stage {meant}?" if meant else None

    def _depends_on_broken(self, reading: Reading) -> bool:
        return any(name in self.scope.broken for name in (*reading.found, *reading.missing))


def read_platform(
    raw: str, reading: Reading, variables: Mapping[str, str], host: Platform
) -> tuple[str | None, Platform | None]:
    """The platform that ``--platform=raw`` names, or BuildKit's message why it names none."""
    if reading.error is not None:
        return f"failed to process arguments for platform : {reading.error}", None
    meant = next((found for name in reading.missing if (found := suggest(name, variables))), None)
    tail = f" (did you mean {meant}?)" if meant else ""
    if not reading.value:
        return f"empty platform value from expression {raw}{tail}", None
    try:
        return None, parse_platform(reading.value, host)
    except ValueError as problem:
        return f"failed to parse platform {raw}: {problem}{tail}", None
