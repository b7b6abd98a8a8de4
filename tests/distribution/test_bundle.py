"""The bundle that a desktop host installs: its own tool judges and packs it, and what was packed serves."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.foreign import node, node_packages
from tests.publishing import ROOT, bundle_manifest, lay_out_bundle
from tests.raw_server import environment

LOCKS = Path(__file__).parent / "mcpb"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, packed and opened again."""
    folder = tmp_path_factory.mktemp("bundle")
    lay_out_bundle(folder / "laid-out")
    packed = mcpb("pack", str(folder / "laid-out"), str(folder / "firmly-mcp.mcpb"))
    assert packed.returncode == 0, packed.stdout + packed.stderr
    with zipfile.ZipFile(folder / "firmly-mcp.mcpb") as files:
        files.extractall(folder / "unpacked")
    return folder / "unpacked"


def mcpb(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = (node_packages(LOCKS) / "node_modules" / ".bin" / "mcpb").resolve()
    command = [node(), str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_checked_in_manifest_is_valid() -> None:
    judged = mcpb("validate", str(ROOT / ".publish" / "manifest.json"))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_manifest_without_a_command_is_not_valid(tmp_path: Path) -> None:
    text = (ROOT / ".publish" / "manifest.json").read_text("utf-8")
    (tmp_path / "manifest.json").write_text(text.replace('"command": "uv",', ""), "utf-8")
    assert mcpb("validate", str(tmp_path / "manifest.json")).returncode != 0


def test_a_bundle_holds_what_its_package_is_built_from(unpacked: Path) -> None:
    packed = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert {"manifest.json", "start.py", "pyproject.toml", "README.md", ".publish/LICENSE", "prompts/shop.md"} <= packed
    package = {path for path in (ROOT / "firmly_mcp").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(ROOT).as_posix() for path in package} <= packed
    assert not [name for name in packed if name.startswith(("tests/", ".ci/")) or "__pycache__" in name]


@pytest.mark.anyio
async def test_a_bundle_serves_the_tools_that_its_manifest_names(unpacked: Path, tmp_path: Path) -> None:
    init = unpacked / "firmly_mcp" / "__init__.py"
    init.write_text('"""Told apart from the package that runs the tests."""\n\n__version__ = "0.0.1"\n', "utf-8")
    start = str(unpacked / bundle_manifest()["server"]["entry_point"])
    variables = environment(tmp_path, bus="unix:path=/nonexistent/bus")
    server = StdioServerParameters(command=sys.executable, args=[start], env=variables, cwd=tmp_path)
    async with Client(server) as client:
        assert client.server_info is not None
        assert client.server_info.version == "0.0.1"
        offered = [tool.name for tool in (await client.list_tools()).tools]
    assert offered == [tool["name"] for tool in bundle_manifest()["tools"]]
