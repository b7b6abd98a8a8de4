"""What the registry and a host's bundle say of the package, made from pyproject.toml, the settings and the tools.

`python -m tests.publishing` writes the files of `.publish/` anew; a test fails when one is out of date.
`python -m tests.publishing FOLDER` lays out a bundle there, for `mcpb pack FOLDER firmly-mcp.mcpb`.
"""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from firmly_mcp.server.app import TOOLS
from firmly_mcp.server.published import definition_of
from firmly_mcp.settings import VARIABLES, Environment, Settings

ROOT: Final = Path(__file__).parents[1]
PUBLISHED: Final = ROOT / ".publish"
REGISTRY_SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
# The registry's longest description.
DESCRIPTION_LIMIT: Final = 100
# How each kind of value is asked for, in the registry's words. Everything else is a string.
_FORMATS: Final[Mapping[object, str]] = {bool: "boolean", int: "number", Path: "filepath"}
# What a host's form asks a person for, with its title there; the rest is for `config.toml`.
_ASKED_IN_A_FORM: Final[Mapping[str, str]] = {
    "environment": "Environment",
    "app_id": "App ID",
    "shopper": "Shopper",
    "data_dir": "Data directory",
    "rules_file": "Rules file",
}
_KINDS: Final[Mapping[str, str]] = {"data_dir": "directory", "rules_file": "file"}
# What a host runs that reads a bundle's entry point and not its command.
_START: Final = "start.py"
# What a bundle is made of, beside its manifest and its entry point.
_BUNDLED: Final = ("pyproject.toml", "README.md", ".publish/LICENSE", "firmly_mcp", "prompts")


def main(arguments: Sequence[str]) -> None:
    """Write the files, or lay out a bundle."""
    if arguments:
        lay_out_bundle(Path(arguments[0]))
        return
    for name, text in published().items():
        (PUBLISHED / name).write_text(text, "utf-8")


def published() -> dict[str, str]:
    """The generated files, by name."""
    return {"server.json": _text(registry_entry()), "manifest.json": _text(bundle_manifest())}


def lay_out_bundle(folder: Path) -> None:
    """Copy what a host needs to run the server from this folder: the package, its metadata, its manifest."""
    for name in _BUNDLED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    shutil.copy(PUBLISHED / _START, folder)
    (folder / "manifest.json").write_text(_text(bundle_manifest()), "utf-8")


def registry_entry() -> dict[str, Any]:
    """The package as the MCP registry lists it (server.json, schema of 2025-12-11)."""
    project = _project()
    package = {
        "registryType": "pypi",
        "identifier": project["name"],
        "version": project["version"],
        "runtimeHint": "uvx",
        "runtimeArguments": [{"type": "named", "name": "--compile-bytecode"}],
        "packageArguments": [{"type": "positional", "value": "serve"}],
        "transport": {"type": "stdio"},
        "environmentVariables": [_variable(name) for name in VARIABLES],
    }
    return {
        "$schema": REGISTRY_SCHEMA,
        "name": registry_name(),
        "title": "Firmly",
        "description": project["description"],
        "version": project["version"],
        "packages": [package],
    }


def bundle_manifest() -> dict[str, Any]:
    """The package as a desktop host installs it (manifest.json of an .mcpb bundle, version 0.4)."""
    project = _project()
    run = ["run", "--directory", "${__dirname}", "--no-editable", "--compile-bytecode", project["name"], "serve"]
    asked = {VARIABLES[name]: f"${{user_config.{name}}}" for name in _ASKED_IN_A_FORM}
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": "Firmly",
        "version": project["version"],
        "description": project["description"],
        "author": project["authors"][0],
        "license": project["license"],
        "keywords": project["keywords"],
        "server": {
            "type": "uv",
            "entry_point": _START,
            "mcp_config": {"command": "uv", "args": run, "env": asked},
        },
        "tools": [{"name": tool["name"], "description": tool["description"]} for tool in map(definition_of, TOOLS)],
        "prompts_generated": True,
        "user_config": {name: _question(name) for name in _ASKED_IN_A_FORM},
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": project["requires-python"]},
        },
    }


def registry_name() -> str:
    """The package's name in the registry, with its namespace."""
    return str(_pyproject()["tool"]["publishing"]["registry-name"])


def _variable(setting: str) -> dict[str, Any]:
    """A setting as the registry describes its environment variable. None is needed and none is secret.

    None has a default: a client would set the variable to it, and `config.toml` would not count.
    """
    field = Settings.model_fields[setting]
    described: dict[str, Any] = {
        "name": VARIABLES[setting],
        "description": field.description,
        "isRequired": False,
        "isSecret": False,
    }
    if field.annotation in _FORMATS:
        described["format"] = _FORMATS[field.annotation]
    if setting == "environment":
        described["choices"] = list(get_args(Environment))
    return described


def _question(setting: str) -> dict[str, Any]:
    """A setting as a host's form asks for it.

    The default is empty, which is as if the variable were not there: `config.toml` counts. Without a default the
    variable's value would be the placeholder itself.
    """
    field = Settings.model_fields[setting]
    return {
        "type": _KINDS.get(setting, "string"),
        "title": _ASKED_IN_A_FORM[setting],
        "description": field.description,
        "required": False,
        "default": "",
    }


def _project() -> dict[str, Any]:
    project: dict[str, Any] = _pyproject()["project"]
    return project


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
