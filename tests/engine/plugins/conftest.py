"""An environment with many other plugins of pytest in it, made once for each set of them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import filelock
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[3]
STANDIN = REPOSITORY / "tests" / "pytester"


def wanted() -> list[str]:
    """The requirements of the extra ``plugins``."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = project["project"]["optional-dependencies"]["plugins"]
    return found


@dataclass(frozen=True)
class Environment:
    """A Python with all these plugins, ours and all that tests here import."""

    python: Path

    def pytest(self, folder: Path, *args: str, code: int = 0, **variables: str) -> str:
        """Run pytest on a project; what it wrote.

        Unless ``variables`` say otherwise the session is one that needs no engine.
        """
        kept = {name: one for name, one in os.environ.items() if not name.startswith("PYTEST")}
        stand_in = "ZLAYER_ROOT" not in variables
        environment = {
            **kept,
            "STANDIN_LOG": str(folder / "builds.log"),
            **({"PYTHONPATH": str(STANDIN)} if stand_in else {}),
            **variables,
        }
        words = [*(["-p", "standin"] if stand_in else []), "--strict-markers", "--strict-config"]
        # Hypothesis is no neighbour here, and takes a second to be loaded.
        argv = [str(self.python), "-m", "pytest", "-p", "no:hypothesispytest", *words, *args]
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout


@pytest.fixture(scope="session")
def together(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """The environment; it is kept in pytest's cache directory for the next run."""
    requirements = wanted()
    key = hashlib.sha256("\n".join([sys.prefix, sys.version, *requirements]).encode()).hexdigest()
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("plugins") if cache is not None else tmp_path_factory.mktemp("plugins")
    place = Path(folder, key[:12])
    with filelock.FileLock(f"{place}.lock"):
        if not (place / "done").exists():
            _make(place, requirements)
            (place / "done").touch()
    return Environment(place / "bin" / "python")


def _make(place: Path, requirements: list[str]) -> None:
    """What runs the tests here, and on top of it the other plugins."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", place], check=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = place / "lib" / version / "site-packages"
    below = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in below]
    (packages / "below.pth").write_text("\n".join([*lines, str(REPOSITORY)]), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--disable-pip-version-check", *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
