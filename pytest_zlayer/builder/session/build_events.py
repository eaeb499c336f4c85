"""The events of one build, from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.builder.plan.build_plan import BuildPlan
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.dockerfile.stages.graph import stage_label
from pytest_zlayer.events import BuildComplete, BuildFailed, BuildStarted, Event


class BuildEvents:
    """Tells of one build; its time is counted from now on.

    Args:
        tell: receives the events.
        plan: what is built.
        build_id: in each event.
        same: equal for builds of this run that give the same image.
    """

    def __init__(
        self, tell: Callable[[Event], None], plan: BuildPlan, build_id: str, same: str
    ) -> None:
        self._tell = tell
        self._plan = plan
        self._build_id = build_id
        self._same = same
        self._since = time.monotonic()

    def started(self, *, layers_only: bool = False) -> None:
        """It has begun; ``layers_only``: no image will come of it."""
        plan, graph = self._plan, self._plan.graph
        self._tell(
            BuildStarted(
                build_id=self._build_id,
                image=plan.label,
                stages=plan.stage_labels(),
                dockerfile=plan.dockerfile_path if graph else "",
                graph=plan.stage_infos(),
                target=stage_label(graph.nodes[graph.target].stage) if graph else "",
                platform=plan.spec.platform or (str(graph.platform) if graph else ""),
                same=self._same,
                layers_only=layers_only,
            )
        )

    def complete(self, image_id: str, *, cached: bool) -> None:
        """It has succeeded; ``image_id`` is empty where only layers were made."""
        self._tell(
            BuildComplete(
                build_id=self._build_id,
                image=self._plan.label,
                image_id=image_id,
                seconds=time.monotonic() - self._since,
                cached=cached,
            )
        )

    def failed(self, error: BaseException) -> None:
        """It has failed, or was to stop."""
        self._tell(
            BuildFailed(
                build_id=self._build_id,
                image=self._plan.label,
                message=str(error) or type(error).__name__,
                seconds=time.monotonic() - self._since,
                interrupted=was_interrupted(error),
            )
        )


def was_interrupted(error: BaseException) -> bool:
    """Whether a build ended because it was to stop, wherever that met it."""
    if isinstance(error, EngineError):
        return error.interrupted
    return isinstance(error, Interrupted)
