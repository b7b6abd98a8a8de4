"""A device's carts outlive its token: renewed with the old one, and lost only when told."""

import base64
import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.session import TokensInMemory
from firmly_mcp.errors import SettingsError, StoreUnavailable, Unauthorized, UnexpectedAnswer, Unreachable, WalletError
from firmly_mcp.simulator import Simulator

from .loopback import Asked, Script, loopback, reply, session_reply
from .shopping import LUMA, TEE, Clock, client_of

pytestmark = pytest.mark.anyio

CART = reply(200, {"cart_id": "c1"})
REFUSED = reply(401, {"error": "TokenExpired", "message": "no"})


class BrokenStore:
    """A token store whose keyring is locked, for reading or for writing."""

    def __init__(self, *, loads: bool) -> None:
        self.loads = loads
        self.saved: list[str] = []

    async def load(self) -> str | None:
        if not self.loads:
            raise WalletError("locked")
        return None

    async def save(self, text: str) -> None:
        if self.loads:
            raise WalletError("locked")
        self.saved.append(text)


def kept(token: str, *, device: str = "device-1", expires: float = 4e9) -> str:
    return json.dumps({"device_id": device, "access_token": token, "expires": expires})


def numbered(device: str = "device-1") -> Script:
    """Sessions whose tokens count up."""
    count = iter(range(1, 100))
    return lambda _: [session_reply(f"token-{next(count)}", device)]


def accepting(*tokens: str) -> Script:
    """A cart for these tokens, a 401 for others."""
    return lambda asked: [CART if asked.headers["x-firmly-authorization"] in tokens else REFUSED]


async def test_one_session_serves_many_calls_and_is_kept(tmp_path: Path) -> None:
    tokens = TokensInMemory()
    async with loopback(lambda _: [CART], numbered()) as server:
        async with client_of(server.url, tmp_path, tokens=tokens) as client:
            await client.get_cart(LUMA)
            await client.get_cart(LUMA)
            assert (await client.session.token()).device_id == "device-1"
        async with client_of(server.url, tmp_path, tokens=tokens) as again:
            await again.get_cart(LUMA)
            assert again.take_notices() == ()
    assert [asked.json for asked in server.sessions] == [{}]


async def test_a_token_is_renewed_with_the_old_one_when_under_two_minutes_are_left(tmp_path: Path) -> None:
    clock = Clock()
    async with (
        loopback(lambda _: [CART], numbered()) as server,
        client_of(server.url, tmp_path, clock=clock) as client,
    ):
        await client.get_cart(LUMA)
        clock.advance(seconds=3600 - 120)
        await client.get_cart(LUMA)
        clock.advance(seconds=1)
        await client.get_cart(LUMA)
        assert client.take_notices() == ()
    assert [asked.json for asked in server.sessions] == [{}, {"access_token": "token-1"}]
    assert [asked.headers["x-firmly-authorization"] for asked in server.asked] == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize("change", [False, True])
async def test_a_401_is_renewed_with_the_old_token_and_the_call_made_once_more(tmp_path: Path, change: bool) -> None:
    async with loopback(accepting("token-2"), numbered()) as server, client_of(server.url, tmp_path) as client:
        await (client.add_line_item(LUMA, TEE, 1) if change else client.get_cart(LUMA))
        assert client.take_notices() == ()
    assert [asked.json for asked in server.sessions] == [{}, {"access_token": "token-1"}]
    assert len(server.asked) == 2


async def test_a_new_device_is_the_last_resort_and_is_told_once(tmp_path: Path) -> None:
    def session(asked: Asked) -> Iterable[object]:
        return [REFUSED if asked.json else session_reply("token-9", "device-2")]

    async with (
        loopback(accepting("token-9"), session) as server,
        client_of(server.url, tmp_path, tokens=TokensInMemory(kept("old"))) as client,
    ):
        await client.get_cart(LUMA)
        assert [notice.code for notice in client.take_notices()] == ["carts_lost"]
        assert client.take_notices() == ()
    assert [asked.json for asked in server.sessions] == [{"access_token": "old"}, {}]


@pytest.mark.parametrize(
    ("renewal", "error"), [(REFUSED, Unauthorized), (session_reply("token-9", "device-2"), UnexpectedAnswer)]
)
async def test_the_device_of_an_order_in_doubt_is_never_another_one(
    tmp_path: Path, renewal: object, error: type[Exception]
) -> None:
    tokens = TokensInMemory(kept("old", expires=0))
    async with (
        loopback(accepting("token-9"), lambda _: [renewal]) as server,
        client_of(server.url, tmp_path, tokens=tokens, only_this=True) as client,
    ):
        for _ in range(2):
            with pytest.raises(error):
                await client.get_cart(LUMA)
    assert tokens.text == kept("old", expires=0)
    assert [asked.json for asked in server.sessions] == [{"access_token": "old"}] * 2
    assert server.asked == []


async def test_an_app_id_that_is_unknown_makes_no_new_device(tmp_path: Path) -> None:
    unknown = reply(400, {"error": "InvalidAppId", "message": "no"})
    async with (
        loopback(lambda _: [CART], lambda _: [unknown]) as server,
        client_of(server.url, tmp_path, tokens=TokensInMemory(kept("old", expires=0))) as client,
    ):
        with pytest.raises(Unauthorized, match="App ID"):
            await client.get_cart(LUMA)
    assert len(server.sessions) == 1
    assert server.asked == []


async def test_a_renewal_that_cannot_be_had_now_is_no_reason_to_lose_the_carts(tmp_path: Path) -> None:
    clock = Clock()
    tokens = TokensInMemory(kept("old", expires=clock().timestamp() + 60))
    down = reply(503, {"error": "ServiceUnavailable"})
    async with (
        loopback(accepting("old"), lambda _: [down]) as server,
        client_of(server.url, tmp_path, tokens=tokens, clock=clock) as client,
    ):
        await client.get_cart(LUMA)
        with pytest.raises(StoreUnavailable):
            await client.session.token(for_order=True)
        clock.advance(seconds=61)
        with pytest.raises(StoreUnavailable):
            await client.add_line_item(LUMA, TEE, 1)
    assert all(asked.json == {"access_token": "old"} for asked in server.sessions)


@pytest.mark.parametrize(
    ("fields", "lasts"),
    [
        ({"expires_in": 3600, "expires": 5}, 3600),
        ({"expires_in": None, "expires": "clock"}, 900),
        ({"expires_in": None}, 600),
    ],
)
async def test_a_tokens_end_is_told_in_any_way(tmp_path: Path, fields: dict[str, object], lasts: float) -> None:
    clock = Clock()
    began = clock().timestamp()
    said = {name: began + 900 if value == "clock" else value for name, value in fields.items()}
    async with (
        loopback(lambda _: [CART], lambda _: [session_reply("t", "d", **said)]) as server,
        client_of(server.url, tmp_path, clock=clock) as client,
    ):
        assert (await client.session.token()).expires == began + lasts


async def test_a_tokens_end_is_read_from_the_token_itself(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 4000000000, "device_id": "device-7"}').rstrip(b"=").decode()
    session = session_reply(f"e30.{claims}.c2ln", None, expires_in=None)
    async with loopback(lambda _: [CART], lambda _: [session]) as server, client_of(server.url, tmp_path) as client:
        assert (await client.session.token()).expires == 4e9
        assert (await client.session.token()).device_id == "device-7"


@pytest.mark.parametrize("token", [None, "", "two words", "line\nbreak", "x" * 20_000])
async def test_a_session_without_a_usable_token_is_an_error(tmp_path: Path, token: str | None) -> None:
    session = session_reply(token)
    async with loopback(lambda _: [CART], lambda _: [session]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(UnexpectedAnswer):
            await client.get_cart(LUMA)


async def test_another_process_may_have_renewed_already(tmp_path: Path) -> None:
    tokens = TokensInMemory(kept("old"))
    async with (
        loopback(accepting("renewed")) as server,
        client_of(server.url, tmp_path, tokens=tokens) as client,
    ):
        await client.session.token()
        tokens.text = kept("renewed")
        await client.get_cart(LUMA)
    assert server.sessions == []


async def test_many_calls_at_once_open_one_session(tmp_path: Path) -> None:
    async with (
        loopback(lambda _: [reply(200, {"products": []})], numbered()) as server,
        client_of(server.url, tmp_path) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(8):
            tasks.start_soon(client.search_products, "tee")
    assert len(server.sessions) == 1


async def test_a_keyring_that_does_not_take_the_token_is_told_and_the_session_goes_on(tmp_path: Path) -> None:
    async with (
        loopback(lambda _: [CART]) as server,
        client_of(server.url, tmp_path, tokens=BrokenStore(loads=True)) as client,
    ):
        await client.get_cart(LUMA)
        assert not client.session.persisted
        assert [notice.code for notice in client.take_notices()] == ["session_not_kept"]


async def test_a_keyring_that_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    store = BrokenStore(loads=False)
    async with loopback(lambda _: [CART]) as server, client_of(server.url, tmp_path, tokens=store) as client:
        await client.get_cart(LUMA)
        await client.get_cart(LUMA)
        assert [notice.code for notice in client.take_notices()] == ["session_not_kept"]
    assert store.saved == []
    assert len(server.sessions) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"access_token": 1}', kept("a b"), '{"device_id":"d"}'])
async def test_a_kept_token_that_cannot_be_read_is_lost_and_told(tmp_path: Path, text: str) -> None:
    tokens = TokensInMemory(text)
    async with loopback(lambda _: [CART]) as server, client_of(server.url, tmp_path, tokens=tokens) as client:
        await client.get_cart(LUMA)
        assert [notice.code for notice in client.take_notices()] == ["carts_lost"]
    assert json.loads(tokens.text or "")["device_id"] == "device-1"


@pytest.mark.parametrize("app_id", ["", "a b", "a\nb", "ä"])
async def test_an_app_id_that_cannot_be_sent_is_a_setting_to_mend(tmp_path: Path, app_id: str) -> None:
    with pytest.raises(SettingsError):
        async with client_of("http://127.0.0.1:1", tmp_path, app_id=app_id):
            pass


async def test_a_session_that_cannot_be_asked_for_is_unreachable(tmp_path: Path) -> None:
    async with loopback(lambda _: [CART], lambda _: []) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(Unreachable):
            await client.add_line_item(LUMA, TEE, 1)


async def test_bearer_before_the_token_is_found_out_once(tmp_path: Path) -> None:
    script = accepting("Bearer token-2")
    async with loopback(script, numbered()) as server, client_of(server.url, tmp_path) as client:
        await client.get_cart(LUMA)
        await client.get_cart(LUMA)
    sent = [asked.headers["x-firmly-authorization"] for asked in server.asked]
    assert sent == ["token-1", "token-2", "Bearer token-2", "Bearer token-2"]


async def test_a_token_refused_in_every_way_is_an_error_and_the_usual_way_stays(tmp_path: Path) -> None:
    async with loopback(lambda _: [REFUSED], numbered()) as server, client_of(server.url, tmp_path) as client:
        for _ in range(2):
            with pytest.raises(Unauthorized):
                await client.get_cart(LUMA)
    sent = [asked.headers["x-firmly-authorization"] for asked in server.asked]
    assert sent == ["token-1", "token-2", "Bearer token-2", "token-2", "token-3", "Bearer token-3"]


@pytest.mark.parametrize(("away", "told"), [(timedelta(days=6), []), (timedelta(days=8), ["carts_lost"])])
async def test_a_device_keeps_its_cart_for_a_week(
    sim: Simulator, client: FirmlyClient, away: timedelta, told: list[str]
) -> None:
    await client.add_line_item(LUMA, TEE, 2)
    sim.advance(away)
    cart = await client.get_cart(LUMA)
    assert [notice.code for notice in client.take_notices()] == told
    assert cart.is_empty is bool(told)
