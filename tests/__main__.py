"""`python -m tests` checks everything; `python -m tests NAME...` a part of it.

A NAME is one of the checks (`format`, `lint`, `types`, `imports`, `docs`), or a folder, file or test below `tests/`.
What the tests need of the system is installed first where this can be done (Debian, as root), and named where not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.foreign import install_everything

ROOT: Final = Path(__file__).parents[1]

CHECKS: Final = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports"],
    "docs": ["cog", "--check", "firmly_mcp/docs/reference.md", "firmly_mcp/docs/architecture.md"],
}
# What the tests start, and the Debian package that brings it.
SYSTEM: Final = {
    "dbus-daemon": "dbus",
    "gnome-keyring-daemon": "gnome-keyring",
    "chromium": "chromium",
    "zsh": "zsh",
    "fish": "fish",
}
# The tests that run other people's programs, which are installed while the checks run.
FOREIGN: Final = ("tests/clients", "tests/conformance", "tests/distribution")


def main(names: Sequence[str]) -> int:
    """Run the named parts, or all; the exit code is the first one that is not 0."""
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of a thousand processes would compile the package anew
    checks = [name for name in names if name in CHECKS] if names else list(CHECKS)
    tests = [_test_path(name) for name in names if name not in CHECKS]
    with ThreadPoolExecutor(1) as aside:
        if not names or any(path.startswith(FOREIGN) for path in tests):
            aside.submit(install_foreign_programs)
        failed = [name for name in checks if _run(name, CHECKS[name]) != 0]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    if tests or not names:
        install_system_packages()
        # One more than there are cores: every test waits now and then for a process, a browser or a keyring.
        workers = str((os.cpu_count() or 1) + 1)
        return _run("tests", [sys.executable, "-m", "pytest", *(tests or ["-n", workers, "--dist", "worksteal"])])
    return 0


def install_foreign_programs() -> None:
    """Install, aloud, the clients and the suite of others; a test whose program is missing tries again and says why."""
    try:
        install_everything()
    except subprocess.CalledProcessError as error:
        print(f"not installed: {error.stderr.strip()[-300:]}", file=sys.stderr)


def install_system_packages() -> None:
    """Install what is missing, aloud, on Debian as root; elsewhere say what is missing and go on."""
    missing = sorted(package for program, package in SYSTEM.items() if shutil.which(program) is None)
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"missing: {', '.join(missing)}; the tests that need them are skipped", file=sys.stderr)
        return
    print(f"installing with apt-get: {', '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*quiet, "update"], env=environment, check=True)
    subprocess.run([*quiet, "install", "--no-install-recommends", "-y", *missing], env=environment, check=True)


def _run(name: str, command: Sequence[str]) -> int:
    print(f"── {name}: {' '.join(command)}", flush=True)
    beside = Path(sys.executable).parent / command[0]
    program = str(beside) if beside.exists() else command[0]
    return subprocess.run([program, *command[1:]], check=False).returncode


def _test_path(name: str) -> str:
    return name if name.startswith("tests") else f"tests/{name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
