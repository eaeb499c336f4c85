"""Images from Dockerfiles, looked into."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.errors import BuildError
from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dockerfile import DockerfileError
from pytest_zlayer.errors import UsageError, ZlayerError
from pytest_zlayer.events import Waiting
from tests.engine.building import Builds, building, write_files
from tests.engine.conftest import BUSYBOX, Storage

THREE_STAGES = f"""\
ARG BASE={BUSYBOX}
FROM $BASE AS base
FROM base AS builder
ARG GREETING=hello
WORKDIR /src
COPY in.txt .
RUN <<EOT
cat in.txt > out.txt
echo "$GREETING" >> out.txt
EOT
FROM base AS unused
RUN exit 1
FROM base
COPY --from=builder --chown=app --chmod=700 out.txt /srv/first
COPY --from=1 /src/out.txt /srv/second
COPY <<note /srv/
from a heredoc
note
USER app
ENV A=1 B="two words"
LABEL made=here
EXPOSE 80 90/udp
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat /srv/first"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with one file used, and one that the ignore file excludes."""
    files: dict[str, str | bytes] = {"in.txt": "in\n", "secret.txt": "x", ".dockerignore": "sec*"}
    return write_files(tmp_path / "context", files)


@pytest.fixture
def builds(storage: Storage, busybox: str) -> Builds:
    """A session on the shared storage."""
    with building(storage) as found:
        yield found  # type: ignore[misc]


def test_stages_are_built_in_order_and_files_copied_between_them(
    builds: Builds, context: Path
) -> None:
    image = builds.build(THREE_STAGES, context)

    first, second = image.path("/srv/first"), image.path("/srv/second")
    assert first.read_text() == second.read_text() == "in\nhello\n"
    assert (first.stat().mode, first.stat().uid) == (0o700, 1000)
    assert image.path("/srv/note").read_text() == "from a heredoc\n"


def test_a_stage_nobody_needs_is_not_built(builds: Builds, context: Path) -> None:
    image = builds.build(THREE_STAGES, context)

    assert {step.stage for step in image.build.steps} == {"builder", "stage-3"}


def test_the_configuration_is_what_the_instructions_say(builds: Builds, context: Path) -> None:
    config = builds.build(THREE_STAGES, context).config

    assert (config.env["A"], config.env["B"]) == ("1", "two words")
    assert config.user == "app"
    assert config.labels == {"made": "here"}
    assert set(config.exposed_ports) == {"80/tcp", "90/udp"}
    assert config.volumes == ("/data",)
    assert config.stop_signal == "SIGINT"
    assert config.healthcheck is not None
    assert config.healthcheck.test == ("CMD-SHELL", "true")
    assert config.healthcheck.interval == 5_000_000_000
    assert config.shell == ("/bin/sh", "-ec")
    assert (config.entrypoint, config.cmd) == (("/bin/sh", "-c"), ("cat /srv/first",))


def test_build_args_reach_their_stage(builds: Builds, context: Path) -> None:
    image = builds.build(THREE_STAGES, context, build_args={"GREETING": "good day"})

    assert image.path("/srv/first").read_text() == "in\ngood day\n"


def test_a_target_ends_the_build_there(builds: Builds, context: Path) -> None:
    image = builds.build(THREE_STAGES, context, target="builder")

    assert image.config.workdir == "/src"
    assert not image.path("/srv").exists()


def test_an_unknown_target_names_the_stages_there_are(builds: Builds, context: Path) -> None:
    with pytest.raises(DockerfileError, match='target stage "bilder" could not be found'):
        builds.build(THREE_STAGES, context, target="bilder")


def test_run_executes_a_command_as_the_images_user(builds: Builds, context: Path) -> None:
    image = builds.build(THREE_STAGES, context)

    assert image.run(["id", "-un"]).stdout == "app\n"
    assert image.run().stdout == "in\nhello\n"
    assert image.run("echo $A; exit 4", check=False).exit_code == 4
    assert image.run(["cat"], input="typed").stdout == "typed"


def test_the_ignore_file_hides_files_from_copy(builds: Builds, context: Path) -> None:
    image = builds.build(f"FROM {BUSYBOX}\nCOPY . /all\n", context)

    assert sorted(path.name for path in image.path("/all").iterdir()) == [
        ".dockerignore",
        "in.txt",
    ]


def test_a_stage_is_an_image_of_its_own(builds: Builds, context: Path) -> None:
    stage = builds.build(THREE_STAGES, context).stage("builder")

    assert stage.path("/src/out.txt").exists()
    assert stage.config.workdir == "/src"


def test_sizes_layers_and_history_are_real(builds: Builds, context: Path) -> None:
    image = builds.build(f"FROM {BUSYBOX}\nCOPY in.txt /\nENV A=1\nRUN echo > /b\n", context)

    assert [entry.created_by for entry in image.history][-3:] == [
        "COPY in.txt /",
        "ENV A=1",
        "RUN /bin/sh -c echo > /b",
    ]
    assert len(image.layers) == 3
    assert image.size == sum(layer.size for layer in image.layers) > 1_000_000


def test_tags_name_the_image(builds: Builds, storage: Storage, context: Path) -> None:
    tags = ("localhost/test/tagged:1", "localhost/test/tagged:2")
    image = builds.build(f"FROM {BUSYBOX}\nENV TAGGED=1\n", tags=tags)

    assert str(image) == tags[0]
    assert set(tags) <= set(storage.image_names())


def test_squash_leaves_one_layer_on_those_of_the_base(builds: Builds) -> None:
    text = (
        f"FROM {BUSYBOX}\nRUN echo 1 > /one; ln /one /uno\n"
        "RUN rm /one /etc/group; echo 2 > /two\nCMD x\n"
    )
    image = builds.build(text, squash=True)

    assert len(image.layers) == 2
    assert image.path("/two").read_text() == "2\n"
    assert image.path("/uno").read_text() == "1\n"
    assert not image.path("/one").exists()
    assert not image.path("/etc/group").exists()
    assert [entry.empty for entry in image.history[-3:]] == [True, True, False]


def test_the_format_is_docker_only_where_oci_would_lose_something(builds: Builds) -> None:
    plain = builds.build(f"FROM {BUSYBOX}\nENV F=1\n")
    probed = builds.build(f"FROM {BUSYBOX}\nHEALTHCHECK CMD true\n")

    def media_type(image_id: str) -> str:
        found = builds.session.engine.images.inspect(image_id).manifest["mediaType"]
        return str(found)

    assert "oci" in media_type(plain.id)
    assert "docker" in media_type(probed.id)


def test_labels_of_the_declaration_win(builds: Builds) -> None:
    image = builds.build(f"FROM {BUSYBOX}\nLABEL a=1 b=2\n", labels={"a": "9"})

    assert image.config.labels == {"a": "9", "b": "2"}


def test_onbuild_triggers_of_a_base_run_in_the_child(builds: Builds, storage: Storage) -> None:
    name = "localhost/test/triggers:1"
    builds.build(f"FROM {BUSYBOX}\nONBUILD RUN echo triggered > /t\n", tags=(name,))
    child = builds.build(f"FROM {name}\n", pull="never")

    assert child.path("/t").read_text() == "triggered\n"
    assert child.config.onbuild == ()


def test_equal_declarations_are_built_once(builds: Builds) -> None:
    first = builds.build(f"FROM {BUSYBOX}\nENV ONCE=1\n")
    second = builds.build(f"FROM {BUSYBOX}\nENV ONCE=1\n")

    assert first is second


def test_several_platforms_make_a_manifest_list(builds: Builds, context: Path) -> None:
    text = "FROM scratch\nARG TARGETARCH\nCOPY in.txt /in-$TARGETARCH\n"
    image = builds.build(text, context, platform="linux/amd64,linux/arm64")

    assert image.is_manifest_list
    assert {name: one.config.architecture for name, one in image.platforms.items()} == {
        "linux/amd64": "amd64",
        "linux/arm64": "arm64",
    }
    assert image.platforms["linux/arm64"].path("/in-arm64").exists()


def test_run_for_a_foreign_platform_is_refused(builds: Builds, context: Path) -> None:
    with pytest.raises(BuildError, match="for s390x, which this machine cannot execute"):
        builds.build("FROM scratch\nCOPY . /\nRUN true\n", context, platform="linux/s390x")


def test_a_timestamp_makes_builds_reproducible(
    storage: Storage, busybox: str, context: Path
) -> None:
    text = f"FROM {BUSYBOX}\nCOPY in.txt /\nRUN date > /dev/null; echo 1 > /one\n"
    digests = []
    for _ in range(2):
        with building(storage, no_cache=True) as builds:
            args = {"SOURCE_DATE_EPOCH": "1700000000"}
            image = builds.build(text, context, build_args=args)
            digests.append(image.digest)
            assert image.created.timestamp() == 1_700_000_000

    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"FROM {BUSYBOX}\nCOPY absent /\n",
            (
                '<inline Dockerfile>:2:6: "/absent": not found in the build context CONTEXT\n'
                "    2 | COPY absent /\n"
                "      |      ^~~~~~"
            ),
        ),
        (
            f"FROM {BUSYBOX}\nWORKDIR ${{UNSET:?must be set}}\n",
            (
                '<inline Dockerfile>:2:9: failed to process "${UNSET:?must be set}": '
                "UNSET: must be set\n"
                "    2 | WORKDIR ${UNSET:?must be set}\n"
                "      |         ^~~~~~~~~~~~~~~~~~~~~"
            ),
        ),
    ],
    ids=["missing source", "missing variable"],
)
def test_mistakes_point_at_the_instruction(
    builds: Builds, context: Path, text: str, message: str
) -> None:
    with pytest.raises(DockerfileError) as caught:
        builds.build(text, context)

    assert caught.value.message == message.replace("CONTEXT", str(context))


def test_a_context_that_is_not_there_is_said_before_anything_is_built(
    builds: Builds, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no such build context"):
        builds.session.plan(ImageSpec(context=tmp_path / "absent"))


def test_a_base_image_that_is_nowhere_is_an_error_at_its_from(builds: Builds) -> None:
    with pytest.raises(ZlayerError) as caught:
        builds.build("FROM localhost/test/nowhere:1\n", pull="never")

    assert caught.value.message == (
        "<inline Dockerfile>:1:6: base image localhost/test/nowhere:1 is not in the store and "
        "pull is never\n"
        "    1 | FROM localhost/test/nowhere:1\n"
        "      |      ^~~~~~~~~~~~~~~~~~~~~~~~\n"
        "hint: pull it first (localhost/test/nowhere:1), or allow pulling"
    )


def test_a_socket_is_left_out_with_a_warning(builds: Builds, tmp_path: Path) -> None:
    context = write_files(tmp_path / "context", {"dir/file": "left\n"})
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(context / "dir" / "door"))
        image = builds.build(f"FROM {BUSYBOX}\nCOPY dir /left\n", context)
    assert builds.said("warning: /dir/door: sockets are not copied")
    assert [path.name for path in image.path("/left").iterdir()] == ["file"]


def test_a_stage_is_waited_for_only_while_it_is_built(builds: Builds) -> None:
    builds.build(
        f"FROM {BUSYBOX} AS one\nRUN echo waited > /a; cp /a /b\n"
        f"FROM {BUSYBOX}\nCOPY --from=one /a /a\nCOPY --from=one /b /b\n"
    )
    waits = [one for one in builds.events if isinstance(one, Waiting) and one.reason == "stage"]
    assert len(waits) <= 1  # none if it was quicker


def test_root_has_the_same_groups_by_whatever_name(builds: Builds) -> None:
    image = builds.build(
        f"FROM {BUSYBOX}\nRUN echo many:x:99:root >> /etc/group\n"
        "RUN id -G > /default\nUSER root\nRUN id -G > /name\nUSER 0\nRUN id -G > /number\n"
    )
    assert {image.path(f"/{one}").read_text() for one in ("default", "name", "number")} == {"0\n"}
