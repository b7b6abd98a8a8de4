"""What the documents state is so: links lead somewhere, commands are taken and run, examples are read."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import click
import pytest

from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.cli.main import command
from firmly_mcp.settings import Settings, read_settings
from tests.documents import (
    DOCS,
    DOCUMENTS,
    ROOT,
    anchors,
    code_in_prose,
    commands,
    examples,
    links,
    subcommand,
    text_of,
)
from tests.publishing import registry_name
from tests.raw_server import environment
from tests.secret_service import SecretService

EACH: Final = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
PACKAGE: Final = ROOT / "firmly_mcp"
OURS: Final = "firmly-mcp "
# Commands that a person answers, or that change an assistant's file or never end. Other tests give them their answers.
ANSWERED: Final = (
    "addresses", "approve", "cards", "install claude-desktop", "orders accept", "orders settle ATTEMPT", "pin",
    "rules accept", "serve", "uninstall",
)  # fmt: skip
RUN: Final = sorted(
    {
        line
        for path in DOCUMENTS
        for line in commands(path)
        if line.startswith(OURS) and not line.removeprefix(OURS).startswith(ANSWERED)
    }
)


@EACH
def test_every_link_in_the_documents_leads_somewhere(path: Path) -> None:
    for link in links(path):
        if "://" in link:
            assert link.startswith("https://"), link
            continue
        place, _, fragment = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


@EACH
def test_every_command_of_ours_in_the_documents_is_taken_with_its_options(path: Path) -> None:
    for line in commands(path):
        if not line.startswith(OURS):
            continue
        found, words = named_by(line)
        found.make_context(str(found.name), words)


@EACH
def test_every_command_of_ours_that_the_documents_name_exists(path: Path) -> None:
    for line in code_in_prose(path):
        if not line.startswith(OURS):
            continue
        found, words = named_by(line)
        known = {name for option in found.params for name in option.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_there_are_commands_in_the_documents_that_run_by_themselves() -> None:
    assert len(RUN) > 5


@pytest.mark.parametrize("line", RUN)
def test_a_command_in_the_documents_that_needs_no_person_runs(
    line: str, tmp_path: Path, keyring_bus: SecretService
) -> None:
    arguments = [sys.executable, "-m", "firmly_mcp", *shlex.split(line)[1:]]
    own = environment(tmp_path, bus=keyring_bus.bus.address)
    done = subprocess.run(arguments, capture_output=True, text=True, env=own, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@EACH
def test_every_example_in_the_documents_can_be_read(path: Path, tmp_path: Path) -> None:
    for example in examples(path, "json"):
        for line in example.splitlines():
            assert isinstance(json.loads(line), dict)
    for number, example in enumerate(examples(path, "toml")):
        written = tomllib.loads(example)
        if set(written) <= Settings.model_fields.keys():
            file = tmp_path / f"{number}.toml"
            file.write_text(example, "utf-8")
            read_settings({"FIRMLY_MCP_CONFIG": str(file)})
        elif "mcp_servers" not in written:
            read_rules(example)


def test_every_entry_in_the_readme_starts_the_server() -> None:
    readme = ROOT / "README.md"
    entries = [json.loads(line) for example in examples(readme, "json") for line in example.splitlines()]
    entries += [tomllib.loads(example) for example in examples(readme, "toml")]
    assert len(entries) == 3
    for entry in entries:
        (servers,) = entry.values()
        assert servers["firmly"].pop("type", "stdio") == "stdio"
        assert servers == {"firmly": {"command": "firmly-mcp", "args": ["serve"]}}


def test_every_rule_that_needs_no_line_is_named_by_the_code() -> None:
    (sentence,) = re.findall(r"^Rules that need no line: (.*)$", text_of(DOCS / "reference.md"), re.MULTILINE)
    named = re.findall(r"`(\w+)`", sentence)
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "firmly_mcp" / "checkout").rglob("*.py"))
    assert len(named) == 7
    assert [name for name in named if f'"{name}"' not in sources] == []


def test_every_test_that_the_documents_name_exists() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for path in DOCUMENTS for name in code_in_prose(path) if name.startswith("test_")}
    assert len(named) > 20
    assert [name for name in sorted(named) if f"def {name}(" not in sources] == []


@pytest.mark.parametrize("name", ["architecture.md", "security.md"])
def test_every_file_and_folder_of_ours_that_a_document_names_exists(name: str) -> None:
    named = {code for code in code_in_prose(DOCS / name) if re.fullmatch(r"[\w./]+(/|\.py)", code)}
    assert [code for code in sorted(named) if not any((root / code).exists() for root in (ROOT, PACKAGE))] == []


def test_the_architecture_names_every_room() -> None:
    rooms = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    assert (rooms | modules) - set(code_in_prose(DOCS / "architecture.md")) == set()


def test_the_changelog_has_this_version_and_is_linked_from_the_package() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    versions = re.findall(r"^## (\S+)$", text_of(DOCS / "changelog.md"), re.MULTILINE)
    assert project["version"] in versions
    assert versions[0] in {"Unreleased", project["version"]}
    repository = project["urls"]["Repository"]
    place = (DOCS / "changelog.md").relative_to(ROOT).as_posix()
    assert project["urls"]["Changelog"] == f"{repository}/blob/main/{place}"
    # A name under `io.github.USER` belongs to that user's repositories (MCP registry, authentication).
    assert repository == registry_name().replace("io.github.", "https://github.com/", 1)


def named_by(line: str) -> tuple[click.Command, list[str]]:
    """Return the command that a line names, and the words that follow its name."""
    words = shlex.split(line)[1:]
    found: click.Command = command
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        found = subcommand(found, words.pop(0))
    return found, words
