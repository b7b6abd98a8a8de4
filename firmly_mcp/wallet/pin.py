"""The approval PIN, and the proof that a person acts: one act has one lock, and the act itself checks it.

The keyring has the PIN's scrypt hash; five misses lock it for fifteen minutes. Each environment and shopper has a PIN
of its own: one that was shown around on the simulator opens nothing where money moves, and guesses there lock nothing
here. A try is counted in the keyring before it is compared, under a lock file: neither a second process nor a killed
one gets a sixth. Setting the clock back does not end a lock.

An `ApprovalProof` is made where a person is: at a controlling terminal (`cli/prompt.py`), or on a page that
they opened by its link (`pages/sessions.py`). No tool and no script makes one.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Final, Literal

import anyio.to_thread
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from firmly_mcp.errors import MoneyMoved, PinRefused, WalletError
from firmly_mcp.redaction import holds_card_number

from .entries import is_printable
from .keychain import Secrets, exclusive

SHORTEST: Final = 4
LONGEST: Final = 64
TRIES: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)

# What people choose most, where no rule below finds it.
_COMMON: Final = frozenset(
    ("2580", "0852", "1379", "147258", "159753", "password", "passwort", "qwerty", "qwertz", "letmein", "secret")
)
_MEMORY: Final = 256 * 1024 * 1024


# `demo`: the published test card and a made-up address, in the simulator environment alone.
Channel = Literal["terminal", "page", "demo"]


@dataclass(frozen=True, slots=True)
class ApprovalProof:
    """That a person acts, by which channel, and the approval PIN that they typed; None where none was asked for."""

    channel: Channel
    pin: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs, in scrypt's words (RFC 7914): with these, 32 MiB and about a quarter of a second."""

    n: int = 2**15
    r: int = 8
    p: int = 3


class _Kept(BaseModel):
    """The PIN as the keyring keeps it. It shows nothing of its hash: few digits are soon found from one."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", repr=False)]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    n: Annotated[int, Field(gt=1, le=2**17)]
    r: Annotated[int, Field(ge=1, le=8)]
    p: Annotated[int, Field(ge=1, le=16)]
    misses: Annotated[int, Field(ge=0, le=TRIES)] = 0
    last_try: AwareDatetime

    @property
    def locked_until(self) -> datetime | None:
        """When the lock ends that the last miss set; None when there were not enough misses."""
        return self.last_try + LOCKED_FOR if self.misses >= TRIES else None

    def with_misses(self, misses: int, now: datetime) -> _Kept:
        """The same PIN after a try."""
        return self.model_copy(update={"misses": misses, "last_try": now})


class ApprovalPin:
    """The PIN with which a person approves orders. `cost` is what hashing costs for a PIN that is set now."""

    def __init__(
        self, secrets: Secrets, name: str, lock_path: Path, now: Callable[[], datetime], cost: Cost | None = None
    ) -> None:
        self.name = name
        self._secrets = secrets
        self._lock_path = lock_path
        self._now = now
        self._cost = cost or Cost()

    async def is_set(self) -> bool:
        """Whether a PIN is set.

        Raises:
            WalletError: its entry is damaged; or the keyring's.
        """
        return await self._kept() is not None

    async def set(self, new: SecretStr, proof: ApprovalProof) -> None:
        """Keep a new PIN; to replace one, the proof has to hold the old one.

        Raises:
            PinRefused: the new one is refused, or the old one is missing, wrong or locked. Nothing was changed.
        """
        problem = pin_problem(new)
        if problem is not None:
            raise PinRefused(problem)
        async with exclusive(self._lock_path):
            kept = await self._kept()
            if kept is not None:
                if proof.pin is None:
                    raise PinRefused("There is an approval PIN already, and changing it takes the old one.")
                await self._checked(kept, proof.pin)
            await self._save(await self._hashed(new))

    async def require(self, proof: ApprovalProof, *, needs_pin: bool = False) -> None:
        """Check the PIN of a proof where one is set; with `needs_pin` one has to be set. The entry is read once.

        Raises:
            PinRefused: the PIN is missing, wrong or locked. Nothing was changed.
        """
        if proof.pin is not None:
            return await self.check(proof.pin, needs_pin=needs_pin)
        if await self.is_set():
            raise PinRefused("This needs the approval PIN. Nothing was sent or changed.")
        if needs_pin:
            raise _not_set()
        return None

    async def check(self, pin: SecretStr, *, needs_pin: bool = True) -> None:
        """Compare what a person typed with the PIN. A right one clears earlier misses.

        Raises:
            PinRefused: it is wrong or locked (with how many tries are left), or none is set and `needs_pin`.
        """
        async with exclusive(self._lock_path):
            kept = await self._kept()
            if kept is not None:
                return await self._checked(kept, pin)
        if needs_pin:
            raise _not_set()
        return None

    async def forget(self) -> None:
        """Delete the PIN with everything else of its owner; no page and no command deletes it alone."""
        await self._secrets.delete(self.name)

    async def _checked(self, kept: _Kept, pin: SecretStr) -> None:
        """The caller holds the lock."""
        if _form_problem(pin) is not None:
            # No PIN has such a form, so this is a slip of the hand and no guess.
            raise PinRefused(f"The approval PIN has {SHORTEST} to {LONGEST} characters.", tries_left=_left(kept))
        now = max(self._now(), kept.last_try)
        lock = kept.locked_until
        if lock is not None and now < lock:
            raise _locked(lock)
        counted = kept.with_misses(1 if lock is not None else kept.misses + 1, now)
        await self._save(counted)
        if not hmac.compare_digest(await _hash_of(pin, kept), kept.hash):
            raise _locked(counted.locked_until) if counted.locked_until else _wrong(_left(counted))
        await self._save(kept.with_misses(0, now))

    async def _hashed(self, pin: SecretStr) -> _Kept:
        cost = self._cost
        salt = token_hex(16)
        empty = _Kept(salt=salt, hash="0" * 64, n=cost.n, r=cost.r, p=cost.p, last_try=self._now())
        return empty.model_copy(update={"hash": await _hash_of(pin, empty)})

    async def _kept(self) -> _Kept | None:
        entry = await self._secrets.get(self.name)
        kept = None if entry is None else _kept_in(entry)
        if entry is not None and kept is None:
            raise WalletError(
                f"The keyring's entry {self.name} of firmly-mcp is damaged, so no PIN can be checked. Delete it with "
                "the system's keyring program, then run `firmly-mcp pin set`."
            )
        return kept

    async def _save(self, kept: _Kept) -> None:
        await self._secrets.set(self.name, SecretStr(kept.model_dump_json()))


async def require_person(
    proof: ApprovalProof, pin: ApprovalPin, *, needs_pin: bool = False, money_moved: MoneyMoved = "no"
) -> None:
    """Let a person's act go on: where a PIN is set, the proof has to hold it; with `needs_pin` one has to be set.

    `money_moved` is what is known about the money of an order that the act is about.

    Raises:
        PinRefused: the PIN is missing, wrong or locked. Nothing was changed.
    """
    try:
        await pin.require(proof, needs_pin=needs_pin)
    except PinRefused as refused:
        refused.money_moved = money_moved
        raise


def pin_problem(typed: SecretStr) -> str | None:
    """Why this is not taken as a new PIN; None when it is. Never holds what was typed."""
    problem = _form_problem(typed)
    if problem is not None:
        return problem
    if holds_card_number(_canonical(typed).get_secret_value()):
        return "This could be a card number. Choose a PIN that stands nowhere else."
    if _is_guessed_first(typed):
        return "This PIN is one of the first that anybody would try, as 0000, 1234 or a year are. Choose another."
    return None


def _form_problem(typed: SecretStr) -> str | None:
    text = _canonical(typed).get_secret_value()
    if not SHORTEST <= len(text) <= LONGEST:
        return f"An approval PIN has {SHORTEST} to {LONGEST} characters: digits, or a phrase."
    return None if is_printable(text) else "An approval PIN has only printable characters."


def _is_guessed_first(typed: SecretStr) -> bool:
    text = _canonical(typed).get_secret_value().casefold()
    steps = {(ord(after) - ord(before)) % (10 if text.isdigit() else 0x110000) for before, after in pairwise(text)}
    is_run = len(steps) == 1
    is_repeated = text in (text + text)[1:-1]
    is_year = len(text) == 4 and text.isdigit() and text[:2] in {"19", "20"}
    return len(set(text)) < 3 or is_run or is_repeated or is_year or text in _COMMON


def _canonical(typed: SecretStr) -> SecretStr:
    """One form for one PIN: keyboards and systems spell the same letter in several ways, and pasting adds spaces."""
    return SecretStr(unicodedata.normalize("NFKC", typed.get_secret_value()).strip())


async def _hash_of(pin: SecretStr, kept: _Kept) -> str:
    return await anyio.to_thread.run_sync(_scrypt, pin, kept)


def _scrypt(pin: SecretStr, kept: _Kept) -> str:
    return hashlib.scrypt(
        _canonical(pin).get_secret_value().encode("utf-8", "surrogatepass"),
        salt=bytes.fromhex(kept.salt), n=kept.n, r=kept.r, p=kept.p, maxmem=_MEMORY, dklen=32,
    ).hex()  # fmt: skip


def _kept_in(entry: SecretStr) -> _Kept | None:
    try:
        kept = _Kept.model_validate_json(entry.get_secret_value())
    except ValidationError:
        return None
    return kept if kept.n & (kept.n - 1) == 0 else None


def _not_set() -> PinRefused:
    return PinRefused("No approval PIN is set. Set one with `firmly-mcp pin set`.", next="firmly-mcp pin set")


def _left(kept: _Kept) -> int:
    return TRIES - kept.misses


def _wrong(left: int) -> PinRefused:
    tries = "1 try is" if left == 1 else f"{left} tries are"
    minutes = int(LOCKED_FOR.total_seconds() // 60)
    return PinRefused(
        f"The approval PIN is wrong. {tries} left before it is locked for {minutes} minutes.", tries_left=left
    )


def _locked(until: datetime) -> PinRefused:
    return PinRefused(
        f"The approval PIN is locked after {TRIES} wrong tries, until {until:%H:%M} UTC. Nothing can be approved "
        "before that.",
        tries_left=0,
    )
