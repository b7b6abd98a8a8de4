"""A person whose installation is looked at, with the command as a process and the keyring of the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from firmly_mcp.app import open_services
from firmly_mcp.doctor.findings import Finding
from firmly_mcp.settings import Settings, read_settings
from firmly_mcp.wallet.memory import fill
from tests.cli.person import an_environment, in_a_script
from tests.secret_service import SecretService
from tests.shop import settings as settings
from tests.shop import shop as shop


@dataclass(frozen=True)
class Person:
    """Their home, and the variables that their commands run with."""

    home: Path
    environment: Mapping[str, str]

    def with_variables(self, **variables: str) -> Person:
        """The same person with these variables as well."""
        return replace(self, environment={**self.environment, **variables})

    @property
    def settings(self) -> Settings:
        """Their settings."""
        return read_settings(self.environment)

    def doctor(self, *options: str) -> Answer:
        """What `firmly-mcp doctor` finds."""
        done = in_a_script("doctor", "--json", *options, environment=dict(self.environment))
        assert done.stderr == ""
        return Answer(done.returncode, [Finding(**line) for line in json.loads(done.stdout)])


@dataclass(frozen=True)
class Answer:
    """The exit code, and the lines."""

    code: int
    findings: list[Finding]

    def __getitem__(self, check: str) -> Finding:
        (found,) = [finding for finding in self.findings if finding.check == check]
        return found

    @property
    def failed(self) -> list[str]:
        """What failed."""
        return [finding.check for finding in self.findings if finding.state == "failed"]

    @property
    def text(self) -> str:
        """All that was said."""
        return "\n".join(f"{finding.check}: {finding.says} {finding.fix}" for finding in self.findings)


@pytest.fixture
def person(keyring_bus: SecretService, tmp_path: Path) -> Person:
    """Somebody with a keyring and nothing in it."""
    rules = str(tmp_path / "rules.toml")
    return Person(tmp_path, an_environment(keyring_bus.bus, tmp_path, FIRMLY_MCP_RULES=rules))


async def fill_wallet(settings: Settings) -> None:
    """A test card and an address in the wallet of these settings, if nothing is there."""
    async with open_services(settings) as services:
        vault = await services.vault()
        if not await vault.cards():
            await fill(vault)
