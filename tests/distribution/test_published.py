"""What registries and hosts are told is up to date, and their own tools find nothing wrong with it."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from firmly_mcp.settings import VARIABLES, read_settings
from tests import publishing

from .building import ROOT

PUBLISHED = ROOT / ".publish"


@pytest.mark.parametrize("name", ["server.json", "manifest.json"])
def test_a_generated_file_is_up_to_date(name: str) -> None:
    made = publishing.published()[name]
    assert (PUBLISHED / name).read_text("utf-8") == made, "run `python -m tests.publishing`"


def test_the_registry_would_take_the_entry(tools: Path, tmp_path: Path) -> None:
    entry = tmp_path / "server.json"
    entry.write_bytes((PUBLISHED / "server.json").read_bytes())
    judged = lint(tools, tmp_path)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "mcp-registry" in judged.stdout


def test_the_registrys_judge_sees_a_wrong_entry(tools: Path, tmp_path: Path) -> None:
    wrong = json.loads((PUBLISHED / "server.json").read_text("utf-8"))
    wrong["packages"][0]["environmentVariables"][0]["format"] = "money"
    (tmp_path / "server.json").write_text(json.dumps(wrong), "utf-8")
    assert lint(tools, tmp_path).returncode == 1


def lint(tools: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Judge a folder by the registry's schema and its rules for publishing."""
    command = [str(tools), "-m", "skillsaw", "lint", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_description_is_short_enough_for_the_registry() -> None:
    assert len(publishing.registry_entry()["description"]) <= publishing.DESCRIPTION_LIMIT


def test_the_readme_proves_to_the_registry_whose_package_it_is() -> None:
    """The registry looks for this line in the description of the package on PyPI."""
    names = re.findall(r"^<!-- mcp-name: (\S+) -->$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert names == [publishing.registry_name()]


def test_every_variable_of_the_entry_is_a_setting_and_none_is_set_by_itself() -> None:
    (package,) = publishing.registry_entry()["packages"]
    variables = package["environmentVariables"]
    assert [variable["name"] for variable in variables] == list(VARIABLES.values())
    assert not [variable for variable in variables if "default" in variable or "value" in variable]


def test_a_form_that_was_left_empty_sets_nothing(tmp_path: Path) -> None:
    manifest = publishing.bundle_manifest()
    defaults = {f"${{user_config.{name}}}": asked["default"] for name, asked in manifest["user_config"].items()}
    variables = {name: defaults[value] for name, value in manifest["server"]["mcp_config"]["env"].items()}
    config = tmp_path / "config.toml"
    config.write_text('environment = "sandbox"\napp_id = "id"\nshopper = "ana"\n', "utf-8")
    told = {"FIRMLY_MCP_CONFIG": str(config)}
    assert read_settings(told | variables) == read_settings(told)


def test_the_versions_of_the_package_agree() -> None:
    import firmly_mcp

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == firmly_mcp.__version__
