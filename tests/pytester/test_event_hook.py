"""The hook ``pytest_zlayer_event``."""

from __future__ import annotations


def test_it_gets_the_typed_events_of_a_build_in_order(project):
    project.pytester.makeconftest("""
        def pytest_zlayer_event(config, event):
            with open(config.rootpath / "events", "a") as log:
                log.write(type(event).__name__ + "\\n")
    """)
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            pass
    """)
    project.run().assert_outcomes(passed=1)
    assert (project.path / "events").read_text().split() == [
        "BuildStarted",
        "StepStarted",
        "OutputLine",
        "StepComplete",
        "BuildComplete",
        "ImageUsed",
    ]
