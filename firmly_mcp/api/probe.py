"""Whether one of Firmly's hosts can be reached, over the same connections as orders. Opens no session, sends no token.

The API host gets a request without a token, which it refuses; the payment host is asked for its public key.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from firmly_mcp.errors import UnexpectedAnswer

from .encoding import origin_of
from .error_codes import envelope
from .fields import read
from .models import PaymentKey
from .transport import Http, NoAnswer, NotSent, Request, Response

# One documented endpoint of each host that changes nothing there.
ASKED: Final[Mapping[str, str]] = {"api": "/api/v2/carts/active", "payment": "/api/v1/payment/key"}

_CLOSING_SECONDS: Final = 1.0

Stage = Literal["connection", "certificate", "answer"]


class NotReached(Exception):
    """What failed first, and in a few words why."""

    def __init__(self, stage: Stage, why: str) -> None:
        super().__init__(why)
        self.stage = stage
        self.why = why


@dataclass(frozen=True, slots=True)
class Reached:
    """A host that answered. `ahead` is how far this machine's clock is before the host's; None where it sent no time.

    `answers_as_firmly` is False for a proxy or a network's login page in between. `key` is the payment
    host's, unchecked.
    """

    status: int
    answers_as_firmly: bool
    ahead: timedelta | None
    certificate_ends: datetime | None
    key: PaymentKey | None = None


async def reach(
    url: str, path: str, *, now: Callable[[], datetime], seconds: float, verify: ssl.SSLContext | None = None
) -> Reached:
    """Connect, check the certificate, and ask, without a token. Each may take `seconds`.

    Raises:
        NotReached: the first of these that failed.
    """
    context = verify or _context()
    ends = await _certificate_end(url, seconds, context)
    async with Http(verify=context) as http:
        before = now()
        try:
            answer = await http.send(Request("GET", url + path), seconds=seconds)
        except NotSent as error:
            raise NotReached("connection", str(error)) from None
        except NoAnswer as error:
            raise NotReached("answer", str(error)) from None
        asked_at = before + (now() - before) / 2
    key = _key(answer)
    as_firmly = key is not None or bool(envelope(answer.body).name)
    return Reached(answer.status, as_firmly, _ahead(answer.headers.get("date"), asked_at), ends, key)


def _key(answer: Response) -> PaymentKey | None:
    try:
        key = read(PaymentKey, answer.body)
    except UnexpectedAnswer:
        return None
    return key.model_copy(update={"header_kid": answer.headers.get("x-firmly-kid")}) if key.n else None


def _context() -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


async def _certificate_end(url: str, seconds: float, context: ssl.SSLContext) -> datetime | None:
    """Until when the host's certificate holds; None for plain HTTP on this machine."""
    origin = origin_of(url)
    assert origin is not None, "settings hold origins alone"
    scheme, host, port = origin
    if scheme != "https":
        return None
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        raise NotReached("certificate", error.verify_message) from None
    except ssl.SSLError as error:
        raise NotReached("certificate", error.reason or type(error).__name__) from None
    except TimeoutError:
        raise NotReached("connection", f"no connection within {seconds:g} seconds") from None
    except OSError as error:
        raise NotReached("connection", error.strerror or type(error).__name__) from None
    certificate: dict[str, Any] = writer.get_extra_info("peercert") or {}
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            await writer.wait_closed()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _ahead(sent: str | None, here: datetime) -> timedelta | None:
    if sent is None:
        return None
    try:
        there = parsedate_to_datetime(sent)
    except ValueError:
        return None
    # A date has whole seconds: the host's own moment is on average half a second later.
    return here - there.replace(tzinfo=there.tzinfo or UTC) - timedelta(milliseconds=500)
