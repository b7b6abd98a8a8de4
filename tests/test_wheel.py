"""What is installed is whole: everything that is read at run time lies in the wheel."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROMPTS = {"checkout", "compare", "gift", "reorder", "shop", "track_order"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install` would fill it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder / "site")
    return folder / "site"


def test_every_prompt_is_in_the_wheel(installed: Path) -> None:
    files = {path.stem for path in (installed / "firmly_mcp" / "prompts").glob("*.md")}
    assert files == PROMPTS == {path.stem for path in (ROOT / "prompts").glob("*.md")}


def test_the_installed_package_reads_its_own_prompts(installed: Path, tmp_path: Path) -> None:
    program = (
        "import firmly_mcp; from firmly_mcp.server.prompts import read_prompts;"
        "print(firmly_mcp.__file__, *(prompt.name for prompt in read_prompts()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    where, *names = done.stdout.split()
    assert Path(where).is_relative_to(installed)
    assert set(names) == PROMPTS


def test_everything_beside_the_code_is_in_the_wheel(installed: Path) -> None:
    beside = {
        path.relative_to(ROOT) for path in (ROOT / "firmly_mcp").rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert beside
    assert {path for path in beside if not (installed / path).exists()} == set()
