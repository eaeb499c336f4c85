"""The end of a run: what could not be removed is reported, without a traceback."""

from __future__ import annotations

import pytest

TEST = """
    import pytest

    @pytest.mark.image(text="FROM scratch")
    def test_it(zlayer_image):
        pass
"""


@pytest.mark.parametrize("args", [[], ["-n1"]])
def test_trouble_stands_in_the_summary(project, monkeypatch, args):
    monkeypatch.setenv("STANDIN_TROUBLE", "1")
    project.pytester.makepyfile(TEST)
    result = project.run_process(*args)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*= zlayer: not everything could be removed =*",
            "the store is read-only",
            "hint: mount it again",
        ]
    )
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("pytest.exit('enough')", "enough"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_the_session_is_closed_however_the_run_ends(project, body, reported):
    project.pytester.makepyfile(TEST.replace("pass", body))
    result = project.run_process()
    assert reported in result.stdout.str()
    assert project.builds()[-1].startswith("closed")


def test_a_session_is_closed_after_the_fixtures_that_use_it(project):
    project.pytester.makepyfile("""
        import pytest
        from standin import note

        @pytest.fixture(scope="session")
        def server(zlayer_build):
            yield zlayer_build(text="FROM scratch")
            note("server stopped")

        def test_it(server):
            pass
    """)
    project.run().assert_outcomes(passed=1)
    assert project.builds() == ["inline built by main", "server stopped", "closed"]
