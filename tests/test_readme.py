"""The README's commands are those that CI runs, and what it says of the code is so."""

import re
import shlex
from pathlib import Path

from firmly_mcp.server.prompts import read_prompts
from tests import readme

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CI = (ROOT / ".ci" / "run").read_text("utf-8")


def commands() -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_ci_runs_the_readmes_two_commands_and_the_tests_last() -> None:
    pattern = re.search(r"grep '(.*)' README.md", CI)
    assert pattern
    run = [line for line in README.splitlines() if re.search(pattern.group(1), line)]
    assert run == [command for command in commands() if command.startswith("pip ")]
    assert [command.split(" && ")[1] for command in run] == ["firmly-mcp demo", "python -m tests"]


def test_every_command_of_ours_that_the_readme_names_exists() -> None:
    known = {row.split("`")[1] for row in readme.commands_table().splitlines() if row.startswith("| `")}
    words = [shlex.split(command) for command in commands() if command.startswith("firmly-mcp")]
    plain = [[word for word in each if not word.startswith("-")] for each in words]
    assert plain
    for each in plain:
        assert {" ".join(each[:2]), " ".join(each[:3])} & known


def test_every_tool_and_setting_stands_in_the_readme() -> None:
    tables = (
        readme.tools_table,
        readme.settings_table,
        readme.commands_table,
        readme.errors_table,
        readme.endpoints_table,
        readme.clients_table,
    )
    for table in tables:
        assert table().strip() in README


def test_no_index_and_no_path_of_a_machine_is_written_anywhere() -> None:
    constraints = (ROOT / ".ci" / "constraints.txt").read_text("utf-8")
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
