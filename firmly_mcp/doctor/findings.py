"""One line of what `doctor` says: how a thing stands and, where it is not well, exactly what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from firmly_mcp.app import JOURNAL, accepted_settings
from firmly_mcp.checkout.journal.inspect import Look, look_at
from firmly_mcp.checkout.policy.acceptance import AcceptedSettings
from firmly_mcp.checkout.remarks import Here
from firmly_mcp.settings import Settings, command_line
from firmly_mcp.system.process import in_daemon_thread
from firmly_mcp.wallet.backends import Backend, find_backend
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.wallet import Wallet

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`says` is for the person; `fix` is a command or a line to write, empty where there is nothing to do."""

    check: str
    state: State
    says: str
    fix: str = ""


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", says)


def warning(check: str, says: str, fix: str) -> Finding:
    """It works, or will when it is needed, and something about it wants a look."""
    return Finding(check, "warning", says, fix)


def failed(check: str, says: str, fix: str) -> Finding:
    """Something does not work until it is put right."""
    return Finding(check, "failed", says, fix)


def skipped(check: str, why: str) -> Finding:
    """It was not looked at."""
    return Finding(check, "skipped", why)


# What the checks look at: the rooms as the server would build them, except that none is made, opened or locked.

# Of a keyring that asks nobody: it answers at once, or it hangs.
_KEYRING_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Examined:
    """One shopper's installation. `environ` is as it was before anything was looked at."""

    settings: Settings
    environ: Mapping[str, str]
    now: Callable[[], datetime]
    keychain: Keychain
    vault: Wallet

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str], now: Callable[[], datetime]) -> Examined:
        """The installation of these settings."""
        keychain = Keychain(limit=_KEYRING_SECONDS, find=_asking_nobody)
        accept = command_line(settings, "orders", "accept-payment-key")
        vault = Wallet(keychain, settings.owner, settings.data_dir / "locks", now, accept_key_command=accept)
        return cls(settings, environ, now, keychain, vault)

    @property
    def moves_money(self) -> bool:
        """Whether orders here are more than a game."""
        return self.settings.environment != "simulator"

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.settings.data_dir / JOURNAL

    @property
    def accepted(self) -> AcceptedSettings:
        """What a person accepted."""
        return accepted_settings(self.settings, self.vault)

    @property
    def here(self) -> Here:
        """What rules are compared with."""
        return Here(self.settings, self.vault, self.journal_path)

    def command(self, *words: str) -> str:
        """A command of ours, as it can be typed in any shell."""
        return command_line(self.settings, *words)

    async def journal(self) -> Look | None:
        """What is in the journal; None where there is none yet.

        Raises:
            NotAllowed: it cannot be read.
        """
        owner = {"environment": self.settings.environment, "shopper": self.settings.shopper}
        return await in_daemon_thread(lambda: look_at(self.journal_path, owner, self.now()))


def _asking_nobody(named: str | None) -> Backend:
    return find_backend(named).asking_nobody()
