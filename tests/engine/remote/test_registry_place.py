"""Machines that share layers through a real registry, and what they do when it fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer.buildah.stored_images import StoredImages
from pytest_zlayer.builder.model.cache_place import DirectoryPlace, RegistryPlace
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.builder.remote import lookup
from pytest_zlayer.builder.session.build_session import BuildSession
from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX
from tests.engine.faults.workspace import mounted
from tests.engine.registry.servers import Proxy
from tests.engine.remote.conftest import STEPS, Shared, fetched, of, problems, sent


def test_another_machine_runs_no_step_and_gets_the_same_image(shared: Shared) -> None:
    image = shared.fill()
    with shared.session(cache_from=(shared.place,)) as second:
        again = second.build(STEPS, shared.context)
        assert problems(second) == []
        assert again.history == shared.history
        assert again.id == image
        assert second.executed() == []
    (arrived,) = fetched(second)
    assert arrived.layers == 3
    assert shared.proxy.down <= arrived.bytes + 20_000  # a list, a manifest, a configuration
    assert of(shared.proxy, "POST", "PUT", "PATCH", "DELETE") == []


def test_looking_up_takes_one_list_whatever_is_missing(shared: Shared) -> None:
    with shared.session(cache_from=(shared.place,)) as first:
        first.build(f"FROM {BUSYBOX}\nCOPY data /\nCOPY data /b\n", shared.context)
    listed = [one for one in shared.proxy.requests if "/tags/list" in one]
    assert len(listed) == 1
    assert len(shared.proxy.requests) <= 3
    assert problems(first) == []  # a repository that is not there yet is empty


@pytest.mark.parametrize("multistage", [False, True])
def test_what_is_fetched_reaches_the_store_once_as_the_image_that_is_built(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, *, multistage: bool
) -> None:
    steps = STEPS
    if multistage:
        steps = STEPS.replace(BUSYBOX, f"{BUSYBOX} AS one").replace(
            "COPY", "FROM one\nENV A=b\nCOPY"
        )
    with shared.session(cache_to=shared.place) as first:
        image = first.build(steps, shared.context, tags=("localhost/made",))
        made, history = image.id, image.history
    imported: list[int] = []
    import_layout = StoredImages.import_layout

    def counted(store: StoredImages, directory: Path, *names: str) -> str:
        imported.append(len(names))
        return import_layout(store, directory, *names)

    monkeypatch.setattr(StoredImages, "import_layout", counted)
    with shared.session(cache_from=(shared.place,)) as second:
        again = second.build(steps, shared.context, tags=("localhost/made",))
        assert problems(second) == []
        assert second.executed() == []
        assert (again.id, again.history) == (made, history)
        assert imported == [4]  # the image, and the layers of each step


def test_layers_of_a_longer_image_serve_a_shorter_one(shared: Shared) -> None:
    shared.fill()
    with shared.session(cache_from=(shared.place,)) as second:
        image = second.build(STEPS.partition("COPY")[0], shared.context)
        assert second.executed() == []
        assert image.path("/one").read_text() == "one\n"
        assert not image.path("/copy").exists()


@pytest.mark.parametrize(("fresh", "executed"), [(0.0, 0), (3600.0, 3)])
def test_a_run_is_looked_for_again_unless_the_list_was_read_just_now(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, fresh: float, executed: int
) -> None:
    monkeypatch.setattr(lookup, "FRESH", fresh)
    with shared.session(cache_from=(shared.place,)) as reader:
        reader.build(f"FROM {BUSYBOX}\nWORKDIR /work\n", shared.context)
        before = len(reader.executed())
        shared.fill()
        reader.build(STEPS, shared.context)
        assert len(reader.executed()) - before == executed
        assert problems(reader) == []
    assert bool(shared.proxy.requests) is (executed == 0)


def test_a_second_run_sends_nothing(shared: Shared) -> None:
    one = shared.machine()
    with shared.session(one, cache_to=shared.place) as first:
        first.build(STEPS, shared.context)
    shared.proxy.requests.clear()
    with shared.session(one, cache_to=shared.place) as again:
        again.build(STEPS, shared.context)
    assert of(shared.proxy, "POST", "PUT", "PATCH") == []
    assert sent(again) == []


def test_all_is_sent_of_images_whose_builder_has_not_quite_ended(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = BuildSession._build_unless_begun

    def build_and_linger(session: BuildSession, spec: ImageSpec) -> None:
        build(session, spec)
        time.sleep(1)

    monkeypatch.setattr(BuildSession, "_build_unless_begun", build_and_linger)
    with shared.session(cache_to=shared.place) as first:
        assert first.session.build_all([ImageSpec(text=STEPS, context=shared.context)]) == []
    with shared.session(cache_from=(shared.place,)) as second:
        second.build(STEPS, shared.context)
        assert second.executed() == []


def test_entries_are_plain_oci_images_without_the_base(shared: Shared) -> None:
    shared.fill()
    repository = shared.place.repository.partition("/")[2]
    tags = shared.registry.tags(repository)
    assert all(len(tag) == 64 for tag in tags)
    manifests = {shared.registry.get(repository, tag) for tag in tags}
    for manifest in manifests:
        found = json.loads(manifest or b"{}")
        assert found["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
        assert len(found["layers"]) <= 3


def test_only_what_changed_is_run_and_sent(shared: Shared) -> None:
    shared.fill()
    write_files(shared.context, {"data": "changed\n"})
    with shared.session(cache_from=(shared.place,), cache_to=shared.place) as second:
        second.build(STEPS, shared.context)
        assert second.executed() == ["COPY data /", "RUN cat /data > /copy"]
    assert problems(second) == []
    with shared.session(cache_from=(shared.place,)) as third:
        third.build(STEPS, shared.context)
        assert problems(third) == []
        assert third.executed() == []


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "refuses": lambda proxy: setattr(proxy, "always", 403),
    "login": lambda proxy: setattr(proxy, "always", 401),
    "internal error": lambda proxy: setattr(proxy, "always", 500),
    "html": lambda proxy: setattr(proxy, "always", "html"),
    "drops": lambda proxy: setattr(proxy, "always", "drop"),
    "cuts": lambda proxy: setattr(proxy, "always", "cut"),
    "busy": lambda proxy: setattr(proxy, "always", 429),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_place_that_fails_fails_no_build(shared: Shared, fault: str) -> None:
    image = shared.fill()
    FAULTS[fault](shared.proxy)
    with shared.session(cache_from=(shared.place,)) as second:
        made = second.build(STEPS, shared.context)
        assert made.path("/copy").read_text() == "hello\n"
        assert len(second.executed()) == 3
    assert len(problems(second)) == 1
    assert image != made.id


@pytest.mark.parametrize("coded", [True, False])
def test_what_a_registry_has_lost_is_built(shared: Shared, coded: bool) -> None:
    shared.fill()
    shared.proxy.always, shared.proxy.coded = 404, coded
    with shared.session(cache_from=(shared.place,)) as second:
        second.build(STEPS, shared.context)
        assert len(second.executed()) == 3
    assert problems(second) == []


@pytest.mark.parametrize(
    ("how", "what"), [("hang", "list"), ("hang", "entry"), ("drip", "list"), ("drip", "entry")]
)
def test_a_place_that_hangs_or_drips_is_given_up(
    shared: Shared, how: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.fill()
    monkeypatch.setattr("pytest_zlayer.builder.remote.registry._ANSWER", 2.0)
    shared.proxy.always, shared.proxy.lists_too = how, what == "list"
    with shared.session(cache_from=(shared.place,), transfer_timeout=2.0) as second:
        second.build(STEPS, shared.context)
        assert len(second.executed()) == 3
    (problem,) = problems(second)
    assert problem == "it is no longer used in this run: no answer after 2 s"


def test_a_place_that_asks_for_patience_gets_some(shared: Shared) -> None:
    image = shared.fill()
    shared.proxy.faults, shared.proxy.lists_too = [429, 429], True
    with shared.session(cache_from=(shared.place,)) as second:
        assert second.build(STEPS, shared.context).id == image
        assert second.executed() == []
    assert problems(second) == []


def test_a_place_that_asks_for_more_patience_than_there_is_holds_up_nothing(shared: Shared) -> None:
    shared.fill()
    shared.proxy.faults, shared.proxy.always, shared.proxy.retry_after = [None, None], 429, 3600
    with shared.session(cache_from=(shared.place,), transfer_timeout=30.0) as second:
        second.build(STEPS, shared.context)
        assert len(second.executed()) == 3
        assert problems(second) == [
            "it is no longer used in this run: the registry asks to wait 60 s"
        ]
    blobs = [one for one in of(shared.proxy, "GET") if "/blobs/" in one]
    assert blobs
    assert len(blobs) == len(set(blobs))  # skopeo, which would have asked again, has ended


def test_nor_does_one_that_layers_are_sent_to(shared: Shared) -> None:
    shared.proxy.only, shared.proxy.always, shared.proxy.retry_after = "POST", 429, 3600
    with shared.session(cache_to=shared.place, cache_push_timeout=60.0) as first:
        first.build(STEPS, shared.context)
    assert problems(first) == ["it is no longer used in this run: the registry asks to wait 60 s"]


def swap(manifest: dict[str, Any]) -> None:
    """Have its layers lie about their digests."""
    manifest["layers"].reverse()


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "size of the configuration": lambda one: one["config"].update(size=one["config"]["size"] + 1),
    "size of a layer": lambda one: one["layers"][0].update(size=one["layers"][0]["size"] + 1),
    "digests": swap,
    "no entry": lambda one: one.pop("annotations"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_entry_that_is_not_what_it_says_is_refused_and_others_are_used(
    shared: Shared, lie: str
) -> None:
    other = f"FROM {BUSYBOX}\nRUN echo other > /other\n"
    shared.fill()
    repository = shared.place.repository.partition("/")[2]
    for tag in shared.registry.tags(repository):
        manifest = json.loads(shared.registry.get(repository, tag) or b"")
        LIES[lie](manifest)
        shared.registry.put(repository, tag, json.dumps(manifest).encode())
    with shared.session(cache_to=shared.place) as first:
        first.build(other, shared.context)
    with shared.session(cache_from=(shared.place,)) as second:
        second.build(STEPS, shared.context)
        assert len(second.executed()) == 3
        second.build(other, shared.context)
        assert len(second.executed()) == 3
    (problem,) = problems(second)
    assert problem.startswith("the entry ")


def test_the_first_place_that_has_it_is_used_and_the_next_one_not_asked(
    shared: Shared, place: DirectoryPlace
) -> None:
    shared.fill()
    with shared.session(cache_to=place) as first:
        first.build(STEPS.replace("one", "two"), shared.context)
    shared.proxy.requests.clear()
    with shared.session(cache_from=(place, shared.place)) as second:
        second.build(STEPS.replace("one", "two"), shared.context)
        assert [one.place for one in fetched(second)] == [str(place)]
        assert shared.proxy.requests == []
        second.build(STEPS, shared.context)
        assert [one.place for one in fetched(second)] == [str(place), str(shared.place)]
        assert second.executed() == []


def test_a_registry_that_lets_no_tag_be_overwritten_is_no_problem(shared: Shared) -> None:
    shared.proxy.only, shared.proxy.always = "PUT", 400
    shared.proxy.message = "The image tag already exists and cannot be overwritten: it is immutable"
    with shared.session(cache_to=shared.place) as first:
        first.build(STEPS, shared.context)
    assert of(shared.proxy, "PUT")
    assert problems(first) == []


def test_an_entry_that_has_lived_half_its_time_is_named_once_more(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("pytest_zlayer.builder.remote.sender.time.time", lambda: now - 20 * 86400)
        image = shared.fill()
    for max_age, expected in ((60 * 86400, []), (30 * 86400, ["PUT"])):
        shared.proxy.requests.clear()
        with shared.session(
            cache_from=(shared.place,), cache_to=shared.place, cache_max_age=max_age
        ) as again:
            assert again.build(STEPS, shared.context).id == image
            assert again.executed() == []
        puts = of(shared.proxy, "PUT", "POST", "PATCH")
        assert sorted({one.split()[0] for one in puts}) == expected
        assert all("/manifests/" in one for one in puts)
        assert problems(again) == []


def test_an_entry_that_is_too_old_is_made_anew(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("pytest_zlayer.builder.remote.sender.time.time", lambda: now - 20 * 86400)
        shared.fill()
    with shared.session(
        cache_from=(shared.place,), cache_to=shared.place, cache_max_age=10 * 86400
    ) as second:
        second.build(STEPS, shared.context)
        assert len(second.executed()) == 3
    (problem,) = problems(second)
    assert "older than the cache's maximum age" in problem
    assert [one for one in of(shared.proxy, "GET") if "/blobs/" in one] == []
    with shared.session(cache_from=(shared.place,), cache_max_age=10 * 86400) as third:
        third.build(STEPS, shared.context)
        assert third.executed() == []


@pytest.mark.parametrize("kind", ["registry", "directory"])
@pytest.mark.parametrize(("days", "state"), [(10, "sent"), (30, "named"), (60, "there")])
def test_who_only_writes_looks_at_the_age_of_what_is_there(
    shared: Shared, place: DirectoryPlace, kind: str, days: int, state: str
) -> None:
    used = shared.place if kind == "registry" else place
    now, age = time.time(), 20 * 86400
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pytest_zlayer.builder.remote.sender.time.time", lambda: now - age)
        with shared.session(cache_to=used) as first:
            first.build(STEPS, shared.context)
    shared.proxy.requests.clear()
    with shared.session(cache_to=used, cache_max_age=days * 86400) as again:
        again.build(STEPS, shared.context)
        assert len(again.executed()) == 3
    assert len(sent(again)) == (state == "sent")
    puts = of(shared.proxy, "PUT")
    assert bool(puts) == (kind == "registry" and state != "there")
    if state == "named":
        assert all("/manifests/" in one for one in puts)
    with shared.session(cache_from=(used,), cache_max_age=days * 86400) as reader:
        reader.build(STEPS, shared.context)
        assert reader.executed() == []


@pytest.mark.parametrize("files", [1, 2, 3, 4])
def test_a_full_disk_where_processes_share_what_they_fetch_ends_the_place(
    shared: Shared, files: int
) -> None:
    shared.fill()
    one = shared.machine()
    with shared.session(one) as first:
        first.build(f"FROM {BUSYBOX}\n", shared.context)
    # Room for itself, and for none to three of: the directory of the session, that of the place,
    # the file of its lock. After those come the list and the blobs.
    directory = one.storage.root / "zlayer" / "cache" / "sessions"
    with mounted(directory, f"nr_inodes={files}"):
        with shared.session(one, cache_from=(shared.place,)) as second:
            second.build(STEPS, shared.context)
            assert len(second.executed()) == 3
        assert len(problems(second)) == 1
        assert problems(second)[0].endswith(": No space left on device")
        assert list(directory.iterdir()) == []


def test_a_place_that_is_not_there_is_reported_once(shared: Shared) -> None:
    nowhere = RegistryPlace("127.0.0.1:1/zlayer")
    with shared.session(cache_from=(nowhere,), cache_to=nowhere) as builds:
        builds.build(STEPS, shared.context)
        builds.build(STEPS + "LABEL a=b\n", shared.context)
        assert len(builds.executed()) == 3
    assert len(problems(builds)) <= 2
    assert "connection refused" in problems(builds)[0]


def test_a_place_that_may_only_be_read_gets_a_note(shared: Shared) -> None:
    shared.fill()
    write_files(shared.context, {"data": "changed\n"})
    shared.proxy.only, shared.proxy.always = "POST", 403
    with shared.session(cache_from=(shared.place,), cache_to=shared.place) as second:
        second.build(STEPS, shared.context)
        assert second.executed() == ["COPY data /", "RUN cat /data > /copy"]
    assert [one.partition(":")[0] for one in problems(second)] == ["it is read-only"]


def test_without_skopeo_builds_go_on(shared: Shared, tmp_path: Path) -> None:
    environment = shared.without("skopeo", tmp_path)
    with shared.session(
        cache_from=(shared.place,), cache_to=shared.place, environment=environment
    ) as builds:
        builds.build(STEPS, shared.context)
    assert [one.partition(",")[0] for one in problems(builds)] == ["skopeo is not installed"]
