"""`python -m tests.distribution` installs the package as people do, each way for itself, and buys something with it.

Dependencies come from the package index, so it needs the network and some minutes. It exits 1 if one way fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.foreign import install_python_environment
from tests.publishing import bundle_manifest, lay_out_bundle

from .building import ROOT, build


@dataclass(frozen=True, slots=True)
class Way:
    """A way to install: what is run first, and then the command without its words."""

    name: str
    command: Sequence[str]
    before: Sequence[str] = ()
    variables: dict[str, str] = field(default_factory=dict)


def main() -> int:
    """Try each way; 0 if all of them bought something."""
    tools = install_python_environment(Path(__file__).parent / "requirements_tools.txt")
    with tempfile.TemporaryDirectory(prefix="firmly-mcp-ways-") as name:
        folder = Path(name)
        wheel = build(ROOT, folder / "built").wheel
        worked = [_tried(way, folder) for way in _ways(tools, wheel, folder)]
        return 0 if all(worked) else 1


def _ways(tools: Path, wheel: Path, folder: Path) -> Iterator[Way]:
    uv, pipx = str(tools.parent / "uv"), [str(tools), "-m", "pipx"]
    in_tools = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    yield Way("uvx", [uv, "tool", "run", "--compile-bytecode", "--from", str(wheel), "firmly-mcp"])
    yield Way(
        "uv tool install",
        [str(folder / "bin" / "firmly-mcp")],
        [uv, "tool", "install", "--compile-bytecode", str(ROOT)],
        in_tools,
    )
    in_pipx = {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "pipx-bin"), "UV_COMPILE_BYTECODE": "1"}
    for backend in ("pip", "uv"):
        yield Way(
            f"pipx install, with {backend}",
            [str(folder / "pipx-bin" / "firmly-mcp")],
            [*pipx, "install", "--force", "--backend", backend, str(ROOT)],
            {**in_pipx, "PATH": f"{tools.parent}{os.pathsep}{os.environ['PATH']}"},
        )
    lay_out_bundle(folder / "bundle")
    run = [argument.replace("${__dirname}", str(folder / "bundle")) for argument in _of_the_manifest()]
    yield Way("the bundle's own command", [uv, *run[:-1]])


def _of_the_manifest() -> list[str]:
    arguments: list[str] = bundle_manifest()["server"]["mcp_config"]["args"]
    return arguments


def _tried(way: Way, folder: Path) -> bool:
    """Install, then run the demo from a folder where nothing of the tree is; say how long each took."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    cache = {"UV_CACHE_DIR": str(folder / "uv-cache"), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus"}
    variables = {**kept, **cache, **way.variables}
    for what, command in (("installed", way.before), ("bought", [*way.command, "demo", "--json"])):
        if not command:
            continue
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=home, env=variables, capture_output=True, text=True, check=False, timeout=600
        )
        print(f"{way.name}: {what if done.returncode == 0 else 'FAILED'}, {time.monotonic() - begun:.1f} s", flush=True)
        if done.returncode != 0:
            print(done.stdout[-1000:] + done.stderr[-1000:], file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
