"""Building outside pytest: one call, one image."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_zlayer.inputs.declarations import Place, declare
from pytest_zlayer.inputs.settings import environment, environment_source, resolve
from pytest_zlayer.lazy import LOADING

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pytest_zlayer.builder.image.built_image import Image
    from pytest_zlayer.inputs.declarations import Context, ImageArguments


def build(context: Context = ".", **arguments: Unpack[ImageArguments]) -> Image:
    """Build an image as ``@pytest.mark.image`` would; it lives until this process ends.

    Settings come from the ``ZLAYER_*`` variables of the environment; relative paths start at the
    working directory. Layers are cached as usual.

    Raises:
        UsageError, DockerfileError: the declaration or its Dockerfile is wrong.
        BuildError: a step failed.
        EngineMissing, EngineUnusable, EngineError: the engine cannot do it.
    """
    with LOADING:
        from pytest_zlayer.builder.session.build_session import BuildSession

    variables = environment()
    settings = resolve([environment_source(variables)], variables=variables)
    here = Path.cwd()
    spec = declare((context,), dict(arguments), place=Place(here, here), what="build")
    session = BuildSession(settings.build_options())
    atexit.register(session.close)
    return session.build(spec)
