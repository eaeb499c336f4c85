"""What a session has made is kept or removed when it ends."""

from __future__ import annotations

from pytest_zlayer.builder.cache.cache_mounts import shrink_mounts
from pytest_zlayer.builder.cache.shrink import shrink
from pytest_zlayer.builder.image.kept import Kept, keep_container, keep_image
from pytest_zlayer.builder.session.builds import Builds
from pytest_zlayer.builder.session.resources import SessionResources


def keep_made(
    resources: SessionResources, builds: Builds, *, failed_stay: bool
) -> tuple[Kept, ...]:
    """Give what is to stay a name that no session ends.

    ``failed_stay``: so do the containers of all steps that failed.
    """
    engine, keep, keeping = resources.engine, resources.options.keep, resources.keeping
    kept: list[Kept] = []
    if keep == "all":
        builds.keep_stages()
        tags = [tag for image, _ in builds.images for tag in image.tags]
        for name in (*tags, *resources.store.tags):
            engine.images.unregister(name)
        each = {image.id: image for image, _ in reversed(builds.images)}
        kept += [keep_image(engine, image, image.label) for image in reversed(each.values())]
    elif keep == "failed":
        own = {image.id for image, _ in builds.images}
        kept += [keep_image(engine, *one) for one in keeping.images if one[0].id in own]
    for one in builds.kept_containers:
        label = keeping.label_of(one.error) or (one.error.image if failed_stay else None)
        if label is not None:
            kept.append(keep_container(engine, one.name, label))
    return (*kept, *keeping.kept)


def remove_made(resources: SessionResources, builds: Builds) -> None:
    """Take back the names this session gave; user tags stay on what is kept."""
    prefix, all_stay = resources.prefix, resources.options.keep == "all"
    names = [
        name
        for _, given in builds.images
        for name in given
        if not all_stay or name.startswith(prefix)
    ]
    if not all_stay:
        names += resources.store.tags
    if names:
        resources.engine.images.remove(*dict.fromkeys(names))


def tidy_cache(resources: SessionResources) -> None:
    """Remove from the cache what is old or too much, if that was not done a short while ago."""
    cache, options = resources.cache, resources.options
    cache.remove_added()
    limits = f"{options.cache_max_age} {options.cache_max_size}"
    if cache.is_tidy(limits):
        return
    shrink(cache, options.cache_max_age, options.cache_max_size)
    shrink_mounts(
        cache.mounts_directory,
        resources.engine.process,
        max_age=options.cache_max_age,
        max_size=options.cache_max_size,
        others_began=cache.others_began(),
    )
    cache.note_tidied(limits)
