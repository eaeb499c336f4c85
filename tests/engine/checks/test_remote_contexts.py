"""Build contexts that are git repositories, and archives and Dockerfiles behind a URL."""

from __future__ import annotations

import functools
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dockerfile import DockerfileError
from pytest_zlayer.errors import ZlayerError
from tests.builder.context.test_git import Repository
from tests.builder.servers import Server
from tests.engine.building import building, write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.engine.test_surface import Project

TEXT = f"FROM {BUSYBOX}\nCOPY --from=there . /there/\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "f").write_text("from a tar")
    (folder / "long").write_bytes(b"#\n" * (9 << 20))
    with tarfile.open(folder / "c.tar.gz", "w:gz") as tar:
        tar.add(folder / "f", "f")
    (folder / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN touch /alone\n")
    (folder / "failing").write_text(f"FROM {BUSYBOX}\nRUN exit 3\n")
    (folder / "in").write_text(f"FROM {BUSYBOX}\nCOPY f /f\n")
    with tarfile.open(folder / "whole.tar", "w") as tar:
        tar.add(folder / "f", "f")
        tar.add(folder / "in", "Dockerfile")
    (folder / "all").write_text(f"FROM {BUSYBOX}\nCOPY . /all/\nCOPY f /f\n")
    (folder / "rules").write_text("*\n!f\n")
    (folder / "malformed").write_text("!")
    for name, rules in (("ignoring.tar.xz", "rules"), ("malformed.tar", "malformed")):
        with tarfile.open(folder / name, "w:xz" if name.endswith("xz") else "w") as tar:
            tar.add(folder / "f", "f")
            tar.add(folder / "f", "secret")
            tar.add(folder / "all", "Dockerfile")
            tar.add(folder / rules, ".dockerignore")
    (folder / "cut.tar.xz").write_bytes((folder / "ignoring.tar.xz").read_bytes()[:-60])
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a repository whose folder ``sub`` is a build context."""
    found = Server(tmp_path / "repositories")
    text = f"FROM {BUSYBOX} AS slim\nCOPY . /all/\nFROM slim\nRUN touch /full\n"
    Repository(found.repositories / "r.git").commit(
        {
            "f": "1",
            "sub/g": "G",
            "sub/no": "x",
            "sub/.dockerignore": "no",
            "sub/Dockerfile": text,
            "wrong/Dockerfile": "FROM scratch\nRUNN x\nCOPY none /\n",
            "missing/Dockerfile": "FROM scratch\nCOPY none /\n",
        }
    )
    yield found
    found.close()


def fetches(server: Server) -> int:
    """How often git has begun to fetch."""
    return sum("info/refs" in one for one in server.requests)


def test_a_git_repository_is_a_named_context(
    storage: Storage, busybox: str, server: Server
) -> None:
    with building(storage) as builds:
        url = server.url("/git/r.git#main:sub")
        image = builds.build(TEXT, build_contexts={"there": url})
        found = sorted(str(one) for one in image.files("there/**"))
        assert found == ["/there/.dockerignore", "/there/Dockerfile", "/there/g"]
        before = fetches(server)
        builds.build(f"{TEXT}RUN true\n", build_contexts={"there": url})
        assert fetches(server) == before


def test_a_git_repository_is_the_context(storage: Storage, busybox: str, server: Server) -> None:
    with building(storage) as builds:
        url = server.url("/git/r.git#main:sub")
        slim = builds.session.build(ImageSpec(context_url=url, target="slim"))
        found = sorted(str(one) for one in slim.files("all/**"))
        assert found == ["/all/.dockerignore", "/all/Dockerfile", "/all/g"]
        assert slim.label == "r:slim"
        before = fetches(server)
        image = builds.session.build(ImageSpec(context_url=url))
        assert image.path("/full").is_file()
        assert fetches(server) == before


def test_what_is_wrong_in_a_fetched_context_goes_by_its_address(
    storage: Storage, server: Server
) -> None:
    address = server.url("/git/r.git#main")
    with_password = address.replace("http://", "http://me:secret-word@")
    shown = address.replace("http://", "http://me:xxxxx@")
    with building(storage) as builds:

        def told(url: str, **declared: str) -> str:
            with pytest.raises(ZlayerError) as caught:
                builds.session.plan(ImageSpec(context_url=url, **declared))
            assert "secret-word" not in str(caught.value)
            return str(caught.value)

        said = told(f"{with_password}:wrong")
        assert f"{shown}:wrong/Dockerfile:2:1: unknown instruction: RUNN" in said
        said = told(f"{with_password}:missing")
        assert f'"/none": not found in the build context {shown}:missing' in said
        said = told(f"{with_password}:sub", dockerfile="no.Dockerfile")
        assert said.splitlines()[0] == f"no no.Dockerfile in {shown}:sub"
        said = told(with_password.replace("r.git", "none.git"))
        assert said.startswith(
            "the build context cannot be fetched: git fetch failed for http://127"
        )


def test_a_link_out_of_a_fetched_context_is_no_dockerfile(
    storage: Storage, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("private")
    repository = Repository(server.repositories / "link.git")
    (repository.path / "Dockerfile").symlink_to(tmp_path / "elsewhere")
    repository.commit({"f": "1"})
    url = server.url("/git/link.git")
    with building(storage) as builds, pytest.raises(ZlayerError) as caught:
        builds.session.plan(ImageSpec(context_url=url))
    assert str(caught.value).startswith(f"{url}/Dockerfile lies outside the build context")
    assert "private" not in str(caught.value)


def test_an_archive_or_a_dockerfile_behind_a_url_is_the_context(
    storage: Storage, busybox: str, archives: str
) -> None:
    with building(storage) as builds:
        image = builds.session.build(ImageSpec(context_url=f"{archives}/whole.tar"))
        assert image.path("/f").read_text() == "from a tar"
        image = builds.session.build(ImageSpec(context_url=f"{archives}/Dockerfile"))
        assert image.path("/alone").is_file()
        with pytest.raises(ZlayerError) as caught:
            builds.session.plan(ImageSpec(context_url=f"{archives}/f", dockerfile="x"))
        assert str(caught.value) == (
            f"the build context {archives}/f is not a tar archive\n"
            "hint: a URL leads to a tar archive or to a Dockerfile"
        )


def test_what_is_too_long_for_a_dockerfile_is_none(storage: Storage, archives: str) -> None:
    with building(storage) as builds, pytest.raises(ZlayerError) as caught:
        builds.session.plan(ImageSpec(context_url=f"{archives}/long"))
    assert caught.value.message == f"the build context {archives}/long is not a tar archive"


def test_nothing_is_kept_for_debugging_of_a_context_whose_address_has_a_password(
    storage: Storage, busybox: str, archives: str
) -> None:
    url = f"{archives}/failing"
    with building(storage) as builds:
        logs = builds.session.options.environment["XDG_CACHE_HOME"]
        ids = []
        for one in (url, url.replace("http://", "http://me:secret-word@")):
            with pytest.raises(BuildError) as caught:
                builds.session.build(ImageSpec(context_url=one))
            assert "secret-word" not in caught.value.report()
            ids.append(caught.value.debug_id)
    assert [one is None for one in ids] == [False, True]
    kept = [one.read_bytes() for one in Path(logs).rglob("*") if one.is_file()]
    assert len(kept) > 2
    assert not any(b"secret-word" in one for one in kept)


def test_an_archive_behind_a_url_has_an_ignore_file(
    storage: Storage, busybox: str, archives: str
) -> None:
    url = f"{archives}/ignoring.tar.xz"
    with building(storage) as builds:
        image = builds.session.build(ImageSpec(context_url=url))
        assert [str(one) for one in image.files("all/**")] == ["/all/f"]
        image = builds.build(TEXT, build_contexts={"there": url})
        assert [str(one) for one in image.files("there/**")] == ["/there/f"]
        hidden = "FROM scratch\nCOPY --from=there secret /\n"
        with pytest.raises(ZlayerError, match='"/secret": not found'):
            builds.build(hidden, build_contexts={"there": url})


@pytest.mark.parametrize(
    ("file", "reported"),
    [
        ("malformed.tar", '{url}/.dockerignore: illegal exclusion pattern: "!"'),
        ("cut.tar.xz", "cannot unpack {url}: unexpected EOF"),
    ],
)
def test_an_archive_behind_a_url_that_cannot_be_read_goes_by_its_address(
    storage: Storage, busybox: str, archives: str, file: str, reported: str
) -> None:
    url = f"{archives.replace('//', '//me:secret-word@')}/{file}"
    expected = reported.format(url=url.replace("secret-word", "xxxxx"))
    with building(storage) as builds:
        with pytest.raises(ZlayerError) as caught:
            builds.session.plan(ImageSpec(context_url=url))
        assert str(caught.value) == expected
        with pytest.raises(ZlayerError) as caught:
            builds.build(TEXT, build_contexts={"there": url})
        assert expected in str(caught.value)


def test_a_malformed_ignore_file_of_a_git_repository_goes_by_its_address(
    storage: Storage, server: Server
) -> None:
    files = {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "!"}
    Repository(server.repositories / "malformed.git").commit(files)
    url = server.url("/git/malformed.git")
    with building(storage) as builds, pytest.raises(ZlayerError) as caught:
        builds.session.plan(ImageSpec(context_url=url))
    assert str(caught.value) == f'{url}/.dockerignore: illegal exclusion pattern: "!"'


def test_tests_declare_contexts_behind_addresses(
    own_storage: Storage, server: Server, tmp_path: Path
) -> None:
    add_busybox(own_storage, tmp_path / "busybox")
    url = server.url("/git/r.git")
    test = f"""
import pytest
from pytest_zlayer import ImageSpec

@pytest.mark.image("{url}#main:sub", target="slim")
def test_slim(zlayer_image):
    zlayer_image.assert_file("/all/g", equals="G")

@pytest.mark.image("{url}#main:sub")
def test_full(zlayer_image):
    zlayer_image.assert_file("/full")

@pytest.mark.image(ImageSpec(context="{url}#main:sub", target="slim"))
def test_spec(zlayer_image):
    zlayer_image.assert_file("/all/g")
"""
    wrong = f"""
import pytest

@pytest.mark.image("{url}#main:wrong")
def test_wrong(zlayer_image):
    pass

@pytest.mark.image("{url}?foo=1")
def test_malformed(zlayer_image):
    pass
"""
    folder = write_files(tmp_path / "p", {"test_it.py": test, "test_wrong.py": wrong})
    project = Project(folder, own_storage)
    before = own_storage.leftovers()
    project.pytest("-q", "test_it.py")
    assert fetches(server) == 1
    assert own_storage.leftovers() == before
    said = project.pytest("-q", "--collect-only", "test_wrong.py", code=2)
    assert f"{url}#main:wrong/Dockerfile:2:1: unknown instruction: RUNN" in said
    assert f'context {url}?foo=1: unexpected query "foo"' in said
    planned = project.run("pytest_zlayer", "plan", f"{url}#main:sub")
    assert f"slim: FROM {BUSYBOX}" in planned


def test_an_archive_behind_a_url_is_a_context(
    storage: Storage, busybox: str, archives: str
) -> None:
    with building(storage) as builds:
        image = builds.build(TEXT, build_contexts={"there": f"{archives}/c.tar.gz"})
        assert image.path("/there/f").read_text() == "from a tar"
        with pytest.raises((DockerfileError, ZlayerError), match="not a tar archive"):
            builds.build(TEXT, build_contexts={"there": f"{archives}/f"})
        with pytest.raises(ZlayerError, match="404"):
            builds.build(TEXT, build_contexts={"there": f"{archives}/none.tar"})
