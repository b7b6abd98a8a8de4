"""The device session. Tokens are renewed before they expire. A new device loses the carts, so it is a last resort.

Carts are a device's (Firmly: browser-session), so losing the token is losing them, and the shopper is warned. Processes
share one stored token: before a renewal, the session reads whether another process has already renewed it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from firmly_mcp.errors import (
    InvalidRequest,
    RateLimited,
    SettingsError,
    StoreUnavailable,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
    WalletError,
)

from .encoding import Hosts
from .error_codes import error_from_response
from .fields import Count, FirmlyModel, Id, read
from .locks import Locks
from .transport import Http, NoAnswer, NotSent, Request, Response

# A request that begins with this much life ends within it; an order may take longer, but is judged at its beginning.
LIFE_SECONDS: Final = 120
# Notices wait for the next call; of very many, the first ones.
_MOST_NOTICES: Final = 20
# For an answer without an end; Firmly's tokens live an hour.
_ASSUMED_LIFE: Final = 600
_RENEWAL_SECONDS: Final = 10.0


class TokenStore(Protocol):
    """Where a device's token outlives the process: one JSON text."""

    async def load(self) -> str | None:
        """Return the text, or None where none is stored. May raise WalletError."""

    async def save(self, text: str) -> None:
        """Keep the text. May raise WalletError: then the session lives in memory."""


class TokensInMemory:
    """A token store for a device that lives as long as its attempt or its process."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text

    async def load(self) -> str | None:
        return self.text

    async def save(self, text: str) -> None:
        self.text = text


@dataclass(frozen=True)
class Notice:
    """A warning for the shopper, given once: carts are gone, or will be when this process ends."""

    code: Literal["carts_lost", "session_not_kept"]
    message: str


_CARTS_LOST: Final = Notice(
    "carts_lost", "The session with the stores had ended and a new one was begun: carts made before are gone."
)
_NOT_KEPT: Final = Notice(
    "session_not_kept", "The session cannot be kept in the keyring: carts are gone when this program ends."
)


@dataclass(frozen=True)
class Token:
    """A device's access token and its end, in seconds since 1970."""

    device_id: str
    access_token: str = field(repr=False)
    expires: float

    @property
    def text(self) -> str:
        """As a token store keeps it."""
        return json.dumps({"device_id": self.device_id, "access_token": self.access_token, "expires": self.expires})


class _Session(FirmlyModel):
    access_token: Id = None
    device_id: Id = None
    expires_in: Count = None
    expires: Count = None


class DeviceSession:
    """One device at Firmly. `device` names it where several live in one `lock_dir`: an attempt's id, a shopper.

    With `only_this`, another device never takes its place: its carts are needed to find out how an order ended.
    """

    def __init__(
        self,
        http: Http,
        hosts: Hosts,
        app_id: str,
        tokens: TokenStore,
        *,
        now: Callable[[], datetime],
        lock_dir: Path,
        device: str = "",
        only_this: bool = False,
    ) -> None:
        if not app_id or not app_id.isascii() or not app_id.isprintable() or " " in app_id:
            raise SettingsError("The App ID is missing or cannot be one. Set FIRMLY_APP_ID.")
        self.http = http
        self.hosts = hosts
        self.locks = Locks(lock_dir, f"{hosts.api} {app_id} {device}")
        self.persisted = True
        self._app_id = app_id
        self._tokens = tokens
        self._only_this = only_this
        self._now = now
        self._token: Token | None = None
        self._token_store_unreadable = False
        self._notices: list[Notice] = []

    def take_notices(self) -> tuple[Notice, ...]:
        """Return the warnings since the last call."""
        notices, self._notices = tuple(self._notices), []
        return notices

    @property
    def has_token(self) -> bool:
        """Whether a token with at least two minutes left is at hand: the next request asks for none."""
        return self._token is not None and self._left(self._token) >= LIFE_SECONDS

    async def token(self, *, for_order: bool = False, spare: float = 0.0) -> Token:
        """A token with at least two minutes left, and `spare` seconds more if it can be had.

        Where renewal cannot be asked for now, one that has not ended will do for anything but an order.

        Raises:
            Unauthorized: Firmly does not know the App ID.
            Unreachable, StoreUnavailable, RateLimited, UnexpectedAnswer: no session could be had now.
        """
        held = self._token or await self._load()
        if held is not None and self._left(held) >= LIFE_SECONDS + spare:
            return held
        try:
            return await self._renew(held)
        except (Unreachable, StoreUnavailable, RateLimited):
            if held is None or self._left(held) <= 0 or (for_order and self._left(held) < LIFE_SECONDS):
                raise
            return held

    async def renewed(self, refused: Token) -> Token:
        """A token in place of one that Firmly refused: the old one's renewal, else a new device. Raises as `token`."""
        return await self._renew(refused)

    async def _renew(self, old: Token | None) -> Token:
        async with self.locks.token():
            found = await self._load()
            if found is not None and found != old and self._left(found) >= LIFE_SECONDS:
                return found
            fresh = await self._requested(old)
            if old is not None and old.device_id != fresh.device_id:
                if self._only_this:
                    raise UnexpectedAnswer("Firmly gave another session than the one that this order was sent with.")
                self._warn(_CARTS_LOST)
            await self._save(fresh)
            return fresh

    async def _requested(self, old: Token | None) -> Token:
        if old is None:
            return await self._browser_session({})
        try:
            return await self._browser_session({"access_token": old.access_token})
        except (Unauthorized, InvalidRequest) as error:
            # Firmly answers 401 for a token that is too old, 400 for an App ID that it does not know.
            if self._only_this or error.name in {"InvalidAppId", "ErrorMissingAppId", "Forbidden"}:
                raise
        return await self._browser_session({})

    async def _browser_session(self, body: dict[str, str]) -> Token:
        """POST /api/v1/browser-session (Firmly: browser-session)."""
        url = f"{self.hosts.api}/api/v1/browser-session"
        try:
            asking = Request("POST", url, {"x-firmly-app-id": self._app_id}, body)
            answer = await self.http.send(asking, seconds=_RENEWAL_SECONDS)
        except NotSent as failure:
            raise Unreachable(f"Firmly could not be reached ({failure}). Nothing was sent.") from None
        except NoAnswer as failure:
            raise Unreachable(f"Firmly did not answer when asked for a session: {failure}.") from None
        if not answer.is_success:
            raise error_from_response(answer.status, answer.body, answer.headers, request_id=answer.request_id)
        return self._read(answer)

    def _read(self, answer: Response) -> Token:
        session = read(_Session, answer.body)
        token = session.access_token or ""
        if not _is_header_text(token):
            raise UnexpectedAnswer("Firmly's session holds no token.")
        claims = _claims(token)
        if session.expires_in is not None:
            # Counted from our clock's now, so that a clock that is wrong does not end every token at once.
            expires = self._time() + session.expires_in
        else:
            expires = session.expires or _seconds(claims.get("exp")) or self._time() + _ASSUMED_LIFE
        return Token(session.device_id or str(claims.get("device_id", "")), token, float(expires))

    async def _load(self) -> Token | None:
        """Return the newest token: the stored one, which another process may have renewed, else this process's own."""
        if self._token_store_unreadable:
            return self._token
        try:
            text = await self._tokens.load()
        except WalletError:
            # The stored token is for carts that this session cannot see: it must not be overwritten.
            self._token_store_unreadable = True
            self._not_persisted()
            return self._token
        found = _from_text(text)
        if found is not None and self.persisted:
            self._token = found
        elif text is not None and self._token is None:
            self._warn(_CARTS_LOST)
        return self._token

    async def _save(self, token: Token) -> None:
        self._token = token
        if self._token_store_unreadable:
            return
        try:
            await self._tokens.save(token.text)
            self.persisted = True
        except WalletError:
            self._not_persisted()

    def _not_persisted(self) -> None:
        if self.persisted:
            self._warn(_NOT_KEPT)
        self.persisted = False

    def _warn(self, notice: Notice) -> None:
        if len(self._notices) < _MOST_NOTICES and notice not in self._notices:
            self._notices.append(notice)

    def _left(self, token: Token) -> float:
        return token.expires - self._time()

    def _time(self) -> float:
        return self._now().timestamp()


def _from_text(text: str | None) -> Token | None:
    try:
        kept = json.loads(text or "null")
        device_id, access_token, expires = kept["device_id"], kept["access_token"], float(kept["expires"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    if not (isinstance(device_id, str) and isinstance(access_token, str) and _is_header_text(access_token)):
        return None
    return Token(device_id, access_token, expires)


def _claims(token: str) -> dict[str, object]:
    """A JWT's claims, unverified: Firmly verifies its own tokens, we only look for their end."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e12 else None


def _is_header_text(text: str) -> bool:
    return 0 < len(text) <= 16_384 and text.isascii() and text.isprintable() and " " not in text
