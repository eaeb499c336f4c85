"""The configuration and history of a stage's image, from its plan and the layers it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_zlayer.builder.oci.chain import Chain, HistoryEntry, timestamp_text
from pytest_zlayer.builder.oci.config import config_json
from pytest_zlayer.builder.plan.steps import StagePlan, Step
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import WorkdirOperation

if TYPE_CHECKING:
    from pytest_zlayer.builder.execute.build import Build


def final_config(build: Build, plan: StagePlan) -> ImageConfig:
    """The configuration of a finished stage with the declaration's labels and platform."""
    config, platform = plan.state.config, build.platform
    return replace(
        config,
        labels={**config.labels, **build.plan.spec.labels},
        architecture=config.architecture or platform.architecture,
        os=config.os or platform.os,
        variant=config.variant or platform.variant,
    )


def image_content(build: Build, config: ImageConfig, chain: Chain) -> Mapping[str, Any]:
    """The JSON of an image of this configuration and these layers."""
    created = max((one.created for one in chain.history), default=timestamp_text(0))
    if build.source_date_epoch is not None:
        created = timestamp_text(build.source_date_epoch)
    return config_json(config, chain, created=created)


def tell_history(base: Chain, raw: Chain, steps: tuple[Step, ...], now: str) -> Chain:
    """The history of a stage, one entry an instruction, in docker's manner.

    ``raw`` is what the store knows: which layers there are on top of ``base``, when they were made,
    and what was done for each.
    """
    made = [entry for entry in raw.history if not entry.empty][len(base.layers) :]
    layers = list(raw.layers[len(base.layers) :])
    chain, latest = base, max((entry.created for entry in base.history), default=now)
    for step in steps:
        if made and _made_layer(step, made[0]):
            latest = made.pop(0).created
            chain = chain.add(layers.pop(0), HistoryEntry(step.history, latest))
        else:
            chain = chain.note(HistoryEntry(step.history, latest))
    return chain


def _made_layer(step: Step, entry: HistoryEntry) -> bool:
    """Whether the next layer is that of ``step``: of the others, only a WORKDIR may need none."""
    if isinstance(step.operation, WorkdirOperation):
        return entry.created_by == step.history
    return step.makes_layer
