"""What moves money counts only once a person has seen it and typed the PIN: the rules, and the settings beside them.

The keyring holds a hash of each, keyed with a random key: whoever changes a file cannot make the change count, and the
entry is small enough for every keyring. In the simulator no money moves, and everything counts as it stands, except
where a person types a card and a PIN: that is accepted in every environment.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firmly_mcp.checkout.models import StoredText
from firmly_mcp.errors import NotAllowed, SettingsError
from firmly_mcp.settings import PAGES_AT
from firmly_mcp.system.files import write_whole
from firmly_mcp.wallet.pin import ApprovalPin, ApprovalProof, require_person

from .evaluate import OrderFacts, RuleResult, SpendingHistory, decide
from .file import read_rules
from .rules import Rules

RULES: Final = "rules"

# Where money goes. While one of these is not accepted, no order is placed, whoever says yes.
WHERE: Final = ("environment", "app_id", "api_url", "payment_url")

FREE: Final = "simulator"


class Acceptance(BaseModel):
    """What a person accepted, as the keyring keeps it: a key, and with it a hash of each text."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, whose: str, declared: Mapping[str, str]) -> Acceptance:
        """The acceptance of all of this, under a new key."""
        key = secrets.token_hex(32)
        return cls(key=key, hashes={name: _hash(key, whose, name, text) for name, text in declared.items()})

    @classmethod
    def from_text(cls, text: str | None) -> Acceptance | None:
        """From the keyring; None where nothing usable is kept, which accepts nothing."""
        try:
            return None if text is None else cls.model_validate_json(text)
        except ValidationError:
            return None

    def has(self, whose: str, name: str, text: str) -> bool:
        """Whether this very text was accepted under this name."""
        return hmac.compare_digest(self.hashes.get(name, ""), _hash(self.key, whose, name, text))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is declared now, which of it nobody accepted, and what was accepted in its place, where that is known."""

    declared: Mapping[str, str]
    unaccepted: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    is_first: bool = False


class AcceptedSettings:
    """The accepted settings of one shopper in one environment.

    `declared` reads each setting that moves money, and the rules' text, as they are now; `pages` are those of them that
    say where a person types. `accept_command` and
    `pin_command` are what a person runs, in full.
    """

    def __init__(
        self,
        *,
        environment: str,
        shopper: str,
        declared: Callable[[], Mapping[str, str]],
        pages: Mapping[str, str],
        entry: StoredText,
        texts: AcceptedTexts,
        pin: ApprovalPin,
        accept_command: str,
        pin_command: str,
    ) -> None:
        self.environment = environment
        self.accept_command = accept_command
        self._whose = json.dumps([environment, shopper])
        self._declared = declared
        self._pages = pages
        self._entry = entry
        self._texts = texts
        self._pin = pin
        self._pin_command = pin_command

    @property
    def is_needed(self) -> bool:
        """Whether all of it has to be accepted here, because money moves; else only what `needs` names."""
        return self.environment != FREE

    def needs(self, name: str, text: str) -> bool:
        """Whether this counts only once it is accepted. At their defaults the pages are on this machine alone."""
        return bool(text) if name in PAGES_AT else self.is_needed

    def needs_something(self, standing: Standing) -> bool:
        """Whether any of this counts only once it is accepted."""
        return any(self.needs(name, text) for name, text in standing.declared.items())

    async def standing(self) -> Standing:
        """What counts now.

        Raises:
            SettingsError: the rules file cannot be read.
            WalletError: the keyring cannot be used.
        """
        declared = self._declared()
        needed = {name: text for name, text in declared.items() if self.needs(name, text)}
        if not needed:
            return Standing(declared)
        kept = Acceptance.from_text(await self._entry.load())
        if kept is None:
            return Standing(declared, tuple(needed), is_first=True)
        unaccepted = tuple(name for name, text in needed.items() if not kept.has(self._whose, name, text))
        texts = self._texts.load() if unaccepted else {}
        before = {name: text for name, text in texts.items() if kept.has(self._whose, name, text)}
        return Standing(declared, unaccepted, before)

    async def load(self) -> Policy:
        """Return the rules in force now.

        Raises:
            SettingsError: they cannot be read, or contradict themselves; while they do, no order may be sent.
        """
        return in_force(await self.standing(), self.accept_command)

    async def accept(self, shown: Standing, proof: ApprovalProof) -> None:
        """Let all that a person was shown count from now on: that, and not what the files say by then.

        Raises:
            PinRefused: the PIN is wrong, locked or missing. Nothing was accepted.
            SettingsError, WalletError: it cannot be kept.
        """
        await require_person(proof, self._pin, needs_pin=self.is_needed)
        self._texts.save(shown.declared)
        await self._entry.save(Acceptance.of(self._whose, shown.declared).model_dump_json())

    async def pages_notice(self) -> str | None:
        """Why the pages are not where the settings say, with what to do; None where they are.

        While one of these settings is not accepted, none of them is used: the pages are on this machine alone.

        Raises:
            WalletError: the keyring cannot be used.
        """
        needed = {name: text for name, text in self._pages.items() if text}
        if not needed:
            return None
        kept = Acceptance.from_text(await self._entry.load())
        missing = [name for name, text in needed.items() if kept is None or not kept.has(self._whose, name, text)]
        if not missing:
            return None
        return (
            f"Not accepted: {', '.join(missing)}. Until a person accepts where cards and PINs are typed, the pages are "
            f"at this machine's own address alone: run `{self.accept_command}` in a terminal."
        )

    async def require_accepted_destination(self) -> None:
        """Let orders through where a person accepted to where they go, and can say yes to them.

        Raises:
            NotAllowed: names what is missing and the command that supplies it.
        """
        if not self.is_needed:
            return
        await self.refuse_without_pin()
        await self.refuse_unless_accepted(*WHERE)

    async def refuse_without_pin(self) -> None:
        """Have a PIN by which a person is known.

        Raises:
            NotAllowed: there is none.
        """
        if not await self._pin.is_set():
            raise NotAllowed(
                f"Orders in the {self.environment} environment need an approval PIN first, and none is set. "
                f"Nothing was sent. The person runs `{self._pin_command}` in a terminal.",
                next=self._pin_command,
            )

    async def refuse_unless_accepted(self, *names: str) -> None:
        """Go on only with settings that a person accepted as they are now.

        Raises:
            NotAllowed: names those that nobody accepted, and the command.
        """
        missing = [name for name in (await self.standing()).unaccepted if name in names]
        if missing:
            raise NotAllowed(
                f"Nobody has accepted these settings as they are now: {', '.join(missing)}. Until a person has, "
                f"nothing is paid with them in the {self.environment} environment. Nothing was sent. The person runs "
                f"`{self.accept_command}` in a terminal.",
                next=self.accept_command,
            )


def _hash(key: str, whose: str, name: str, text: str) -> str:
    message = json.dumps([whose, name, text]).encode()
    return hmac.new(bytes.fromhex(key), message, hashlib.sha256).hexdigest()


# The texts that were accepted last, in a file of the person's own, to show what changed since.


@dataclass(frozen=True, slots=True)
class AcceptedTexts:
    """The file of one shopper in one environment."""

    path: Path

    @classmethod
    def of(cls, data_dir: Path, environment: str, shopper: str) -> AcceptedTexts:
        """Where they are kept beside the other data."""
        return cls(data_dir / "accepted" / f"{quote(f'{environment} {shopper}', safe='')}.json")

    def load(self) -> dict[str, str]:
        """What is there; nothing where it is missing or damaged."""
        try:
            read = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(read, dict):
            return {}
        return {name: text for name, text in read.items() if isinstance(text, str)}

    def save(self, texts: Mapping[str, str]) -> None:
        """Write them anew, readable for this user alone.

        Raises:
            SettingsError: the directory cannot be written.
        """
        try:
            write_whole(self.path, json.dumps(dict(texts), ensure_ascii=False))
        except OSError as error:
            raise SettingsError(
                f"What was accepted cannot be written to {self.path.parent} ({type(error).__name__}). Nothing was "
                "accepted."
            ) from None


# The rules that count now.

# A card's command prints a card and no consent: without it there is one card less. Pages that are not accepted are not
# used, so they ask at this machine's own address.
_SAYS_NO_YES = frozenset({"card_command", *PAGES_AT})


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules as they are written; `unaccepted` says what about them is not accepted, None where all is.

    `before` are the rules that were accepted last, where they are others and still known.
    """

    written: Rules
    unaccepted: str | None = None
    before: Rules | None = None

    def decide(self, order: OrderFacts, history: SpendingHistory) -> RuleResult:
        """Return what decides over an order. Rules that are not accepted allow nothing and lift no earlier refusal."""
        result = decide(self.written, order, history)
        if self.unaccepted is None or result.verdict == "refuse":
            return result
        earlier = None if self.before is None else decide(self.before, order, history)
        if earlier is not None and earlier.verdict == "refuse":
            return replace(earlier, reason=f"{earlier.reason} {self.unaccepted} Until then the earlier refusals hold.")
        return RuleResult("unaccepted", "ask", self.unaccepted) if result.verdict == "allow" else result

    def pin_required(self, required: Callable[[Rules], bool]) -> bool:
        """Whether a yes needs the PIN; what is not accepted waives none."""
        return self.unaccepted is not None or required(self.written)


def in_force(standing: Standing, accept_command: str) -> Policy:
    """The rules that count, given what was accepted.

    Raises:
        SettingsError: they cannot be read, or contradict themselves; while they do, no order may be sent.
    """
    written = read_rules(standing.declared[RULES])
    missing = [name for name in standing.unaccepted if name not in _SAYS_NO_YES]
    if not missing:
        return Policy(written)
    return Policy(written, _in_words(missing, accept_command), _earlier(standing))


def _earlier(standing: Standing) -> Rules | None:
    text = standing.before.get(RULES) if RULES in standing.unaccepted else None
    try:
        return None if text is None else read_rules(text)
    except SettingsError:
        # Accepted under another version, whose rules were written otherwise.
        return None


def _in_words(missing: list[str], accept_command: str) -> str:
    what = ", ".join("your rules" if name == RULES else name for name in missing)
    return (
        f"Nobody has accepted {what} as now written, so nothing is allowed without asking: run `{accept_command}` in a "
        "terminal."
    )
