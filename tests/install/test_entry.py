"""What an entry says: this very program, the settings in force, and no variable that the host passes on by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from firmly_mcp import __version__
from firmly_mcp.errors import SettingsError
from firmly_mcp.install.clients import CLIENTS
from firmly_mcp.install.entry import Program, entry_for, this_program
from firmly_mcp.settings import CONFIG_VARIABLE, VARIABLES
from tests.install.installing import SESSION

PROGRAM = Program("/opt/firmly/bin/firmly-mcp", ("serve",))
BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus"}
SECRETS = {"FIRMLY_TOKEN": "t0ken", "OPENAI_API_KEY": "k3y", "PATH": "/usr/bin", "FIRMLY_CONTRACT_APP_ID": "c"}


def entry(host: str, platform: str = "linux", **environ: str) -> dict[str, Any]:
    return entry_for(CLIENTS[host], PROGRAM, environ, platform)


@pytest.mark.parametrize("host", ["claude-desktop", "claude-code", "cursor", "gemini-cli"])
def test_a_host_that_drops_them_is_told_the_bus_and_the_display(host: str) -> None:
    assert entry(host, **BUS, **SESSION)["env"] == BUS | SESSION
    assert "env" not in entry(host, "darwin", **BUS, **SESSION)
    assert "env" not in entry(host)


def test_a_host_that_passes_everything_on_is_told_nothing() -> None:
    assert "env" not in entry("vscode", **BUS, **SESSION)


def test_codex_is_told_the_names_and_takes_the_values_of_the_day() -> None:
    said = entry("codex", **BUS, **SESSION)
    assert "env" not in said
    assert set(said["env_vars"]) == {*BUS, *SESSION}
    assert "env_vars" not in entry("codex", "win32")


def test_a_display_that_came_by_ssh_is_not_written_down() -> None:
    said = entry("cursor", **BUS, **SESSION, SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22")["env"]
    assert set(said) == {*BUS, "XDG_RUNTIME_DIR"}


@pytest.mark.parametrize("host", CLIENTS)
def test_every_setting_in_force_is_told_and_nothing_else_of_the_shell(host: str) -> None:
    settings = {name: f"/{number}" for number, name in enumerate([CONFIG_VARIABLE, *VARIABLES.values()])}
    assert entry(host, **settings, **SECRETS)["env"] == settings


def test_paths_among_the_settings_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = entry("cursor", FIRMLY_MCP_DATA_DIR="data", FIRMLY_MCP_RULES="rules.toml", FIRMLY_MCP_CONFIG="c.toml")
    assert set(said["env"].values()) == {str(tmp_path / name) for name in ("data", "rules.toml", "c.toml")}
    monkeypatch.setenv("HOME", "/home/ana")
    assert entry("cursor", FIRMLY_MCP_RULES="~/rules.toml")["env"] == {"FIRMLY_MCP_RULES": "/home/ana/rules.toml"}


@pytest.mark.parametrize(("host", "value"), [("cursor", "a${env:B}"), ("gemini-cli", "/a$B"), ("vscode", "${x}")])
def test_a_value_that_the_host_would_replace_is_refused(host: str, value: str) -> None:
    with pytest.raises(SettingsError, match=r"replaces what follows a \$"):
        entry(host, FIRMLY_MCP_DATA_DIR=value)
    assert entry("codex", FIRMLY_MCP_SHOPPER=value)["env"] == {"FIRMLY_MCP_SHOPPER": value}


def test_a_path_that_is_no_text_is_refused() -> None:
    with pytest.raises(SettingsError, match="not text"):
        entry("cursor", FIRMLY_MCP_DATA_DIR=b"/a\xff".decode(errors="surrogateescape"))


def a_python_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / "firmly-mcp").touch()
    monkeypatch.setattr(sys, "prefix", str(directory))
    monkeypatch.setattr(sys, "executable", str(directory / "bin" / "python"))
    return directory


def test_the_program_is_the_one_beside_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = a_python_in(tmp_path / "uv" / "tools" / "firmly-mcp", monkeypatch)
    # uv marks every environment that it makes like a cache, and this one lasts.
    (tools / "CACHEDIR.TAG").touch()
    assert this_program() == Program(str(tools / "bin" / "firmly-mcp"), ("serve",))
    (tools / "bin" / "firmly-mcp").unlink()
    assert this_program() == Program(sys.executable, ("-m", "firmly_mcp", "serve"))


def test_from_the_cache_of_pipx_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_python_in(tmp_path / ".cache" / "pipx" / "46a63146", monkeypatch)
    with pytest.raises(SettingsError, match="pipx install"):
        this_program()


@pytest.fixture
def in_cache_of_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This Python, as `uvx firmly-mcp` runs it."""
    cache = tmp_path / "cache" / "uv"
    a_python_in(cache / "archive-v0" / "xyz", monkeypatch)
    (cache / "CACHEDIR.TAG").touch()
    return cache


def test_from_the_cache_of_uv_what_did_not_come_from_an_index_is_refused(in_cache_of_uv: Path) -> None:
    assert in_cache_of_uv.exists()
    # The tests run from a checkout.
    with pytest.raises(SettingsError, match="did not come from a package index"):
        this_program()


def test_from_the_cache_of_uv_the_same_version_is_run_by_uvx(
    in_cache_of_uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_cache_of_uv.exists()
    metadata = tmp_path / "site" / f"firmly_mcp-{__version__}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: firmly-mcp\nVersion: {__version__}\n", "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    uvx = tmp_path / "bin" / "uvx"
    uvx.parent.mkdir()
    uvx.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("UV", raising=False)
    with pytest.raises(SettingsError, match="uvx is not on the PATH"):
        this_program()
    monkeypatch.setenv("UV", str(uvx.with_name("uv")))
    by_uv = this_program()
    monkeypatch.delenv("UV")
    monkeypatch.setenv("PATH", str(uvx.parent))
    assert this_program() == by_uv == Program(str(uvx), (f"firmly-mcp=={__version__}", "serve"))
