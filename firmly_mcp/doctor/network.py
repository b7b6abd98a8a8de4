"""Firmly's two hosts: whether each can be reached, whose certificate it shows, and whether the clocks agree.

Nothing is placed, no session is opened, no App ID or token is sent, and no simulator is started.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from firmly_mcp.api.probe import ASKED, NotReached, Reached, Stage, reach
from firmly_mcp.app import simulator_dir
from firmly_mcp.checkout.execution import key_at
from firmly_mcp.errors import DamagedEntry, UnexpectedAnswer
from firmly_mcp.simulator.server import running_in
from firmly_mcp.system.process import in_daemon_thread
from firmly_mcp.untrusted import clean
from firmly_mcp.wallet.jwe import PaymentKey, thumbprint

from .findings import Examined, Finding, failed, ok, skipped, warning

_SECONDS: Final = 4.0
_WRONG_BY: Final = timedelta(seconds=60)
_ENDS_SOON: Final = timedelta(days=7)
_SET_CLOCK: Final = "Set the clock right, such as with `timedatectl set-ntp true`."
_FIXES: Final[dict[Stage, str]] = {
    "connection": "Check the network and any firewall, then run this again.",
    "certificate": "Use a network without a proxy that opens TLS, and keep the system's certificates up to date.",
    "answer": "Wait a little and run this again; if it stays, ask Firmly.",
}


async def environment(examined: Examined) -> Sequence[Finding]:
    """Where orders go, and with which App ID."""
    settings = examined.settings
    if settings.environment == "simulator":
        return [ok("environment", "simulator: no money moves, and no App ID is needed.")]
    hosts = examined.settings.hosts
    assert hosts is not None, "every other environment has hosts"
    app_id = settings.app_id or ""
    if problem := _app_id_problem(app_id):
        return [failed("environment", problem, "Set FIRMLY_APP_ID to the App ID that Firmly issued to you.")]
    said = f"{settings.environment}: {hosts.api} and {hosts.payment}, App ID {app_id[:4]}… of {len(app_id)} characters."
    return [ok("environment", said)]


def _app_id_problem(app_id: str) -> str | None:
    """What is plainly no App ID. Their form is not documented, so the rest is Firmly's to judge."""
    if not app_id.isascii() or not app_id.isprintable() or " " in app_id:
        return "The App ID has spaces or characters that none has."
    if app_id.startswith("eyJ"):
        return "The App ID is a token: those are issued to programs, and last for an hour."
    if app_id.startswith(("<", "$", "your", "YOUR")):
        return "The App ID is still the example's."
    return None


async def api(examined: Examined) -> Sequence[Finding]:
    """The API host, and this machine's clock beside its own."""
    hosts = examined.settings.hosts
    return await _simulator(examined) if hosts is None else await _host(examined, "api", hosts.api)


async def payment(examined: Examined) -> Sequence[Finding]:
    """The payment host."""
    hosts = examined.settings.hosts
    return [] if hosts is None else await _host(examined, "payment", hosts.payment)


async def payment_key(examined: Examined) -> Sequence[Finding]:
    """The key that the payment host shows now, beside those that cards were encrypted for. It is not remembered."""
    hosts = examined.settings.hosts
    if hosts is None:
        return []
    try:
        reached = await reach(hosts.payment, ASKED["payment"], now=examined.now, seconds=_SECONDS)
    except NotReached:
        return [skipped("payment key", "The payment host cannot be reached.")]
    key = reached.key
    if key is None:
        return [skipped("payment key", "The payment host showed none.")]
    shown = key_at(hosts.payment, key)
    accept = examined.command("orders", "accept-payment-key")
    try:
        is_new = await examined.vault.check_payment_key(shown)
    except DamagedEntry as error:
        return [failed("payment key", error.message, f"Once Firmly has confirmed {thumbprint(shown)}: {accept}")]
    except UnexpectedAnswer as error:
        return [failed("payment key", error.message, _fix_of(error, accept))]
    return [_key_finding(shown, await examined.vault.payment_keys(), is_new=is_new)]


def _fix_of(error: UnexpectedAnswer, accept: str) -> str:
    wait = "Pay nothing with firmly-mcp before Firmly has explained this."
    return wait if error.next is None else f"{wait} Once Firmly has confirmed the new thumbprint: {accept}"


def _key_finding(shown: PaymentKey, used: Mapping[str, str], *, is_new: bool) -> Finding:
    said = f"{shown.host} shows the key {clean(shown.kid)}, thumbprint {thumbprint(shown)}"
    if not is_new:
        return ok("payment key", f"{said}, as before.")
    if not any(name.startswith(f"{shown.host.lower()} ") for name in used):
        return ok("payment key", f"{said}; none was used before.")
    return warning("payment key", f"{said}: a new one.", "Ask Firmly whether its payment key changed, before you pay.")


async def _simulator(examined: Examined) -> Sequence[Finding]:
    running = await running_in(simulator_dir(examined.settings))
    if running is None:
        return [ok("simulator", "None runs now; a server starts it when it is needed.")]
    return [ok("simulator", f"One runs at {running.api_url} and {running.payment_url} (process {running.pid}).")]


async def _host(examined: Examined, check: str, url: str) -> Sequence[Finding]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        await in_daemon_thread(lambda: socket.getaddrinfo(host, parts.port or 443))
        reached = await reach(url, ASKED[check], now=examined.now, seconds=_SECONDS)
    except OSError:
        return [
            failed(check, f"The name {host} is not known to this network.", "Check the network and its name server.")
        ]
    except NotReached as error:
        return [failed(check, f"{url} cannot be reached ({error.stage}: {clean(error.why)}).", _FIXES[error.stage])]
    return [_reached(examined.now(), check, url, reached), *(_clock(reached) if check == "api" else ())]


def _reached(now: datetime, check: str, url: str, reached: Reached) -> Finding:
    if not reached.answers_as_firmly:
        said = f"{url} answers (HTTP {reached.status}), and not as Firmly does: something may stand in between."
        return warning(
            check, said, f"Open {url} in a browser: a network's login page or a company's proxy shows there."
        )
    if reached.certificate_ends is None:
        return ok(check, f"{url} answers.")
    left = reached.certificate_ends - now
    said = f"{url} answers; its certificate holds for {left.days} more days."
    return ok(check, said) if left > _ENDS_SOON else warning(check, said, "Tell Firmly if it is not renewed in time.")


def _clock(reached: Reached) -> Sequence[Finding]:
    if reached.ahead is None:
        return [skipped("clock", "The API host tells no time.")]
    seconds = abs(reached.ahead).total_seconds()
    side = "ahead of" if reached.ahead > timedelta() else "behind"
    if abs(reached.ahead) > _WRONG_BY:
        return [failed("clock", f"This machine's clock is {seconds:.0f} s {side} the API host's.", _SET_CLOCK)]
    return [ok("clock", f"Within {max(1, round(seconds))} s of the API host's.")]
