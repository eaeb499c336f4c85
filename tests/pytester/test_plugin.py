"""The plugin as such: cheap to have, and gone without a trace when it is switched off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pytest_zlayer


def test_importing_it_loads_neither_the_grammar_nor_the_builder():
    script = (
        "import sys, pytest_zlayer.plugin\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('lark', 'tenacity')"
        " or name.startswith(('pytest_zlayer.builder', 'pytest_zlayer.dockerfile'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_a_run_without_images_loads_nothing_more(project):
    project.pytester.makepyfile("""
        import sys
        import pytest

        @pytest.mark.parametrize("value", [object(), "x"])
        def test_it(value):
            assert "lark" not in sys.modules
            assert "pytest_zlayer.builder.session.build_session" not in sys.modules
            assert "pytest_zlayer.report.text" not in sys.modules
    """)
    result = project.pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    result.assert_outcomes(passed=2)


def test_pytest_rewrites_no_module_of_an_installed_plugin(project, monkeypatch):
    """What pytest marks for that are the files that a distribution with a plugin names."""
    information = project.pytester.mkdir("installed") / "installed-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    (information / "RECORD").write_text("pytest_zlayer/__init__.py,,\n")
    (information / "entry_points.txt").write_text("[pytest11]\nother = os\n")
    # Python 3.12 leaves out of a RECORD what is not there.
    (information.parent / "pytest_zlayer").symlink_to(Path(pytest_zlayer.__file__).parent)
    project.pytester.makepyfile("""
        import sys

        def test_it():
            ours = {name: one for name, one in sys.modules.items() if "pytest_zlayer" in name}
            loaders = {name: type(one.__loader__).__module__ for name, one in ours.items()}
            rewritten = [name for name, one in loaders.items() if one.startswith("_pytest")]
            assert rewritten == ["pytest_zlayer"]
    """)
    monkeypatch.setenv("PYTHONPATH", str(information.parent), prepend=":")
    result = project.pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)


def test_switched_off_it_leaves_no_trace(project):
    project.pytester.makepyfile("""
        import sys

        def test_it(request):
            assert "pytest_zlayer" not in sys.modules
            assert not [name for name in dir(request.config.hook) if "zlayer" in name]
    """)
    result = project.pytester.runpytest_subprocess("-p", "no:zlayer", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)
    assert "zlayer" not in result.stdout.str()


def test_its_options_are_in_a_group_of_their_own(project):
    result = project.run("--help")
    result.stdout.fnmatch_lines(["container images (pytest-zlayer):", "  --zlayer-keep=[[]WHAT]*"])


@pytest.mark.parametrize("name", ["zlayer_image", "zlayer_build", "zlayer_engine"])
def test_its_fixtures_are_listed_with_a_sentence(project, name):
    result = project.run("--fixtures")
    at = next(at for at, line in enumerate(result.outlines) if line.startswith(name))
    assert result.outlines[at + 1].startswith("    ")
    assert "no docstring" not in result.outlines[at + 1]
