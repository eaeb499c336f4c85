"""The fixture ``zlayer_engine``."""

from __future__ import annotations


def test_it_is_the_engine_of_the_session(project):
    project.pytester.makepyfile("""
        def test_it(zlayer_engine):
            assert zlayer_engine.version == "1.28.2"
    """)
    project.run().assert_outcomes(passed=1)
