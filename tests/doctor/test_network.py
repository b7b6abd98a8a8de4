"""What `doctor` says of Firmly's hosts: real connections to servers on loopback that are away, false, slow or odd."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.api.probe import ASKED, NotReached, reach
from firmly_mcp.doctor import network, shopper
from firmly_mcp.doctor.findings import Examined, Finding
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.entries import entry_name
from firmly_mcp.wallet.jwe import PinnedKeys
from tests.api.false_certificate import behind_a_false_certificate
from tests.api.loopback import RESET, SILENCE, Asked, Loopback, loopback, reply
from tests.api.private_authority import behind_a_private_authority
from tests.secret_service import SecretService

pytestmark = pytest.mark.anyio

NO_TOKEN = {"code": 401, "error": "MissingAuthHeader", "description": "no token"}


def now() -> datetime:
    return datetime.now(UTC)


def examined_at(api: str, payment: str, data_dir: Path) -> Examined:
    """An installation whose Firmly is at these addresses."""
    settings = Settings(environment="custom", app_id="app-123456", api_url=api, payment_url=payment, data_dir=data_dir)
    return Examined.of(settings, {}, now)


@asynccontextmanager
async def answering(*steps: object, ahead: timedelta | None = None) -> AsyncIterator[Loopback]:
    """A host that answers so, with a clock that is `ahead` of this machine's."""

    def script(_: Asked) -> Iterable[object]:
        if steps:
            return steps
        date = {} if ahead is None else {"date": format_datetime(now() + ahead, usegmt=True)}
        return [reply(401, NO_TOKEN, **date)]

    async with loopback(script) as host:
        yield host


async def test_two_hosts_that_answer_are_well_and_are_asked_for_nothing_that_matters(tmp_path: Path) -> None:
    async with answering(ahead=timedelta()) as host:
        examined = examined_at(host.url, host.url, tmp_path)
        api, clock = await network.api(examined)
        (payment,) = await network.payment(examined)
    assert {finding.state for finding in (api, payment, clock)} == {"ok"}
    assert clock.check == "clock"
    assert host.sessions == []
    assert [(asked.method, asked.path, asked.body) for asked in host.asked] == [
        ("GET", path, b"") for path in ASKED.values()
    ]
    for asked in host.asked:
        assert not [name for name in asked.headers if "auth" in name or "app-id" in name or "device" in name]


async def test_the_simulator_answers_as_firmly_does(tmp_path: Path) -> None:
    async with Simulator() as simulator:
        examined = examined_at(simulator.api_url, simulator.payment_url, tmp_path)
        found = [*await network.api(examined), *await network.payment(examined)]
        assert {request.path for request in simulator.requests} == set(ASKED.values())
        assert not simulator.books.charges
    assert [(finding.check, finding.state) for finding in found if finding.check != "clock"] == [
        ("api", "ok"),
        ("payment", "ok"),
    ]


@pytest.mark.parametrize(
    ("ahead", "says"),
    [(timedelta(minutes=5), "behind the API host's"), (-timedelta(minutes=5), "ahead of the API host's")],
)
async def test_a_clock_that_is_wrong_by_minutes_is_told_with_its_side(
    tmp_path: Path, ahead: timedelta, says: str
) -> None:
    async with answering(ahead=ahead) as host:
        _, clock = await network.api(examined_at(host.url, host.url, tmp_path))
    assert clock.state == "failed"
    assert says in clock.says
    assert "timedatectl set-ntp true" in clock.fix
    seconds = int(clock.says.split(" is ")[1].split(" s ")[0])
    assert abs(seconds - 300) < 30


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT"])
async def test_a_host_that_tells_no_time_leaves_the_clock_alone(tmp_path: Path, date: str) -> None:
    async with answering(reply(401, NO_TOKEN, date=date)) as host:
        _, clock = await network.api(examined_at(host.url, host.url, tmp_path))
    assert clock.state == "skipped"


@pytest.mark.parametrize(
    "answer", [reply(200, b"<html>log in</html>"), reply(302, b"", location="/login"), reply(404, [])]
)
async def test_an_answer_that_is_not_firmlys_is_told(tmp_path: Path, answer: bytes) -> None:
    async with answering(answer) as host:
        finding = (await network.api(examined_at(host.url, host.url, tmp_path)))[0]
    assert finding.state == "warning"
    assert "not as Firmly does" in finding.says
    assert host.url in finding.fix
    assert len(host.asked) == 1


async def test_a_host_that_is_down_is_told_at_the_stage_that_failed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    (finding,) = await network.payment(examined_at(url, url, tmp_path))
    assert finding.state == "failed"
    assert f"{url} cannot be reached (connection: " in finding.says
    async with answering(RESET) as host:
        (finding,) = await network.payment(examined_at(host.url, host.url, tmp_path))
    assert "(answer: " in finding.says


async def test_a_host_that_says_nothing_is_left_after_a_while() -> None:
    async with answering(SILENCE) as host:
        with pytest.raises(NotReached) as caught:
            await reach(host.url, ASKED["api"], now=now, seconds=0.2)
    assert (caught.value.stage, caught.value.why) == ("answer", "no answer came in time")


async def test_a_name_that_nobody_knows_is_told(tmp_path: Path) -> None:
    url = "https://api.firmly.invalid"
    (finding,) = await network.payment(examined_at(url, url, tmp_path))
    assert finding.state == "failed"
    assert finding.says == "The name api.firmly.invalid is not known to this network."


async def test_a_certificate_that_nobody_vouches_for_is_told_and_nothing_is_sent(tmp_path: Path) -> None:
    async with behind_a_false_certificate(tmp_path) as (url, got):
        (finding,) = await network.payment(examined_at(url, url, tmp_path))
    assert finding.state == "failed"
    assert "(certificate: self-signed certificate" in finding.says
    assert "proxy that opens TLS" in finding.fix
    assert b"".join(got) == b""


async def test_how_long_a_certificate_holds_is_read_from_it(tmp_path: Path) -> None:
    async with behind_a_private_authority(tmp_path) as server:
        trusted = ssl.create_default_context(cafile=str(server.authority))
        with pytest.raises(NotReached) as caught:
            await reach(server.url, "/", now=now, seconds=5.0, verify=trusted)
    assert caught.value.stage == "answer"  # the certificate held; nothing was answered


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (3, "warning")])
def test_a_certificate_that_ends_soon_wants_a_look(days: int, state: str) -> None:
    from firmly_mcp.api.probe import Reached

    reached = Reached(401, answers_as_firmly=True, ahead=None, certificate_ends=now() + timedelta(days=days, hours=1))
    finding: Finding = network._reached(now(), "api", "https://api.firmly.work", reached)
    assert finding.state == state
    assert f"{days} more days" in finding.says


@pytest.mark.parametrize("app_id", ["eyJhbGciOiJSUzI1NiJ9.e30.x", "<your App ID>", "your-app-id", "app 1", "äpp"])
async def test_what_is_plainly_no_app_id_is_told_and_never_shown(tmp_path: Path, app_id: str) -> None:
    examined = examined_at("https://a.example", "https://b.example", tmp_path)
    wrong = replace(examined, settings=examined.settings.model_copy(update={"app_id": app_id}))
    (finding,) = await network.environment(wrong)
    assert finding.state == "failed"
    assert app_id not in finding.says + finding.fix


async def test_the_app_id_is_shown_in_part(tmp_path: Path) -> None:
    (finding,) = await network.environment(examined_at("https://a.example", "https://b.example", tmp_path))
    assert finding.says == "custom: https://a.example and https://b.example, App ID app-… of 10 characters."


@pytest.fixture
async def paying(settings: Settings, keyring_bus: SecretService) -> AsyncIterator[tuple[Examined, Simulator]]:
    """A Firmly of the person's own, at an address that is not the simulator's."""
    async with Simulator() as simulator:
        values = {"environment": "custom", "app_id": "app-123456", "cvv_command": ()}
        hosts = {"api_url": simulator.api_url, "payment_url": simulator.payment_url}
        yield Examined.of(Settings(**{**dict(settings), **values, **hosts}), {}, now), simulator


async def test_a_payment_key_is_compared_with_those_that_were_used_and_not_remembered(
    paying: tuple[Examined, Simulator],
) -> None:
    examined, simulator = paying
    (finding,) = await network.payment_key(examined)
    assert (finding.state, finding.says.endswith("; none was used before.")) == ("ok", True)
    assert await examined.vault.payment_keys() == {}
    host, kid = simulator.payment_url, finding.says.split(" shows the key ")[1].split(",")[0]
    print_ = finding.says.split("thumbprint ")[1].split(";")[0]
    entry = entry_name("custom", examined.settings.shopper, "payment-keys")
    for kept, state in (
        ({f"{host} {kid}": print_}, "ok"),
        ({f"{host} older": "AAA"}, "warning"),
        ({f"{host} {kid}": "AAA"}, "failed"),
    ):
        await PinnedKeys(examined.keychain, entry).save(kept)
        (finding,) = await network.payment_key(examined)
        assert finding.state == state
        assert await examined.vault.payment_keys() == kept
    assert "can be an attack" in finding.says
    assert print_ in finding.says
    assert "Pay nothing" in finding.fix
    assert finding.fix.endswith(" orders accept-payment-key")
    await examined.keychain.set(entry, SecretStr("nonsense"))
    for check in (network.payment_key, shopper.payment_keys):
        (finding,) = await check(examined)
        assert finding.state == "failed"
        assert finding.fix.endswith(" orders accept-payment-key")


async def test_a_payment_host_without_a_key_or_away_leaves_that_to_the_other_line(tmp_path: Path) -> None:
    async with answering() as host:
        (finding,) = await network.payment_key(examined_at(host.url, host.url, tmp_path))
    assert finding.state == "skipped"
    (finding,) = await network.payment_key(examined_at(host.url, host.url, tmp_path))
    assert finding.state == "skipped"
