"""The container's recipe: linted, and held to the tree, for no engine builds it here."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from firmly_mcp.cli.main import command
from firmly_mcp.settings import read_settings
from firmly_mcp.wallet.memory import ADDRESS_LABEL
from tests.pages.wire import wire_to
from tests.publishing import registry_name
from tests.raw_server import DEADLINE, environment
from tests.shop import STORE, TEE, call

from .building import ROOT, Built, build

DOCKERFILE = ROOT / ".publish" / "Dockerfile"
IGNORED = ROOT / ".publish" / "Dockerfile.dockerignore"


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of this name, with its continued lines in one."""
    whole = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    return [" ".join(line.split()[1:]) for line in whole.splitlines() if line.split()[:1] == [name]]


def variables() -> dict[str, str]:
    """The settings that the image makes."""
    return dict(re.findall(r"(FIRMLY_\w+)=(\S+)", " ".join(instructions("ENV"))))


def words_of(name: str) -> list[str]:
    """The words of an instruction that is written as a list."""
    return shlex.split(instructions(name)[0].strip("[]").replace(",", " "))


def test_the_recipe_has_no_findings(tools: Path) -> None:
    linted = subprocess.run(
        [str(tools.parent / "hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (linted.returncode, linted.stdout) == (0, ""), linted.stdout + linted.stderr


def test_the_linter_sees_a_finding(tools: Path, tmp_path: Path) -> None:
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text("utf-8").replace("python:3.13-slim", "python"), "utf-8")
    linted = subprocess.run(
        [str(tools.parent / "hadolint"), str(worse)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "DL3006" in linted.stdout


def test_what_the_recipe_copies_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    tree = tmp_path / "source"
    copied = [words.split()[:-1] for words in instructions("COPY") if not words.startswith("--from")]
    for name in [name for names in copied for name in names]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    assert (tree / ".ci" / "constraints.txt").exists()
    wheel = build(tree, tmp_path / "made").files_of_the_wheel()
    assert wheel == built.files_of_the_wheel()


def test_what_is_copied_is_sent_to_the_engine() -> None:
    sent = {line.removeprefix("!") for line in IGNORED.read_text("utf-8").splitlines() if line.startswith("!")}
    copied = [words.split()[:-1] for words in instructions("COPY") if not words.startswith("--from")]
    assert {name for names in copied for name in names} == sent


def test_the_image_says_whose_it_is_and_runs_without_rights() -> None:
    assert instructions("LABEL") == [f'io.modelcontextprotocol.server.name="{registry_name()}"']
    assert instructions("USER") == ["10001:10001"]


def test_the_image_keeps_its_bytecode() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert "PYTHONDONTWRITEBYTECODE" not in text
    assert "--no-compile" not in text


def test_the_images_variables_are_settings_that_go_together() -> None:
    settings = read_settings(variables())
    assert str(settings.data_dir) == instructions("VOLUME")[0]
    assert str(settings.pages_port) == instructions("EXPOSE")[0]
    assert not settings.open_pages


def test_the_images_command_exists() -> None:
    name, *options = words_of("CMD")
    known = {option for parameter in command.commands[name].params for option in parameter.opts}
    assert set(options) <= known


@pytest.mark.anyio
async def test_an_order_from_the_image_is_approved_on_the_published_page(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    own = {name: value.replace("8438", port) for name, value in variables().items()}
    own |= {"FIRMLY_MCP_DATA_DIR": str(tmp_path / "data"), "FIRMLY_MCP_PAGES_BIND": "127.0.0.1"}
    told = environment(tmp_path, bus="unix:path=/nonexistent/bus", PYTHONPATH=str(ROOT), **own)
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "firmly_mcp", *words_of("CMD")], env=told, cwd=tmp_path
    )
    async with Client(server) as client:
        await call(client, "add_line_item", store=STORE, ref=TEE, quantity=2)
        await call(client, "set_shipping_info", store=STORE, address=ADDRESS_LABEL)
        asked = await call(client, "complete_order", store=STORE)
        assert asked["link"].startswith(f"http://127.0.0.1:{port}/open/")
        wire = wire_to(asked["link"])
        page = await wire.enter(asked["link"])
        hidden = {name: page.hidden(name) for name in ("csrf", "shown")}
        await wire.post({**hidden, "security_code": "123", "answer": "approve"})
        with anyio.fail_after(DEADLINE):
            while (order := (await call(client, "list_orders"))["orders"][0])["status"] == "in_progress":
                continue
    assert order["status"] == "placed"
