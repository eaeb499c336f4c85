"""Options: every one has three names, and the closest place that sets it wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_zlayer.builder.model.cache_place import DirectoryPlace, RegistryPlace
from pytest_zlayer.inputs.options import OPTIONS, Option

# A text for each option and what it means.
VALUES = {
    "keep": ("failed", "failed"),
    "report": ("/run.html", (Path("/run.html"),)),
    "durations": ("3", 3),
    "retries": ("2", 2),
    "retry-delay": ("0.5", 0.5),
    "retry-backoff": ("2", 2.0),
    "retry-max-delay": ("9", 9.0),
    "retry-max-total": ("90", 90.0),
    "timeout": ("60", 60.0),
    "step-timeout": ("30", 30.0),
    "transfer-timeout": ("90", 90.0),
    "pull": ("never", "never"),
    "registry": ("registry.example", "registry.example"),
    "authfile": ("/auth.json", Path("/auth.json")),
    "platform": ("linux/arm64", "linux/arm64"),
    "build-arg": ("A=1=2", {"A": "1=2"}),
    "build-context": ("base=/b", {"base": "/b"}),
    "image": ("api=alpine:3", {"api": "alpine:3"}),
    "cache-mount": ("/cache", ("/cache",)),
    "no-cache": ("true", True),
    "cache": ("session", "session"),
    "cache-max-age": ("2d", 2 * 86400.0),
    "cache-max-size": ("3GiB", 3 * 1024**3),
    "cache-scope": ("team", "team"),
    "cache-from": ("dir:/srv/cache", (DirectoryPlace(Path("/srv/cache")),)),
    "cache-to": ("ghcr.io/o/zlayer", RegistryPlace("ghcr.io/o/zlayer")),
    "cache-push-timeout": ("5", 5.0),
    "jobs": ("3", 3),
    "prebuild": ("off", "off"),
    "missing": ("skip", "skip"),
    "buildah": ("/opt/buildah", "/opt/buildah"),
    "service-engine": ("buildah", "buildah"),
    "isolation": ("chroot", "chroot"),
    "root": ("/store", Path("/store")),
    "runroot": ("/run/store", Path("/run/store")),
    "progress": ("quiet", "quiet"),
    "log-dir": ("/logs", Path("/logs")),
    "list": ("true", "text"),
    "debug": ("true", True),
    "marker": ("container", "container"),
    "lint": ("true", ("on",)),
    "structure-tests": ("api=conftest.py", ("api=conftest.py",)),
    "group": ("0a1b2c3d", "0a1b2c3d"),
}
NO_TAG = (
    "expected dir:PATH or REGISTRY/REPOSITORY (a cache place has no tag: name the repository "
    "alone), not 'ghcr.io/o/zlayer:main'"
)
SWITCHES = ("no-cache", "list", "lint", "debug")
CONFTEST = """
    from pytest_zlayer.plugin.state import state_of

    def pytest_configure(config):
        settings = state_of(config).settings
        (config.rootpath / "found").write_text(
            repr({name: (str(one.value), one.origin) for name, one in settings.settings.items()})
        )
"""


@pytest.fixture
def settings_of(project):
    """Run pytest and give the settings it had, each as text and origin."""
    project.pytester.makeconftest(CONFTEST)

    def run(*args: str) -> dict[str, tuple[str, str]]:
        project.run("--collect-only", *args)
        found: dict[str, tuple[str, str]] = eval((project.path / "found").read_text())  # noqa: S307
        return found

    return run


def _ids(option: Option) -> str:
    return option.name


def test_every_option_has_a_value_here():
    assert set(VALUES) == {option.name for option in OPTIONS}


@pytest.mark.parametrize("option", OPTIONS, ids=_ids)
def test_an_option_can_be_given_on_the_command_line(settings_of, option):
    text, value = VALUES[option.name]
    flag = option.flag if option.name in SWITCHES else f"{option.flag}={text}"
    assert settings_of(flag)[option.name] == (str(value), "command line")


@pytest.mark.parametrize("option", OPTIONS, ids=_ids)
def test_an_option_can_be_given_in_the_environment(settings_of, option, monkeypatch):
    text, value = VALUES[option.name]
    monkeypatch.setenv(option.variable, text)
    assert settings_of()[option.name] == (str(value), "environment")


@pytest.mark.parametrize("option", OPTIONS, ids=_ids)
def test_an_option_can_be_given_in_an_ini_file(settings_of, option, project):
    text, value = VALUES[option.name]
    project.pytester.makeini(f"[pytest]\n{option.ini} = {text}\n")
    assert settings_of()[option.name] == (str(value), "ini")


@pytest.mark.parametrize("option", OPTIONS, ids=_ids)
def test_an_option_has_a_default(settings_of, option):
    default = {} if option.many and not isinstance(option.default, tuple) else option.default
    assert settings_of()[option.name] == (str(default), "default")


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    settings_of, project, monkeypatch
):
    project.pytester.makeini("[pytest]\nzlayer_retries = 1\nzlayer_pull = never\n")
    monkeypatch.setenv("ZLAYER_RETRIES", "2")
    monkeypatch.setenv("ZLAYER_JOBS", "2")
    found = settings_of("--zlayer-retries=3")
    assert found["retries"] == ("3", "command line")
    assert found["jobs"] == ("2", "environment")
    assert found["pull"] == ("never", "ini")


def test_build_args_of_all_places_are_merged_by_name(settings_of, project, monkeypatch):
    project.pytester.makeini("[pytest]\nzlayer_build_arg =\n  A=ini\n  B=ini\n  C=ini\n")
    monkeypatch.setenv("ZLAYER_BUILD_ARG", "B=env C='e n v'")
    found = settings_of("--zlayer-build-arg=C=line", "--zlayer-build-arg", "D=line")
    expected = {"A": "ini", "B": "env", "C": "line", "D": "line"}
    assert found["build-arg"] == (str(expected), "command line, environment, ini")


@pytest.mark.parametrize(
    ("text", "value"), [("true", "True"), ("on", "True"), ("0", "False"), ("no", "False")]
)
def test_switches_in_the_environment_take_the_usual_words(settings_of, monkeypatch, text, value):
    monkeypatch.setenv("ZLAYER_NO_CACHE", text)
    assert settings_of()["no-cache"] == (value, "environment")


def test_keep_without_a_value_means_all(settings_of):
    assert settings_of("--zlayer-keep")["keep"] == ("all", "command line")


def test_toml_can_hold_numbers_and_booleans(settings_of, project):
    project.pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\nzlayer_retries = 2\nzlayer_no_cache = true\n"
        "zlayer_build_arg = ['A=1']\n"
    )
    found = settings_of()
    assert found["retries"] == ("2", "ini")
    assert found["no-cache"] == ("True", "ini")
    assert found["build-arg"] == ("{'A': '1'}", "ini")


@pytest.mark.skipif(pytest.version_tuple < (9, 2), reason="older ones take only text there")
def test_native_toml_can_hold_numbers_and_booleans(settings_of, project):
    project.pytester.makepyprojecttoml(
        "[tool.pytest]\nzlayer_retries = 2\nzlayer_retry_delay = 0.5\nzlayer_no_cache = true\n"
    )
    found = settings_of()
    assert found["retries"] == ("2", "ini")
    assert found["retry-delay"] == ("0.5", "ini")
    assert found["no-cache"] == ("True", "ini")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--zlayer-retries=many", "expected a whole number of 0 or more, not 'many'"),
        ("--zlayer-retries=-1", "expected a whole number of 0 or more, not '-1'"),
        ("--zlayer-retry-delay=-1", "expected a number of seconds, 0 or more, not '-1'"),
        ("--zlayer-retry-delay=nan", "expected a number of seconds, 0 or more, not 'nan'"),
        ("--zlayer-retry-backoff=0.5", "expected a number of 1 or more, not '0.5'"),
        ("--zlayer-keep=tests", "expected one of all, failed, none, not 'tests'"),
        ("--zlayer-pull=no", "expected one of missing, newer, always, never, not 'no'"),
        ("--zlayer-build-arg=A", "expected NAME=VALUE, not 'A'"),
        ("--zlayer-cache-max-age=14", "expected a time such as 12h or 14d, not '14'"),
        ("--zlayer-cache-max-size=big", "expected a size such as 500MB or 10GiB, not 'big'"),
        ("--zlayer-registry=", "expected some text, not ''"),
        (
            "--zlayer-cache-to=ghcr.io/o/zlayer:main",
            NO_TAG,
        ),
    ],
)
def test_a_wrong_value_is_reported_with_the_option(project, flag, message):
    result = project.run(flag)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == f"ERROR: {flag.partition('=')[0]}: {message}"


def test_a_wrong_value_in_the_environment_names_the_variable(project, monkeypatch):
    monkeypatch.setenv("ZLAYER_RETRIES", "many")
    result = project.run()
    assert result.errlines[0] == (
        "ERROR: ZLAYER_RETRIES in the environment: expected a whole number of 0 or more, not 'many'"
    )


def test_a_wrong_value_in_a_file_names_the_file(project):
    project.pytester.makeini("[pytest]\nzlayer_retries = many\n")
    result = project.run()
    assert result.errlines[0] == (
        "ERROR: zlayer_retries in tox.ini: expected a whole number of 0 or more, not 'many'"
    )


def test_the_header_shows_what_was_set_and_where(project, monkeypatch):
    monkeypatch.setenv("ZLAYER_BUILD_ARG", "TOKEN=secret")
    result = project.run("--zlayer-retries=2")
    result.stdout.fnmatch_lines(["zlayer: retries=2 (command line), build-arg=TOKEN (environment)"])


def test_there_is_no_header_line_when_nothing_was_set(project):
    project.run().stdout.no_fnmatch_line("zlayer:*")


def test_settings_become_the_options_of_builds(project):
    project.pytester.makepyfile("""
        from pytest_zlayer.plugin.state import state_of

        def test_it(pytestconfig):
            options = state_of(pytestconfig).settings.build_options(worker="gw0")
            assert (options.retries, options.worker) == (2, "gw0")
            assert "PATH" in options.environment
    """)
    project.run("--zlayer-retries=2").assert_outcomes(passed=1)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_wrong_value_keeps_nobody_from_help(project, monkeypatch, option):
    monkeypatch.setenv("ZLAYER_RETRIES", "many")
    monkeypatch.setenv("ZLAYER_BUILD_ARG", "'")
    assert project.run_process(option).ret == pytest.ExitCode.OK


def test_a_directory_for_logs_that_cannot_be_is_refused(project):
    file = project.path / "file"
    file.touch()
    result = project.run(f"--zlayer-log-dir={file}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--zlayer-log-dir: expected a directory that can be written*"])


@pytest.fixture
def two_names(project):
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image(text="FROM scratch", name="api")
        def test_api(zlayer_images):
            pass

        @pytest.mark.image(text="FROM scratch", name="db")
        def test_db(zlayer_images):
            pass
    """
    )
    return project


def test_a_ready_image_for_a_name_that_nobody_declares_is_refused(two_names):
    result = two_names.run("--zlayer-image=apo=busybox")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --zlayer-image: no test declares an image named 'apo'",
            "hint: did you mean api?",
        ]
    )


def test_a_ready_image_of_a_test_that_is_deselected_is_no_mistake(two_names):
    two_names.run("--zlayer-image=db=busybox", "-k", "api").assert_outcomes(passed=1, deselected=1)


def test_a_name_from_the_environment_may_be_of_another_run(two_names, monkeypatch):
    monkeypatch.setenv("ZLAYER_IMAGE", "other=busybox")
    two_names.run().assert_outcomes(passed=2)


def test_a_name_may_be_one_that_is_built_by_a_call(two_names):
    two_names.pytester.makepyfile(
        test_call="""
        def test_call(zlayer_build):
            zlayer_build(text="FROM scratch", name="other")
    """
    )
    two_names.run("--zlayer-image=other=busybox").assert_outcomes(passed=3)
