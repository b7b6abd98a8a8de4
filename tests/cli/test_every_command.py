"""What every command has alike, whatever it is about: a walk over all of them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from firmly_mcp.cli.main import command
from tests.cli.person import an_environment, at_a_terminal, in_a_script
from tests.documents import subcommand

# Commands whose standard output is something else than facts, each with what it is.
WITHOUT_JSON = {
    "serve": "frames of the protocol",
    "completion": "a script for a shell",
}
Done = subprocess.CompletedProcess[str]


def walk(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every group and every command below it, each with the words that name it."""
    yield path, group
    for name in group.commands:
        child = subcommand(group, name)
        if isinstance(child, click.Group):
            yield from walk(child, *path, name)
        else:
            yield (*path, name), child


EVERY = {" ".join(path): each for path, each in walk(command)}
COMMANDS = {name: each for name, each in EVERY.items() if not isinstance(each, click.Group)}


def test_the_walk_meets_the_commands_that_are_there() -> None:
    assert {"", "serve", "cards add", "orders settle", "rules explain", "pin"} <= EVERY.keys()
    assert WITHOUT_JSON.keys() <= COMMANDS.keys()


def test_a_command_is_listed_with_the_first_line_of_its_own_help() -> None:
    for name, listed in command.commands.items():
        assert listed.get_short_help_str(200) == subcommand(command, name).get_short_help_str(200)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in WITHOUT_JSON])
def test_a_command_can_print_json(name: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", EVERY)
def test_help_ends_with_examples_that_can_be_run(name: str) -> None:
    each = EVERY[name]
    with click.Context(each, info_name=f"firmly-mcp {name}".strip(), terminal_width=200) as context:
        shown = each.get_help(context)
    _, _, below = shown.partition("\n  Examples:\n")
    lines = [line.strip() for line in below.splitlines() if line.strip()]
    assert lines, f"no examples in the help of {name or 'firmly-mcp'}"
    assert shown.endswith(below)
    assert any(f"firmly-mcp {name}".strip() in line for line in lines)
    for line in lines:
        parse(line)


def parse(line: str) -> None:
    """Parse an example as the command would: its words up to a redirection, without the variables before them."""
    words = shlex.split(re.split(r" [|<>] ", line)[0])
    while re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    assert words.pop(0) == "firmly-mcp", line
    meant: click.Command = command
    while isinstance(meant, click.Group):
        meant = subcommand(meant, words.pop(0))
    meant.make_context(meant.name, words)


def test_an_example_that_cannot_be_run_is_seen() -> None:
    for line in ("firmly-mcp cards bring", "firmly-mcp cards list --yaml", "firmly-mcp rules explain --store x"):
        with pytest.raises((KeyError, click.UsageError)):
            parse(line)


def test_every_option_says_what_it_does() -> None:
    options = [
        (name, option) for name, each in EVERY.items() for option in each.params if isinstance(option, click.Option)
    ]
    assert {(name, option.name) for name, option in options if not option.help} == set()


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        (["cards", "lsit"], "No such command 'lsit'. Did you mean 'list'?", "firmly-mcp cards --help"),
        (["pin", "set", "--jsno"], "No such option '--jsno'. Did you mean '--json'?", "firmly-mcp pin set --help"),
        (["cards", "remove"], "Missing argument 'LABEL'.", "firmly-mcp cards remove --help"),
        (["serve", "--port", "8500"], "--port goes with --http.", "firmly-mcp serve --help"),
    ],
)
def test_wrong_usage_is_one_line_with_the_fix_below_it(
    tmp_path: Path, arguments: list[str], message: str, fix: str
) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"firmly-mcp: {message}\n  next: {fix}\n"


def test_wrong_usage_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, "cards", "remove", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    error = {"code": "usage", "message": "Missing argument 'LABEL'.", "next": "firmly-mcp cards remove --help"}
    assert json.loads(done.stderr) == {"error": error}


def test_an_error_of_ours_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, "cards", "list", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    error = json.loads(line)["error"]
    assert (error["code"], error["money_moved"], error["retry_safe"]) == ("wallet", "no", False)
    assert "Secret Service" in error["message"]


def test_a_group_alone_shows_its_commands(tmp_path: Path) -> None:
    shown = run(tmp_path, "cards")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "unlock" in shown.stderr


def test_a_table_has_colours_at_a_terminal_unless_the_person_wants_none(tmp_path: Path) -> None:
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    screens = []
    for wish in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with at_a_terminal("rules", "show", environment=an_environment(None, tmp_path, **wish)) as terminal:
            assert terminal.end() == 0, terminal.screen
        screens.append(terminal.screen)
        assert "Said by" in terminal.lines
    assert [bool(coloured.search(screen)) for screen in screens] == [True, False, False]
    piped = run(tmp_path, "rules", "show")
    assert "\x1b" not in piped.stdout + piped.stderr
    assert piped.stdout.startswith("environment\t")


def run(home: Path, *arguments: str) -> Done:
    return in_a_script(*arguments, environment=an_environment(None, home))
