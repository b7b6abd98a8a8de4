"""The wheel and the sdist, built from a tree without a network, and a clean environment with the wheel in it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Built:
    """What one build made."""

    wheel: Path
    sdist: Path

    def files_of_the_wheel(self) -> dict[str, bytes]:
        """Every file in the wheel, by name."""
        with zipfile.ZipFile(self.wheel) as files:
            return {name: files.read(name) for name in files.namelist()}

    def files_of_the_sdist(self) -> dict[str, bytes]:
        """Every file in the sdist, by name, without the folder around all of them."""
        with tarfile.open(self.sdist) as files:
            members = [member for member in files if member.isfile()]
            return {name.name.partition("/")[2]: _content(files, name) for name in members}


def build(tree: Path, folder: Path) -> Built:
    """Build both from the tree into the folder; the tree stays as it is."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=tree, check=True, capture_output=True, timeout=120)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with this wheel alone; its dependencies are those that run the tests. Its programs' folder.

    The path to the dependencies is a plain line of a .pth file, so what an editable installation here adds to the
    path of this Python is not added there.
    """
    venv.create(folder, symlinks=os.name != "nt")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--quiet", str(wheel)], check=True, capture_output=True, timeout=300)
    scheme = "nt_venv" if os.name == "nt" else "posix_venv"
    site = Path(sysconfig.get_path("purelib", scheme, {"base": str(folder), "platbase": str(folder)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return programs


def _content(files: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = files.extractfile(member)
    assert opened is not None
    return opened.read()
