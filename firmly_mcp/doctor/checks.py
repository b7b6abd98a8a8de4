"""The table of checks, and how they run: side by side, each for so long and no longer, and none brings another down."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from . import machine, network, shopper
from .findings import Examined, Finding, failed, ok, skipped

LIMIT_SECONDS: Final = 12.0
BOUNDARY: Final = (
    "A program that runs as you can read your keyring, and where no PIN is set it can give a yes through a "
    "pseudo-terminal; the PIN is what holds. Give agents that have a shell another account on the machine."
)

Look = Callable[[Examined], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Where one that it `needs` failed, it is not made; `asks_network` ones are left out offline."""

    name: str
    look: Look
    needs: str | None = None
    asks_network: bool = False


CHECKS: Final[Sequence[Check]] = (
    Check("environment", network.environment),
    Check("api", network.api, asks_network=True),
    Check("payment", network.payment, asks_network=True),
    Check("keyring", shopper.keyring),
    Check("cards", shopper.cards, needs="keyring"),
    Check("addresses", shopper.addresses, needs="keyring"),
    Check("pin", shopper.pin, needs="keyring"),
    Check("payment keys", shopper.payment_keys, needs="keyring"),
    Check("payment key", network.payment_key, needs="keyring", asks_network=True),
    Check("rules", shopper.rules),
    Check("accepted", shopper.accepted, needs="keyring"),
    Check("commands", shopper.commands),
    Check("data directory", machine.data_dir),
    Check("journal", shopper.journal),
    Check("journal mark", shopper.journal_mark, needs="keyring"),
    Check("pages", machine.pages),
    Check("browser", machine.browser),
    Check("host", machine.host),
)

_log = logging.getLogger(__name__)


async def examine(examined: Examined, *, offline: bool, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Make the checks; what they found, in the order of the table, and last whom nothing here stops."""
    made = {check.name: _Made(check) for check in checks}
    async with anyio.create_task_group() as tasks:
        for each in made.values():
            tasks.start_soon(each.make, examined, offline, made)
    found = [finding for each in made.values() for finding in each.findings]
    return [*await machine.software(), *found, ok("boundary", BOUNDARY)]


def without_settings(problem: str, fix: str) -> Iterator[Finding]:
    """What can be said where the settings cannot be read."""
    yield failed("settings", problem, fix)
    yield from (skipped(check.name, "The settings cannot be read.") for check in CHECKS)
    yield ok("boundary", BOUNDARY)


class _Made:
    """A check that is being made."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._done = anyio.Event()
        self.findings: Sequence[Finding] = ()

    async def make(self, examined: Examined, offline: bool, others: Mapping[str, _Made]) -> None:
        check = self._check
        try:
            if check.asks_network and offline and examined.moves_money:
                self.findings = [skipped(check.name, "Not asked for: offline.")]
            elif check.needs and await others[check.needs].has_failed():
                self.findings = [skipped(check.name, f"It needs what is wrong above: {check.needs}.")]
            else:
                self.findings = await _bounded(check, examined)
        finally:
            self._done.set()

    async def has_failed(self) -> bool:
        await self._done.wait()
        return any(finding.state == "failed" for finding in self.findings)


async def _bounded(check: Check, examined: Examined) -> Sequence[Finding]:
    try:
        with anyio.fail_after(LIMIT_SECONDS):
            return await check.look(examined)
    except TimeoutError:
        said = f"It did not end within {LIMIT_SECONDS:g} seconds, and was left."
        return [failed(check.name, said, "Run this again; if it stays, restart what it asks, or the machine.")]
    except Exception as error:  # noqa: BLE001 - a check that breaks is one line of the answer, like any other fault
        _log.debug("the check %s broke", check.name, exc_info=True)
        said = f"The check itself broke ({type(error).__name__}): {error}"[:300]
        return [failed(check.name, said, "Please report this with the output of: firmly-mcp doctor --json")]
