"""What the second build of the same input does, and what it does not."""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_zlayer.buildah.engine import Engine
from pytest_zlayer.builder.cache.layer_cache import LayerCache
from pytest_zlayer.builder.cache.shrink import shrink
from pytest_zlayer.builder.execute import pending_layers
from pytest_zlayer.builder.execute.executor import Executor
from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.session.build_session import BuildSession, SessionClosed
from pytest_zlayer.builder.session.prune import list_store, prune
from pytest_zlayer.events import BuildComplete, Event, StageComplete, StepStarted
from tests.engine.building import building, make_options, write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.waiting import PATIENCE, wait_until

TEXT = f"""\
FROM {BUSYBOX} AS base
RUN echo base > /base
FROM base AS builder
COPY src /src
RUN cat /src/* > /all
FROM base
COPY --from=builder /all /all
RUN wc -l /all > /count
CMD ["cat", "/count"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with two files."""
    return write_files(tmp_path / "context", {"src/a": "a\n", "src/b": "b\n", "other": "o\n"})


@pytest.fixture
def cached(own_storage: Storage, context: Path, tmp_path: Path) -> Storage:
    """A storage in which ``TEXT`` was built once."""
    add_busybox(own_storage, tmp_path / "busybox")
    with building(own_storage) as builds:
        builds.build(TEXT, context)
        assert len(builds.executed()) == 5
    return own_storage


def test_the_second_build_runs_nothing(cached: Storage, context: Path) -> None:
    with building(cached) as builds:
        image = builds.build(TEXT, context)

        assert builds.executed() == []
        assert image.build.cached
        assert image.run().stdout == "2 /all\n"


def test_the_same_input_gives_the_same_image(cached: Storage, context: Path) -> None:
    ids = set()
    for _ in range(2):
        with building(cached) as builds:
            ids.add(builds.build(TEXT, context).id)

    assert len(ids) == 1


def test_a_changed_file_rebuilds_from_where_it_is_read(cached: Storage, context: Path) -> None:
    (context / "src" / "a").write_text("changed\n")
    with building(cached) as builds:
        image = builds.build(TEXT, context)

        assert builds.executed() == [
            "COPY src /src",
            "RUN cat /src/* > /all",
            "COPY --from=builder /all /all",
            "RUN wc -l /all > /count",
        ]
        assert image.path("/all").read_text() == "changed\nb\n"


def test_a_file_nobody_copies_changes_nothing(cached: Storage, context: Path) -> None:
    (context / "other").write_text("changed\n")
    with building(cached) as builds:
        builds.build(TEXT, context)

        assert builds.executed() == []


def test_times_are_not_read_but_modes_are(cached: Storage, context: Path) -> None:
    os.utime(context / "src" / "a", (1, 1))
    with building(cached) as builds:
        builds.build(TEXT, context)
        assert builds.executed() == []

    (context / "src" / "a").chmod(0o700)
    with building(cached) as builds:
        builds.build(TEXT, context)
        assert builds.executed()[0] == "COPY src /src"


def test_a_changed_instruction_rebuilds_what_follows(cached: Storage, context: Path) -> None:
    with building(cached) as builds:
        builds.build(TEXT.replace("wc -l", "wc -c"), context)

        assert builds.executed() == ["RUN wc -c /all > /count"]


def test_metadata_reaches_only_the_commands_that_see_it(cached: Storage, context: Path) -> None:
    with building(cached) as builds:
        builds.build(TEXT.replace("RUN wc", "LABEL new=1\nRUN wc"), context)
        assert builds.executed() == []

    with building(cached) as builds:
        builds.build(TEXT.replace("RUN wc", "ENV NEW=1\nRUN wc"), context)
        assert builds.executed() == ["RUN wc -l /all > /count"]


def keys(storage: Storage) -> set[str]:
    """The names in a storage, of cached layers only what they were made from."""
    names = {name.partition("/cache:")[2] or name for name in storage.image_names()}
    return {name.removeprefix("part-").partition(".")[0] for name in names}


def test_no_cache_runs_everything(cached: Storage, context: Path) -> None:
    before = keys(cached)
    with building(cached, no_cache=True) as builds:
        builds.build(TEXT, context)

        assert len(builds.executed()) == 5
    assert keys(cached) == before


def test_sessions_side_by_side_leave_no_nameless_layers(
    own_storage: Storage, context: Path, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    sessions = [BuildSession(make_options(own_storage)) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        for future in [
            pool.submit(session.build, ImageSpec(text=TEXT, context=context))
            for session in sessions
        ]:
            future.result()
    for session in sessions:
        session.close()

    names = own_storage.image_names()
    assert len(names) == len(set(names))
    assert all("/" in name for name in names)


def test_a_failed_build_resumes_where_it_failed(cached: Storage, context: Path) -> None:
    broken = TEXT.replace("RUN wc", "RUN echo new > /new\nRUN exit 1\nRUN wc")
    for expected in (["RUN echo new > /new"], []):
        with building(cached) as builds:
            with pytest.raises(BuildError):
                builds.build(broken, context)
            assert builds.executed() == expected


def test_only_cached_layers_survive_the_session(cached: Storage, context: Path) -> None:
    assert not any(cached.leftovers().values())
    assert all(
        name.startswith("localhost/zlayer/cache:") or name == BUSYBOX
        for name in cached.image_names()
    )


def test_a_session_cache_ends_with_the_session(own_storage: Storage, tmp_path: Path) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    with building(own_storage, cache="session") as builds:
        builds.build(f"FROM {BUSYBOX}\nRUN echo > /x\n")

    assert own_storage.image_names() == [BUSYBOX]


def test_all_layers_go_when_the_cache_may_hold_nothing(cached: Storage) -> None:
    before = [item for item in list_store(make_options(cached)) if item.kind == "cache"]

    removed = prune(make_options(cached, cache_max_size=0))

    assert {item.name for item in removed} == {item.name for item in before}
    assert cached.image_names() == [BUSYBOX]


def test_the_layer_used_last_is_the_last_to_go(own_storage: Storage, tmp_path: Path) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    older, newer = (
        f"FROM {BUSYBOX}\nRUN dd if=/dev/zero of=/{name} bs=1M count=8\n" for name in "ab"
    )
    for text in (older, newer):
        with building(own_storage) as builds:
            builds.build(text)

    prune(make_options(own_storage, cache_max_size=12_000_000))

    with building(own_storage) as builds:
        builds.build(newer)
        assert builds.executed() == []
        builds.build(older)
        assert len(builds.executed()) == 1


def test_layers_that_just_fit_stay(cached: Storage, tmp_path: Path) -> None:
    engine = cached.open()
    cache = LayerCache(engine, tmp_path / "cache", "session")
    sizes: dict[str, int] = {}
    for entry in cache.entries():
        sizes.update(cache.layer_sizes(entry))
    total = sum(sizes.values())
    assert shrink(cache, math.inf, total) == []
    assert shrink(cache, math.inf, total - 1) != []
    cache.close()
    engine.close()


def test_layers_another_session_has_used_are_kept(cached: Storage, context: Path) -> None:
    with building(cached) as builds:
        builds.build(TEXT, context)
        prune(make_options(cached, cache_max_size=0))

    with building(cached) as builds:
        builds.build(TEXT.replace("wc -l", "wc -c"), context)
        assert builds.executed() == ["RUN wc -c /all > /count"]


def test_prune_removes_nothing_of_others(cached: Storage) -> None:
    cached.buildah("tag", BUSYBOX, "localhost/zlayer-not-ours:1", "docker.io/zlayer/cache:1")
    others = {BUSYBOX, "localhost/zlayer-not-ours:1", "docker.io/zlayer/cache:1"}

    prune(make_options(cached), everything=True)

    assert set(cached.image_names()) == others


def test_a_cached_layer_that_is_damaged_is_rebuilt(cached: Storage, context: Path) -> None:
    for layer in (cached.root / "overlay").glob("*/diff/count"):
        shutil.rmtree(layer.parent)
    with building(cached) as builds:
        image = builds.build(TEXT.replace("CMD", "RUN cat /count > /twice\nCMD"), context)

        assert image.path("/twice").read_text() == "2 /all\n"


def test_steps_put_into_the_store_together_are_found_one_by_one(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    text = f"FROM {BUSYBOX}\nRUN echo 1 > /one\nRUN echo 2 > /two\nRUN echo 3 > /three\n"
    with building(own_storage) as builds:
        builds.build(text)
    with building(own_storage) as builds:
        image = builds.build(text.replace("echo 2", "echo two"))
        assert builds.executed() == ["RUN echo two > /two", "RUN echo 3 > /three"]
        assert image.path("/one").read_text() == "1\n"
        assert image.path("/two").read_text() == "two\n"
    prune(make_options(own_storage), cache=True)
    assert own_storage.image_names() == [BUSYBOX]


def test_image_that_was_built_ahead_is_only_named(
    own_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a slow machine the layer could come into the store before the image is complete.
    monkeypatch.setattr(pending_layers, "_GATHERING", PATIENCE)
    add_busybox(own_storage, tmp_path / "busybox")
    spec = ImageSpec(text=f"FROM {BUSYBOX}\nRUN echo 1 > /one\nENV A=1\n", labels={"a": "b"})
    with building(own_storage) as ahead, building(own_storage) as builds:
        ahead.session.prebuild([spec], layers_only=True)

        def complete() -> bool:
            return any(isinstance(one, BuildComplete) for one in ahead.events)

        wait_until(complete, "the layers are there")
        before = image_ids(own_storage)
        image = builds.session.build(spec)
        assert builds.executed() == []
        assert image.id in before
        assert image_ids(own_storage) == before


def test_layer_of_two_sessions_leaves_no_image_without_a_name(
    own_storage: Storage, tmp_path: Path
) -> None:
    """One finishes while the other, which has found nothing in the cache, composes the same."""
    add_busybox(own_storage, tmp_path / "busybox")
    context = write_files(tmp_path / "context", {"file": "content"})
    spec = ImageSpec(text=f"FROM {BUSYBOX}\nCOPY file /\n", context=context)
    other = replace(spec, labels={"other": "image"})
    begun, finished = threading.Event(), threading.Event()

    def wait(event: Event) -> None:
        if isinstance(event, StepStarted):
            begun.set()
            finished.wait(PATIENCE)

    late = BuildSession(make_options(own_storage), listener=wait)
    with building(own_storage) as builds:
        late.prebuild([other], layers_only=True)
        assert begun.wait(PATIENCE)
        builds.session.prebuild([spec], layers_only=True)
        wait_until(lambda: cached_names(own_storage), "the first is finished")
        finished.set()
        assert late.build(other).path("/file").read_text() == "content"
        late.close()
    assert [name for name in own_storage.image_names() if name.startswith("sha256:")] == []
    with building(own_storage) as builds:
        assert builds.session.build(spec).build.cached


def test_layer_below_others_can_be_the_last_of_an_image(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    text = f"FROM {BUSYBOX}\nRUN echo 1 > /one\nRUN echo 2 > /two\n"
    with building(own_storage) as builds:
        builds.build(text)
    with building(own_storage) as builds:
        image = builds.build(text.replace("RUN echo 2 > /two\n", ""))
        assert builds.executed() == []
        assert image.path("/one").exists()
        assert not image.path("/two").exists()
        assert len(image.layers) == 2


def test_configuration_of_an_image_stays_with_it(own_storage: Storage, tmp_path: Path) -> None:
    """Its layers are taken from it; what they are to be built on has no ENV, VOLUME or ONBUILD."""
    add_busybox(own_storage, tmp_path / "busybox")
    first = f"FROM {BUSYBOX}\nRUN echo 1 > /one\n"
    more = "ENV LEAK=1\nVOLUME /data\nUSER 1000\nONBUILD RUN touch /triggered\n"
    with building(own_storage) as builds:
        builds.build(first + more)
        assert len(image_ids(own_storage)) == 2  # busybox, and the image with the layers
    with building(own_storage) as builds:
        image = builds.build(f"{first}RUN env > /env; mkdir /data; echo stays > /data/file\n")
        assert builds.executed() == ["RUN env > /env; mkdir /data; echo stays > /data/file"]
        assert "LEAK" not in image.path("/env").read_text()
        assert image.path("/data/file").read_text() == "stays\n"
        assert not image.path("/triggered").exists()
        assert image.path("/one").exists()


def test_files_are_copied_from_the_image_that_was_built_of_a_stage(
    own_storage: Storage, tmp_path: Path
) -> None:
    """No container is made for that: the one in which the stage was built is still there."""
    add_busybox(own_storage, tmp_path / "busybox")
    text = f"FROM {BUSYBOX} AS tools\nRUN echo tool > /tool\n"
    with building(own_storage) as builds:
        builds.build(text)
        [container] = [one.name for one in builds.session.engine.containers()]
        image = builds.build(f"{text}FROM scratch\nCOPY --from=tools /tool /\n")
        assert [one.name for one in builds.session.engine.containers()] == [container]
        assert image.path("/tool").read_text() == "tool\n"


@pytest.mark.parametrize("variable", ["/new", "$WHERE"])
def test_history_does_not_tell_what_came_from_the_cache(
    own_storage: Storage, tmp_path: Path, variable: str
) -> None:
    """Some WORKDIRs make a layer and some do not; they may be written in another way, too."""
    add_busybox(own_storage, tmp_path / "busybox")
    text = (
        f"FROM {BUSYBOX}\nARG WHERE=/new\nWORKDIR /tmp\nWORKDIR {{}}\nWORKDIR sub\nWORKDIR /tmp\n"
        "RUN echo 1 > /one\nCMD {}\n"
    )
    with building(own_storage) as builds:
        builds.build(text.format("/new", "first"))
    with building(own_storage) as builds:
        cached = builds.build(text.format(variable, "second"))
        assert builds.executed() == []
        fresh = builds.build(text.format(variable, "second"), no_cache=True, name="fresh")
        reported = []
        for image in (cached, fresh):
            history = builds.session.engine.images.inspect(image.id).config["history"]
            reported.append([(one["created_by"], "empty_layer" in one) for one in history])
    assert reported[0] == reported[1]
    empty = [made for made, nothing in reported[0] if made.startswith("WORKDIR") and nothing]
    assert empty == ["WORKDIR /tmp", "WORKDIR /tmp"]


def test_finished_step_is_in_the_store_while_the_next_one_runs(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    text = f"FROM {BUSYBOX}\nRUN echo 1 > /one\nRUN sleep 600\n"
    with building(own_storage) as builds, ThreadPoolExecutor() as pool:
        running = pool.submit(builds.build, text)
        wait_until(lambda: running.done() or cached_names(own_storage), "the layer is there")
        assert not running.done()
        builds.session.interrupt()
        with pytest.raises(SessionClosed):
            running.result()
    with building(own_storage) as builds:
        builds.build(text.replace("RUN sleep 600", "RUN true"))
        assert builds.executed() == ["RUN true"]


class LateTimer(threading.Timer):
    """One that is late, as on a busy machine."""

    def __init__(self, interval: float, function: Callable[[], object]) -> None:
        super().__init__(interval + 2.0, function)


def test_stage_without_layers_on_one_whose_layers_are_not_stored_yet(
    own_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    monkeypatch.setattr(threading, "Timer", LateTimer)
    with building(own_storage) as builds:
        text = f"FROM {BUSYBOX} AS base\nRUN echo 1 > /one\nFROM base\nLABEL only=metadata\n"
        assert builds.build(text).path("/one").read_text() == "1\n"


@pytest.mark.parametrize("last", ["RUN echo 1 > /one", "LABEL only=metadata"])
def test_an_unchanged_image_takes_no_process(
    own_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    buildah, log = logging_buildah(own_storage, tmp_path)
    text = f"FROM {BUSYBOX} AS base\nRUN true\nENV A=1\nFROM base\n{last}\n"
    with building(own_storage, buildah=buildah) as builds:
        first = builds.build(text).id
    assert log.read_text(encoding="utf-8") != ""
    log.write_text("", encoding="utf-8")
    # Nor is anything executed: it is found by its id.
    monkeypatch.setattr(Executor, "execute", lambda _: pytest.fail("it is built again"))
    with building(own_storage, buildah=buildah) as builds:
        image = builds.build(text)
        assert (image.id, image.config.env["A"], image.build.cached) == (first, "1", True)
        assert own_storage.temporary_files() == []
        assert builds.events[0].same == builds.session.identity(ImageSpec(text=text))  # type: ignore[union-attr]
        stages = [one.stage for one in builds.events if isinstance(one, StageComplete)]
        assert sorted(stages) == ["base", "stage-1"]
    assert log.read_text(encoding="utf-8") == ""
    with building(own_storage, buildah=buildah) as builds:
        assert builds.build(text).run(["cat", "/proc/1/comm"]).exit_code == 0


def test_an_unchanged_image_that_others_have_removed_is_built_again(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    text = f"FROM {BUSYBOX}\nRUN echo 1 > /one\n"
    with building(own_storage) as builds:
        image = builds.build(text)
        assert image.name in own_storage.image_names()
    own_storage.buildah("rmi", "--force", image.id)
    with building(own_storage) as builds:
        assert builds.build(text).path("/one").read_text() == "1\n"
        assert builds.executed() == ["RUN echo 1 > /one"]


def test_what_others_have_removed_leaves_no_note_of_its_use(
    own_storage: Storage, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    used = own_storage.root / "zlayer" / "cache" / "used"
    with building(own_storage) as builds:
        image = builds.build(f"FROM {BUSYBOX}\nRUN echo 1 > /one\n")
        assert list(used.iterdir()) != []
        own_storage.buildah("rmi", "--force", image.id)
    assert list(used.iterdir()) == []


def test_prune_leaves_the_images_of_a_session_that_lives(cached: Storage, context: Path) -> None:
    with building(cached) as builds:
        image = builds.build(TEXT, context)
        prune(make_options(cached), cache=True)
        assert image.run().stdout == "2 /all\n"
    prune(make_options(cached), cache=True)
    assert cached.image_names() == [BUSYBOX]


def test_a_cache_nobody_adds_to_is_not_looked_through_each_time(
    cached: Storage, context: Path
) -> None:
    unused = cached.root / "zlayer" / "cache" / "mounts" / "unused"
    unused.mkdir()
    os.utime(unused, (1, 1))
    with building(cached) as builds:
        builds.build(TEXT, context)
    assert unused.exists()
    with building(cached) as builds:
        builds.build(TEXT.replace("wc -l", "wc -c"), context)
    assert not unused.exists()


def test_other_limits_are_kept_at_once(cached: Storage, context: Path) -> None:
    with building(cached, cache_max_size=0):
        pass
    with building(cached, cache_max_size=0) as builds:
        assert builds.session.engine.images.all() != ()
    assert cached_names(cached) == []


def logging_buildah(storage: Storage, directory: Path) -> tuple[str, Path]:
    """A buildah that notes each of its calls, and the file it notes them in."""
    program, log = directory / "buildah", directory / "calls"
    program.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {storage.binary} "$@"\n')
    program.chmod(0o755)
    return str(program), log


def image_ids(storage: Storage) -> set[str]:
    listed = storage.buildah("images", "--all", "--quiet", "--no-trunc").split()
    return {one.removeprefix("sha256:") for one in listed}


def cached_names(storage: Storage) -> list[str]:
    return [name for name in storage.image_names() if name.startswith("localhost/zlayer/cache:")]


def test_announced_layers_are_put_into_the_store_when_they_are_looked_for(
    engine: Engine, tmp_path: Path
) -> None:
    cache = LayerCache(engine, tmp_path, "session")
    delivered: list[str] = []
    cache.announce(["key"], lambda: delivered.append("key"))
    assert cache.has("key")
    assert (cache.find_stored("key"), delivered) == (None, [])
    assert (cache.find("key"), delivered) == (None, ["key"])
    cache.withdraw(["key"])
    assert (cache.find("key"), delivered) == (None, ["key"])
    assert not cache.has("key")
    cache.close()
