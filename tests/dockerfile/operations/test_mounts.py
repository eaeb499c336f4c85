"""The value of ``RUN --mount``."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.operations.kinds import (
    BindMount,
    CacheMount,
    Mount,
    SecretMount,
    SourceRef,
    SshMount,
    TmpfsMount,
)
from pytest_zlayer.dockerfile.operations.mounts import (
    MountFields,
    build_mount,
    check_mount_from,
    mount_from,
    parse_mount,
)

BARE_QUOTE = 'parse error on line 1, column 6: bare " in non-quoted-field'


def fields(raw: str) -> MountFields:
    return parse_mount(raw, str)


def mount(raw: str, *, workdir: str = "/work") -> Mount:
    return build_mount(fields(raw), workdir=workdir)


def refusal(raw: str) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        build_mount(fields(raw), workdir="/")
    return str(raised.value)


class TestBeforeExpansion:
    def test_only_the_form_and_from_are_looked_at(self) -> None:
        check_mount_from("type=nonsense,bogus,target=$x,from=stage")

    @pytest.mark.parametrize("raw", ["from=$x", "FROM=a${b}", "type=cache,from=$$"])
    def test_a_variable_in_from_is_refused(self, raw: str) -> None:
        with pytest.raises(ValueError, match=r"^'from' ") as raised:
            check_mount_from(raw)
        assert str(raised.value) == (
            "'from' doesn't support variable expansion, define alias stage instead"
        )

    def test_a_dollar_at_the_end_of_from_stands_for_itself(self) -> None:
        check_mount_from("from=x$")

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            ("", "failed to parse csv mounts: EOF"),
            ('type="cache', f"failed to parse csv mounts: {BARE_QUOTE}"),
        ],
    )
    def test_malformed_csv_is_refused(self, raw: str, message: str) -> None:
        with pytest.raises(ValueError, match=r"^failed ") as raised:
            check_mount_from(raw)
        assert str(raised.value) == message

    def test_from_is_found_whatever_its_case_and_the_last_one_wins(self) -> None:
        assert mount_from("type=cache,From=a,target=/x,from=b") == "b"
        assert mount_from("target=/x,from") == ""

    def test_a_number_in_from_is_a_name_like_any_other(self) -> None:
        assert mount_from("from=0,target=/x") == "0"
        assert fields("from=0,target=/x").from_ == "0"


class TestTypes:
    def test_bind_is_the_default_and_read_only(self) -> None:
        assert mount("target=/x") == BindMount("/x", source="/", readonly=True)

    def test_bind_takes_files_from_its_source(self) -> None:
        found = build_mount(
            fields("type=bind,from=s,source=a/../../b,target=/x,rw"),
            workdir="/",
            from_=SourceRef("stage", index=1),
        )
        assert found == BindMount("/x", "/b", SourceRef("stage", index=1), readonly=False)

    def test_cache_has_its_cleaned_target_for_an_id(self) -> None:
        assert mount("type=cache,target=/x/../y/") == CacheMount("/x/../y/", id="/y")

    def test_cache_takes_every_option(self) -> None:
        raw = "TYPE=Cache,dst=/x,id=i,sharing=LOCKED,mode=0700,uid=1,gid=2,ro,source=a"
        assert mount(raw) == CacheMount(
            "/x", id="i", source="/a", readonly=True, sharing="locked", mode=0o700, uid=1, gid=2
        )

    def test_cache_may_begin_with_the_files_of_a_stage(self) -> None:
        source = SourceRef("stage", index=1)
        found = build_mount(fields("type=cache,from=s,target=/x"), workdir="/", from_=source)
        assert found == CacheMount("/x", id="/x", from_=source)

    def test_tmpfs_is_writable_and_has_a_size(self) -> None:
        assert mount("type=tmpfs,destination=/x,size=1.5k") == TmpfsMount("/x", size=1536)
        assert mount("type=tmpfs,target=/x,ro") == TmpfsMount("/x", readonly=True)

    @pytest.mark.parametrize(
        ("option", "readonly"),
        [(name, True) for name in ("ro", "readonly", "ro=1", "readonly=true", "rw=0")]
        + [(name, False) for name in ("rw", "readwrite", "readwrite=true", "ro=0", "readonly=f")],
    )
    def test_every_spelling_of_read_only(self, option: str, readonly: bool) -> None:
        assert mount(f"target=/x,{option}") == BindMount("/x", readonly=readonly)
        assert mount(f"type=cache,target=/x,{option}") == CacheMount("/x", "/x", readonly=readonly)

    def test_from_of_tmpfs_is_kept_and_of_no_effect(self) -> None:
        assert mount("type=tmpfs,target=/x,from=y") == TmpfsMount("/x")

    def test_a_secret_is_a_file_named_by_its_id(self) -> None:
        assert mount("type=secret,id=dir/token") == SecretMount(
            id="dir/token", target="/run/secrets/token"
        )

    def test_the_id_of_a_secret_is_its_source_or_the_name_of_its_target(self) -> None:
        assert mount("type=secret,source=s,target=/t") == SecretMount(id="s", target="/t")
        assert mount("type=secret,target=/a/t") == SecretMount(id="t", target="/a/t")
        assert mount("type=secret,target=/a/INDEX/") == SecretMount("INDEX", "/a/INDEX/")
        assert mount("type=secret,target=/") == SecretMount(id="/", target="/")

    def test_a_secret_takes_every_option(self) -> None:
        raw = "type=secret,id=s,target=t,required=true,mode=440,uid=1000,gid=1001"
        assert mount(raw) == SecretMount(
            "s", "/work/t", required=True, mode=0o440, uid=1000, gid=1001
        )

    def test_a_secret_variable_needs_no_file(self) -> None:
        assert mount("type=secret,id=s,env=TOKEN,required") == SecretMount(
            id="s", target=None, env="TOKEN", required=True
        )
        assert mount("type=secret,id=s,env=T,target=/t") == SecretMount("s", "/t", env="T")

    def test_ssh_gets_a_numbered_socket(self) -> None:
        found = build_mount(fields("type=ssh"), workdir="/", ssh_index=1)
        assert found == SshMount(id="default", target="/run/buildkit/ssh_agent.1")

    def test_ssh_takes_every_option(self) -> None:
        raw = "type=ssh,id=k,target=/s,required=true,mode=640,uid=1000,gid=1001"
        assert mount(raw) == SshMount("k", "/s", required=True, mode=0o640, uid=1000, gid=1001)
        assert mount("type=ssh,id=k,target=/s,required") == SshMount("k", "/s", required=True)

    def test_a_relative_target_stands_under_the_working_directory(self) -> None:
        assert mount("target=a/../b", workdir="/app") == BindMount("/app/b")
        assert mount("target=b", workdir="app") == BindMount("/app/b")

    def test_quoted_fields_may_hold_commas(self) -> None:
        assert mount('type=cache,"target=/a,b"') == CacheMount("/a,b", id="/a,b")


class TestExpansion:
    def test_every_value_is_expanded(self) -> None:
        values = {"$t": "cache", "$d": "/x", "$m": "0700"}
        found = parse_mount("type=$t,target=$d,mode=$m", lambda word: values.get(word, word))
        assert (found.type, found.target, found.mode) == ("cache", "/x", 0o700)

    def test_from_stays_as_it_was_written(self) -> None:
        assert parse_mount("from=Abc,target=/x", str.upper).from_ == "Abc"

    def test_the_last_of_repeated_keys_wins(self) -> None:
        assert fields("target=/a,dst=/b,destination=/c,ro,rw=true").target == "/c"
        assert fields("target=/a,ro,rw=true").readonly is False


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("type=foo", 'unsupported mount type "foo"'),
        ("type=cahce", 'unsupported mount type "cahce" (did you mean cache?)'),
        ("target=/x,bogus=1", "unexpected key 'bogus' in 'bogus=1'"),
        ("target=/x,foo=bar", "unexpected key 'foo' in 'foo=bar' (did you mean from?)"),
        ("Targe=/x", "unexpected key 'targe' in 'Targe=/x' (did you mean target?)"),
        ("target", "invalid field 'target' must be a key=value pair"),
        ("target=/x,", "invalid field '' must be a key=value pair"),
        ("target=/x,ro=2", "invalid value for ro: 2"),
        ("target=/x,readwrite=", "invalid value for readwrite: "),
        ("required,type=secret", "unexpected key 'required' for mount type 'bind'"),
        ("type=cache,required=true", "unexpected key 'required' for mount type 'cache'"),
        ("type=ssh,required=x", "invalid value for required: x"),
        ("type=cache,size=1", "unexpected key 'size' for mount type 'cache'"),
        ("type=tmpfs,size=x", "invalid value for size: x"),
        ("type=cache,sharing=x", 'unsupported sharing value "x"'),
        (
            "type=cache,sharing=share",
            'unsupported sharing value "share" (did you mean shared?)',
        ),
        ("sharing=shared", "invalid cache sharing set for bind mount"),
        ("type=cache,mode=9", "invalid value 9 for mode"),
        ("type=cache,uid=x", "invalid value x for uid"),
        ("type=cache,gid=-1", "invalid value -1 for gid"),
        ("target=/x,mode=7", 'mode not allowed for "bind" type mounts'),
        ("type=tmpfs,uid=7", 'uid not allowed for "tmpfs" type mounts'),
        ("target=/x,gid=7", 'gid not allowed for "bind" type mounts'),
        ("type=secret,from=x,id=i", "secret mount should not have a from"),
        ("type=secret,id=i,sharing=shared", "secret mount should not define sharing"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=i,source=s", "both source and id can't be set"),
        ("type=ssh,source=s", "ssh does not support source"),
        ("type=cache", 'invalid mount target "/"'),
        ("target=/", 'invalid mount target "/"'),
        ("type=tmpfs,target=..", 'invalid mount target "/"'),
        ("", "failed to parse csv mounts: EOF"),
    ],
)
def test_mistakes_are_reported_as_buildkit_tells_them(raw: str, message: str) -> None:
    assert refusal(raw) == message


@pytest.mark.parametrize("label", ["z", "Z"])
def test_labels_for_selinux_are_taken_as_buildah_takes_them(label: str) -> None:
    for kind in ("bind", "cache"):
        plain = f"type={kind},target=/a"
        assert parse_mount(f"{plain},{label}", str) == parse_mount(plain, str)
    with pytest.raises(ValueError, match="must be a key=value pair"):
        parse_mount(f"type=tmpfs,target=/a,{label}", str)
