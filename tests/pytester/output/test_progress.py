"""``--zlayer-progress``: what a run shows of its builds, with nothing but pytest's defaults."""

from __future__ import annotations

import pytest

TEST = """
    import pytest

    @pytest.mark.image(text='''FROM scratch
    ENV A=1
    RUN make
    ''')
    def test_it(zlayer_image):
        print("captured output of the test")
        assert shown
"""
SHORT = [
    "zlayer: inline: building stage stage-0",
    "zlayer: inline: stage-0 3/3 RUN make",
    "zlayer: inline: built in 1.5s",
]


def _lines(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("zlayer: inline")]


@pytest.fixture
def passing(project):
    project.pytester.makepyfile(TEST.replace("assert shown", ""))
    return project


def test_slow_steps_are_shown_by_default_without_s_and_v(passing):
    result = passing.run_process()
    result.assert_outcomes(passed=1)
    assert _lines(result) == SHORT
    assert "captured output" not in result.stdout.str()


def test_plain_shows_every_step_and_its_output(passing):
    result = passing.run_process("--zlayer-progress=plain")
    assert _lines(result)[:5] == [
        "zlayer: inline: building stage stage-0",
        "zlayer: inline: stage-0 1/3 FROM scratch",
        "zlayer: inline: stage-0 1 | output of FROM scratch",
        "zlayer: inline: stage-0 1/3 done in 0.2s",
        "zlayer: inline: stage-0 2/3 ENV A=1",
    ]


def test_live_is_plain_where_there_is_no_terminal(passing):
    live = passing.run_process("--zlayer-progress=live")
    assert "zlayer: inline: stage-0 3/3 done in 0.2s" in _lines(live)


@pytest.mark.parametrize("args", [["--zlayer-progress=quiet"], ["-q"]])
def test_a_quiet_run_shows_nothing(passing, args):
    assert _lines(passing.run_process(*args)) == []


def test_lines_begin_on_lines_of_their_own_and_keep_their_order(passing):
    result = passing.run_process()
    start = result.outlines.index(SHORT[0])
    assert result.outlines[start - 1] == f"{next(passing.path.glob('test_*.py')).name} "
    assert result.outlines[start : start + 3] == SHORT
    assert result.outlines[start + 3].startswith(".  ")


def test_progress_does_not_end_in_a_tests_captured_output(project):
    project.pytester.makepyfile(TEST.replace("assert shown", "assert False"))
    result = project.run_process()
    captured = result.stdout.str().partition("Captured stdout")[2]
    assert "captured output of the test" in captured
    assert "zlayer: inline" not in captured


@pytest.mark.parametrize("flag", ["-s", "--capture=sys", "--capture=tee-sys", "-p no:terminal"])
def test_every_way_of_capturing_works(passing, flag):
    result = passing.run_process(*flag.split())
    assert result.ret == pytest.ExitCode.OK
    assert _lines(result) == ([] if "terminal" in flag else SHORT)
