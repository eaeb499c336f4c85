"""A build's plan: its stages with their keys, what their files come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_zlayer.builder.context.sources import Sources
from pytest_zlayer.builder.copy import Fetch
from pytest_zlayer.builder.copy.remote import Fetched
from pytest_zlayer.builder.execute.build import Build
from pytest_zlayer.builder.model.builder_args import sandbox_hostname
from pytest_zlayer.builder.plan.base_finder import BaseFinder, FoundInputs
from pytest_zlayer.builder.plan.epoch import with_date
from pytest_zlayer.builder.plan.steps import PlanSettings, StagePlan, StagePlanner
from pytest_zlayer.builder.session.remote_date import fetch_date
from pytest_zlayer.builder.session.resources import SessionResources
from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.dockerfile.operations.kinds import CopyOperation
from pytest_zlayer.dockerfile.stages.resolve import StageGraph
from pytest_zlayer.dockerfile.values.credentials import redacted
from pytest_zlayer.lazy import LOADING, once

if TYPE_CHECKING:
    from pytest_zlayer.builder.context.fetch import Fetcher


@dataclass(frozen=True, slots=True)
class Planned:
    """The stages of a build with their keys, and what their files come from."""

    graph: StageGraph
    plans: Mapping[int, StagePlan]
    sources: Sources


class Planning:
    """Plans builds, and holds what their files come from until the session ends."""

    def __init__(self, resources: SessionResources) -> None:
        self._resources = resources
        self._sources: list[Sources] = []

    def plan(self, build: Build, graph: StageGraph) -> Planned:
        """The plan of ``build``; base images are found or pulled, sources fetched."""
        spec, fetch = build.plan.spec, self._fetcher(build)
        if build.plan.remote_date is not None:
            build.source_date_epoch = fetch_date(build.plan.remote_date, fetch)
            graph = with_date(graph, build.source_date_epoch)
        found = BaseFinder(
            build.bases,
            spec.pull or "missing",
            spec.platform,
            may_spare=self._resources.may_spare if not spec.no_cache else lambda *_: False,
        )
        sources = Sources(
            spec,
            base_image=found.image,
            mounted=build.views,
            digests=build.digests,
            scratch=build.fresh_path,
            fetch=fetch,
            remote=lambda url: self._resources.remote_contexts.get(url, spec, build.plan.label),
            check=build.check,
        )
        settings = PlanSettings(
            cache_mounts=spec.cache_mounts,
            network=spec.network,
            platform=str(build.platform),
            scope=build.options.cache_scope,
            source_date_epoch=build.source_date_epoch,
            limits=tuple(spec.run_limits().items()),
            hostname=sandbox_hostname(spec.build_args),
        )
        planner = StagePlanner(graph, FoundInputs(found, sources, graph), settings)
        self._sources.append(sources)
        plans = planner.plan()
        self._resources.cache.note_bases(found.references())
        for one in plans.values():  # what is in daily use must not count as old
            self._resources.cache.touch_known(step.key for step in one.steps)
        return Planned(graph, plans, sources)

    def _fetcher(self, build: Build) -> Fetch:
        """Gets URLs and git sources; what that takes is loaded with the first of them."""

        @once
        def fetcher() -> Fetcher:
            with LOADING:
                from pytest_zlayer.builder.session.remote_contexts import new_fetcher

            return new_fetcher(
                build.plan.spec,
                build.fresh_path("fetched"),
                process=self._resources.engine.process,
                environment=build.options.environment,
                check=build.check,
            )

        def fetch(source: str, operation: CopyOperation) -> Fetched:
            get = fetcher()
            return self._resources.transfers.do(
                lambda _: get(source, operation), "fetch", redacted(source), build.plan.label
            )

        return fetch

    def close(self) -> None:
        """Give back what files come from."""
        for sources in self._sources:
            sources.close()
