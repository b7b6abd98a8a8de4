"""The README's two commands are those that CI runs, and the reference has every tool, setting, command and error."""

import re

from firmly_mcp.server.prompts import read_prompts
from tests import reference
from tests.documents import ROOT, commands, text_of

README = ROOT / "README.md"
CI = text_of(ROOT / ".ci" / "run")


def test_ci_runs_the_readmes_two_commands_and_the_tests_last() -> None:
    pattern = re.search(r"grep '(.*)' README.md", CI)
    assert pattern
    run = [line for line in text_of(README).splitlines() if re.search(pattern.group(1), line)]
    assert run == [command for command in commands(README) if command.startswith("pip ")]
    assert [command.split(" && ")[1] for command in run] == ["firmly-mcp demo", "python -m tests"]


def test_every_tool_and_setting_stands_in_the_reference() -> None:
    tables = (
        reference.tools_table,
        reference.settings_table,
        reference.commands_table,
        reference.rules_table,
        reference.errors_table,
        reference.endpoints_table,
        reference.clients_table,
    )
    shown = text_of(reference.REFERENCE)
    for table in tables:
        assert table().strip() in shown


def test_no_index_and_no_path_of_a_machine_is_written_anywhere() -> None:
    constraints = text_of(ROOT / ".ci" / "constraints.txt")
    assert "://" not in constraints
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==\S+", line) for line in constraints.split())


def test_every_prompt_can_be_filled_and_says_what_it_is() -> None:
    prompts = list(read_prompts())
    assert prompts
    for prompt in prompts:
        assert prompt.title
        assert prompt.description
        text = prompt.filled({name: f"<{name}>" for name in prompt.arguments})
        assert all(f"<{name}>" in text for name in prompt.arguments)
