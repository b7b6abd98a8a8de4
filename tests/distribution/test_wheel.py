"""What is built is whole: all that is read at run time, all that is required, and nothing else."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
from email import message_from_bytes
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import firmly_mcp

from .building import ROOT, Built, build

# Modules that belong to what another package gives its users: where that one is required, they are there.
PART_OF = {"markupsafe": "jinja2", "pydantic_core": "pydantic"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def package_files() -> set[str]:
    """Every file of the package and of the prompts, as the tree has them."""
    folders = [ROOT / "firmly_mcp", ROOT / "prompts"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(ROOT).as_posix() for path in files}


def metadata(built: Built) -> Message:
    (text,) = [data for name, data in built.files_of_the_wheel().items() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(text)


def test_the_wheel_holds_the_package_and_the_prompts_and_nothing_else(built: Built) -> None:
    files = {name for name in built.files_of_the_wheel() if ".dist-info/" not in name}
    expected = {re.sub(r"^prompts/", "firmly_mcp/prompts/", name) for name in package_files()}
    assert files == expected
    for kind in ("py.typed", "prompts/shop.md", "pages/templates/", "pages/static/"):
        assert any(name.startswith(f"firmly_mcp/{kind}") for name in files)


def test_the_sdist_holds_all_that_the_wheel_is_built_from(built: Built) -> None:
    files = built.files_of_the_sdist().keys()
    assert package_files() <= files
    assert {"pyproject.toml", "README.md", ".publish/LICENSE", "tests/__main__.py", ".ci/run"} <= files
    assert not [name for name in files if "__pycache__" in name or name.startswith((".git/", "dist/", ".venv/"))]


def test_the_sdist_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as files:
        files.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    again = build(tree, tmp_path / "again")
    assert again.wheel.name == built.wheel.name
    assert again.files_of_the_wheel() == built.files_of_the_wheel()


def test_the_metadata_says_who_what_and_under_which_licence(built: Built) -> None:
    said = metadata(built)
    assert (said["Name"], said["Version"]) == (PROJECT["name"], firmly_mcp.__version__)
    assert said["Summary"] == PROJECT["description"]
    assert said["License-Expression"] == "MIT"
    assert said["License-File"] == ".publish/LICENSE"
    assert said["Author"] == PROJECT["authors"][0]["name"]
    assert said["Requires-Python"] == PROJECT["requires-python"]
    assert said["Description-Content-Type"] == "text/markdown"
    licences = [data for name, data in built.files_of_the_wheel().items() if "/licenses/" in name]
    assert licences == [(ROOT / ".publish" / "LICENSE").read_bytes()]


def test_every_package_that_is_imported_is_required(built: Built) -> None:
    required = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    by_module = packages_distributions()
    sources = [data for name, data in built.files_of_the_wheel().items() if name.endswith(".py")]
    modules = {PART_OF.get(module, module) for source in sources for module in imported(source)}
    assert modules > {"mcp", "jinja2", "anyio"}
    named = {module: {canonicalize_name(name) for name in by_module.get(module, [module])} for module in modules}
    assert {module for module, names in named.items() if not names & required} == set()


def imported(source: bytes) -> set[str]:
    """The packages of others that a module imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"firmly_mcp"}


def test_an_index_would_take_both(built: Built, tools: Path) -> None:
    command = [str(tools), "-m", "twine", "check", "--strict", str(built.wheel), str(built.sdist)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("PASSED") == 2
