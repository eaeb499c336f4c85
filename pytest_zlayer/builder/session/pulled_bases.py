"""The base images of a session's builds: found by the hook, or pulled."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_zlayer.builder.plan.build_plan import BuildPlan
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.builder.stopping import Interrupted
from pytest_zlayer.builder.store.base_images import BaseImages
from pytest_zlayer.builder.store.pull_watch import PullWatch
from pytest_zlayer.choices import PullMode
from pytest_zlayer.events import Event


class PulledBases:
    """Finds and pulls base images for one session.

    Args:
        resources: engine, cache and transfers.
        tell: receives events.
        resolve: the hook for base images.
        stop: set when the session ends.

    Attributes:
        resolved: the base images that the hook has put in the place of others.
    """

    def __init__(
        self,
        resources: SessionResources,
        *,
        tell: Callable[[Event], None],
        resolve: Callable[[str], str | None],
        stop: threading.Event,
    ) -> None:
        self._resources = resources
        self._tell = tell
        self._resolve_base = resolve
        self._stop = stop
        self.resolved: dict[str, str] = {}

    def _resolve(self, reference: str) -> str | None:
        """What the hook says of a base image; in a session that debugs, what it said before."""
        found = self._resolve_base(reference) or self.resolved.get(reference)
        if found is not None:
            self.resolved[reference] = found
        return found

    def of(self, plan: BuildPlan, build_id: str) -> BaseImages:
        """The base images of one build."""
        limit = plan.spec.timeout
        deadline = None if limit is None else time.monotonic() + limit

        def check() -> None:
            if self._stop.is_set():
                raise Interrupted

        def pull(
            reference: str,
            shown: str,
            mode: PullMode,
            platform: str | None,
            manifest: Mapping[str, Any] | None,
        ) -> str:
            key = "pull-" + hashlib.sha256(reference.encode()).hexdigest()[:32]
            watch = PullWatch(self._tell, build_id, plan.label, shown, manifest)
            on_size = watch.came if self._resources.options.watched else None

            def once(timeout: float | None) -> str:
                return self._resources.engine.registries.pull(
                    reference, policy=mode, platform=platform, on_line=watch.line,
                    on_size=on_size, timeout=timeout,
                )  # fmt: skip

            with self._resources.cache.locks.hold(key, watch.wait, check):
                watch.begin()
                image_id = self._resources.transfers.do(
                    once, "pull", reference, plan.label, deadline=deadline
                )
            watch.done(lambda: self._resources.engine.images.inspect(image_id).manifest)
            return image_id

        return BaseImages(
            self._resources.engine,
            registry=self._resources.options.registry,
            resolve=self._resolve,
            pull=pull,
            describe=self._resources.describe,
            check=check,
        )
