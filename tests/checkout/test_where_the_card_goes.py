"""The card goes only where it was meant to: whatever stands in the way of that, nothing is sealed and nothing is sent.

Every order here is one that the person's rules allow alone, so that nothing but the law in question stops it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from firmly_mcp.api.transport import Http, NoAnswer, Request
from firmly_mcp.app import Services, open_services
from firmly_mcp.checkout.models import Approval, Attempt, OrderIntent, State
from firmly_mcp.errors import FirmlyError, Unreachable, WalletError
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.cards import entry_of
from firmly_mcp.wallet.entries import entry_name
from firmly_mcp.wallet.keychain import Keychain
from tests.api.loopback import Asked as Request_
from tests.api.loopback import Loopback, loopback, reply
from tests.api.private_authority import behind_a_private_authority
from tests.proofs import with_pin
from tests.secret_service import SecretService
from tests.wallet.samples import REAL_LOOKING, a_card, a_key_pair, base64url

from .abroad import CART, CODE, ITEMS, PIN, Abroad, open_abroad, placed

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("wish", [CART, ITEMS], ids=["complete", "place"])
ALLOW = '[USD]\nask_above = "1000"\nask_above_a_day = "5000"\n'
MUCH = Decimal(1000)
KEY = "/api/v1/payment/key"
TRUSTED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
PROXIES = [name for kind in ("http", "https", "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]


@pytest.fixture
async def abroad(tmp_path: Path, keyring_bus: SecretService) -> AsyncIterator[Abroad]:
    async with open_abroad(tmp_path) as opened:
        opened.rules(ALLOW)
        yield opened


def a_jwk(which: int = 0, **changes: Any) -> dict[str, Any]:
    """A payment key as it is published; the simulator knows nothing of it."""
    key = a_key_pair(which=which).public
    return {"kid": key.kid, "kty": "RSA", "n": key.n, "e": key.e, "use": "enc"} | changes


@asynccontextmanager
async def paying_at(abroad: Abroad, url: str) -> AsyncIterator[Services]:
    """Rooms with a full cart, whose payment host is this one, as a person accepted."""
    async with abroad.rooms(payment_url=url) as services:
        await abroad.accept(services)
        await abroad.fill_cart(services)
        yield services


async def refused(services: Services, wish: OrderIntent) -> str:
    """Why an order that everything else allows is not placed."""
    try:
        answer = await (await services.placement()).place(wish, max_total=MUCH)
    except FirmlyError as error:
        return f"{error.message} {error.money_moved}"
    assert isinstance(answer, Attempt)
    assert not await placed(services, answer)
    attempt = await (await services.placement()).attempt(answer.id)
    assert attempt is not None
    assert attempt.state is State.NOT_PLACED
    return attempt.outcome.reason or ""


def only_the_key_was_asked_for(host: Loopback) -> bool:
    """Whether not one sealed card came here."""
    return {asked.path for asked in host.asked} == {KEY}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n": base64url((1 << 1023) + 1)}, "size is not between 2048 and 8192 bits"),
        ({"e": "Aw"}, "exponent is not 65537"),
        ({"use": "sig"}, "not meant for encryption"),
        ({"alg": "RSA-OAEP"}, "not meant for RSA-OAEP-256"),
        ({"alg": "RSA1_5"}, "not meant for RSA-OAEP-256"),
        ({"kty": "EC"}, "not an RSA key"),
        ({"kid": None}, "key id is missing"),
        ({"kid": "another"}, "two different key ids"),
    ],
    ids=["1024 bits", "e is 3", "a signing key", "SHA-1", "RSA1_5", "no RSA", "no kid", "two kids"],
)
async def test_a_key_that_no_card_should_be_sealed_for_gets_none(
    abroad: Abroad, changes: dict[str, Any], says: str
) -> None:
    answer = reply(200, a_jwk(**changes), x_firmly_kid="2026-01-key")
    async with loopback(lambda _: [answer]) as host, paying_at(abroad, host.url) as services:
        assert says in await refused(services, CART)
        assert only_the_key_was_asked_for(host)
    assert abroad.nothing_was_paid()


@BOTH
async def test_a_key_id_that_stood_for_another_key_gets_no_card(abroad: Abroad, wish: OrderIntent) -> None:
    which = [0]

    def answer(asked: Request_) -> list[object]:
        declined = reply(402, {"code": 402, "error": "ErrorPaymentDeclined", "description": "No."})
        return [reply(200, a_jwk(which[0]), x_firmly_kid="2026-01-key") if asked.path == KEY else declined]

    async with loopback(answer) as host, paying_at(abroad, host.url) as services:
        await refused(services, wish)
        assert not only_the_key_was_asked_for(host), "the first key is as good as any"
        host.asked.clear()
        which[0] = 1
        assert "another payment key under a key id that it has used before" in await refused(services, wish)
        assert only_the_key_was_asked_for(host)


@BOTH
async def test_a_redirect_leads_no_card_and_no_question_for_the_key_elsewhere(
    abroad: Abroad, wish: OrderIntent
) -> None:
    good_key = reply(200, a_jwk(), x_firmly_kid="2026-01-key")
    async with loopback(lambda _: [good_key]) as elsewhere:
        away = reply(307, b"", location=f"{elsewhere.url}{KEY}")
        async with loopback(lambda _: [away]) as host, paying_at(abroad, host.url) as services:
            await refused(services, wish)
            assert only_the_key_was_asked_for(host)

        def at_the_order(asked: Request_) -> list[object]:
            return [good_key if asked.path == KEY else away]

        async with loopback(at_the_order) as host, paying_at(abroad, host.url) as services:
            answer = await (await services.placement()).place(wish, max_total=MUCH)
            assert isinstance(answer, Attempt)
            assert not await placed(services, answer)
            assert len([asked for asked in host.asked if asked.path != KEY]) == 1
        assert elsewhere.connections == 0


@BOTH
async def test_a_private_authority_in_the_environment_is_not_believed(
    abroad: Abroad, wish: OrderIntent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind_a_private_authority(tmp_path) as host:
        for name in TRUSTED:
            monkeypatch.setenv(name, str(host.authority.parent if name.endswith("DIR") else host.authority))
        async with paying_at(abroad, host.url) as services:
            assert "certificate" in await refused(services, wish)
        assert b"".join(host.got) == b""
        # The server is fine for whoever believes the authority: nothing else stopped the order.
        async with Http(verify=ssl.create_default_context(cafile=host.authority)) as believer:
            with pytest.raises(NoAnswer):
                await believer.send(Request("GET", f"{host.url}{KEY}"))
        assert b"".join(host.got) == b"G"
    assert abroad.nothing_was_paid()


@BOTH
async def test_no_proxy_in_the_environment_sees_an_order(
    abroad: Abroad, wish: OrderIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with loopback(lambda _: [reply(200, a_jwk())]) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with abroad.rooms() as services:
            await abroad.accept(services)
            await abroad.fill_cart(services)
            assert await placed(services, await (await services.placement()).place(wish, max_total=MUCH))
        assert proxy.connections == 0
    assert len(abroad.simulator.books.charges) == 1


async def put(settings: Settings, entry: Mapping[str, Any]) -> None:
    """Write a card's entry past every check, as a program of the same person could."""
    name = entry_name(settings.environment, settings.shopper, "card", "test-visa")
    await Keychain().set(name, SecretStr(json.dumps(entry)))


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "sandbox", "number": REAL_LOOKING},
        {"environment": "production", "number": REAL_LOOKING},
        {"environment": "simulator"},
        {"environment": "custom", "number": REAL_LOOKING},
    ],
    ids=["a sandbox card", "a production card", "a simulator card", "no test number"],
)
async def test_a_card_that_belongs_elsewhere_pays_nothing_here(abroad: Abroad, changes: dict[str, str]) -> None:
    entry = json.loads(entry_of(a_card(label="test-visa")).get_secret_value())
    async with abroad.rooms() as services:
        await abroad.accept(services)
        await abroad.fill_cart(services)
        await put(abroad.settings, entry | {"billing_address": "home"} | changes)
        for wish in (CART, ITEMS):
            with pytest.raises(WalletError, match="does not hold this card"):
                await (await services.placement()).place(wish, max_total=MUCH)
    assert abroad.nothing_was_paid()


@BOTH
async def test_a_card_that_changed_places_after_the_yes_is_not_sealed(abroad: Abroad, wish: OrderIntent) -> None:
    async with abroad.rooms(cvv_command=()) as services:
        await abroad.accept(services)
        await abroad.fill_cart(services)
        placement = await services.placement()
        asked = await placement.place(wish)
        assert isinstance(asked, Approval)
        review = await placement.review(asked.id)
        entry = json.loads(entry_of(a_card(label="test-visa")).get_secret_value())
        await put(abroad.settings, entry | {"environment": "sandbox", "number": REAL_LOOKING})
        with pytest.raises(WalletError, match="does not hold this card"):
            await placement.approve(review, CODE, with_pin(PIN))
        assert not await placement.attempts(limit=5)
        assert await placement.open_approvals()
    assert not abroad.orders_sent()
    assert not abroad.simulator.books.charges


@pytest.mark.parametrize("environment", ["sandbox", "production"])
async def test_a_card_of_the_simulator_is_not_even_listed_where_money_moves(
    abroad: Abroad, tmp_path: Path, environment: str
) -> None:
    real = Settings.model_validate(
        {"environment": environment, "app_id": "a", "data_dir": tmp_path, "shopper": abroad.settings.shopper}
    )
    async with open_services(real) as services:
        assert await (await services.vault()).cards() == []


async def test_a_payment_host_that_is_not_there_gets_nothing(abroad: Abroad) -> None:
    async with paying_at(abroad, "http://127.0.0.1:1") as services:
        with pytest.raises(Unreachable):
            await (await services.placement()).place(CART, max_total=MUCH)
    assert abroad.nothing_was_paid()
