"""One build for all of these tests, and one installation of it."""

from pathlib import Path

import pytest

from tests.foreign import python_environment

from .building import ROOT, Built, build, install


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The wheel and the sdist of this tree."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def programs(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment in which the wheel is installed."""
    return install(built.wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def tools() -> Path:
    """The Python that has the programs that judge what is published."""
    return python_environment(Path(__file__).parent / "requirements_tools.txt")
