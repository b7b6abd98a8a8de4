"""Outside the simulator nothing counts that no person accepted with the PIN, and what changed allows nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from firmly_mcp.app import open_services
from firmly_mcp.checkout.models import Approval, OrderIntent
from firmly_mcp.checkout.policy.acceptance import RULES, WHERE, Acceptance, Standing
from firmly_mcp.errors import NotAllowed, PinRefused, RuleDenied, SettingsError
from firmly_mcp.settings import MOVES_MONEY, PAGES_AT, Settings, command_line, declared
from tests.checkout.abroad import CART, CODE, ITEMS, PIN, Abroad, open_abroad, placed
from tests.proofs import BY_PERSON, with_pin
from tests.secret_service import SecretService

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("wish", [CART, ITEMS], ids=["complete", "place"])
ALLOW = '[USD]\nask_above = "1000"\nask_above_a_day = "5000"\n'
MUCH = Decimal(1000)


@pytest.fixture
async def abroad(tmp_path: Path, keyring_bus: SecretService) -> AsyncIterator[Abroad]:
    async with open_abroad(tmp_path) as opened:
        yield opened


@BOTH
async def test_nothing_is_ordered_before_a_person_has_a_pin_and_accepted_where_money_goes(
    abroad: Abroad, wish: OrderIntent
) -> None:
    abroad.rules(ALLOW)
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        placement, vault = await services.placement(), await services.vault()
        with pytest.raises(NotAllowed, match="approval PIN") as caught:
            await placement.place(wish, max_total=MUCH)
        assert caught.value.next == command_line(services.settings, "pin", "set")
        await vault.pin.set(PIN, BY_PERSON)
        with pytest.raises(NotAllowed, match="environment, app_id, api_url, payment_url") as caught:
            await placement.place(wish, max_total=MUCH)
        assert caught.value.next == command_line(services.settings, "rules", "accept")
        assert abroad.nothing_was_paid()
        await abroad.accept(services)
        assert await placed(services, await placement.place(wish, max_total=MUCH))
    assert len(abroad.simulator.books.charges) == 1


@BOTH
async def test_without_rules_a_person_is_asked_and_their_yes_places_the_order(
    abroad: Abroad, wish: OrderIntent
) -> None:
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        await abroad.accept(services)
        desk = await services.placement()
        asked = await (await services.placement()).place(wish)
        assert isinstance(asked, Approval)
        review = await desk.review(asked.id)
        assert await placed(services, await desk.approve(review, CODE, with_pin(PIN)))
    assert len(abroad.simulator.books.charges) == 1


async def test_a_yes_without_the_right_pin_places_nothing_and_only_accepted_rules_waive_it(abroad: Abroad) -> None:
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        await abroad.accept(services)
        desk = await services.placement()
        abroad.rules('[USD]\npin_above = "1000"')
        asked = await (await services.placement()).place(CART)
        assert isinstance(asked, Approval)
        review = await desk.review(asked.id)
        assert review.pin_required
        for pin in (None, SecretStr("tulip 48")):
            with pytest.raises(PinRefused):
                await desk.approve(review, CODE, with_pin(pin))
        assert abroad.nothing_was_paid()
        await abroad.accept(services)
        review = await desk.review(asked.id)
        assert not review.pin_required
        assert await placed(services, await desk.approve(review, CODE, BY_PERSON))


@BOTH
async def test_a_changed_rule_allows_nothing_until_it_is_accepted(abroad: Abroad, wish: OrderIntent) -> None:
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        accepted = await abroad.accept(services)
        abroad.rules(ALLOW)
        asked = await (await services.placement()).place(wish, max_total=MUCH)
        assert isinstance(asked, Approval)
        assert asked.rule == "unaccepted"
        assert accepted.accept_command in asked.reason
        assert not abroad.orders_sent()
        await abroad.accept(services)
        assert await placed(services, await (await services.placement()).place(wish, max_total=MUCH))


async def test_a_looser_rule_refuses_as_before_until_it_is_accepted(abroad: Abroad) -> None:
    abroad.rules('[USD]\nrefuse_above = "53.39"')
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        await abroad.accept(services)
        abroad.rules(ALLOW)
        placement = await services.placement()
        with pytest.raises(RuleDenied, match="Until then the earlier refusals hold") as caught:
            await placement.place(CART, max_total=MUCH)
        assert caught.value.rule == "USD.refuse_above"
        await abroad.accept(services)
        assert await placed(services, await placement.place(CART, max_total=MUCH))


async def test_a_stricter_rule_refuses_at_once(abroad: Abroad) -> None:
    abroad.rules(ALLOW)
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        await abroad.accept(services)
        abroad.rules('[USD]\nrefuse_above = "53.39"')
        with pytest.raises(RuleDenied, match=r"53\.39"):
            await (await services.placement()).place(CART, max_total=MUCH)
        abroad.rules("[USD\n")
        with pytest.raises(SettingsError, match="line 1"):
            await (await services.placement()).place(CART, max_total=MUCH)
    assert abroad.nothing_was_paid()


async def test_a_changed_code_command_is_never_run(abroad: Abroad, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = f"open({str(ran)!r}, 'w').close(); print(123)"
    abroad.rules(ALLOW)
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        await abroad.accept(services)
    async with abroad.rooms(cvv_command=(sys.executable, "-c", script)) as services:
        placement = await services.placement()
        asked = await placement.place(CART, max_total=MUCH)
        assert isinstance(asked, Approval)
        assert "cvv_command" in asked.reason
        security_code = placement._deps.security_code
        assert security_code is not None
        with pytest.raises(NotAllowed, match="cvv_command"):
            await security_code()
        assert not ran.exists()
        await abroad.accept(services)
        assert await placed(services, await placement.place(CART, max_total=MUCH))
    assert ran.exists()


@pytest.mark.parametrize(
    "changes", [{"app_id": "another"}, {"api_url": "http://127.0.0.1:1"}, {"payment_url": "https://cc.firmly.work"}]
)
async def test_orders_go_nowhere_else_than_was_accepted(abroad: Abroad, changes: dict[str, str]) -> None:
    abroad.rules(ALLOW)
    async with abroad.rooms() as services:
        await abroad.accept(services)
    async with abroad.rooms(**changes) as services:
        for wish in (CART, ITEMS):
            with pytest.raises(NotAllowed, match=next(iter(changes))):
                await (await services.placement()).place(wish, max_total=MUCH)
    assert not abroad.simulator.requests


async def test_a_yes_does_not_outlive_a_change_of_where_money_goes(abroad: Abroad) -> None:
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        accepted = await abroad.accept(services)
        placement = await services.placement()
        asked = await placement.place(CART)
        assert isinstance(asked, Approval)
        review = await placement.review(asked.id)
        # As another program of the same person would, that has another App ID.
        elsewhere = {**(await accepted.standing()).declared, "app_id": '"another"'}
        await accepted.accept(Standing(elsewhere), with_pin(PIN))
        with pytest.raises(NotAllowed, match="app_id"):
            await placement.approve(review, CODE, with_pin(PIN))
    assert abroad.nothing_was_paid()


@pytest.mark.parametrize("pin", ["", "0000", "tulip 48"])
async def test_without_the_right_pin_nothing_is_accepted(abroad: Abroad, pin: str) -> None:
    async with abroad.rooms() as services:
        accepted, vault = await services.accepted(), await services.vault()
        with pytest.raises(PinRefused):
            await accepted.accept(await accepted.standing(), with_pin(PIN))
        await vault.pin.set(PIN, BY_PERSON)
        with pytest.raises(PinRefused):
            await accepted.accept(await accepted.standing(), with_pin(pin))
        assert (await accepted.standing()).is_first
        assert await vault.acceptance.load() is None
        assert not (abroad.settings.data_dir / "accepted").exists()


async def test_what_counts_is_what_was_shown_and_not_what_the_file_said_by_then(abroad: Abroad) -> None:
    async with abroad.rooms() as services:
        accepted, vault = await services.accepted(), await services.vault()
        await vault.pin.set(PIN, BY_PERSON)
        shown = await accepted.standing()
        abroad.rules(ALLOW)
        await accepted.accept(shown, with_pin(PIN))
        standing = await accepted.standing()
        assert standing.unaccepted == (RULES,)
        assert standing.before[RULES] == ""


@pytest.mark.parametrize("entry", ["", "{}", "null", '{"key": "00", "hashes": {}}', '{"key": 1, "hashes": []}'])
async def test_a_damaged_entry_accepts_nothing(abroad: Abroad, entry: str) -> None:
    async with abroad.rooms() as services:
        accepted = await abroad.accept(services)
        assert not (await accepted.standing()).unaccepted
        await (await services.vault()).acceptance.save(entry or " ")
        assert (await accepted.standing()).is_first
        with pytest.raises(NotAllowed):
            await (await services.placement()).place(ITEMS)
    assert abroad.nothing_was_paid()


async def test_an_acceptance_fits_no_other_shopper_and_no_other_environment(abroad: Abroad, tmp_path: Path) -> None:
    async with abroad.rooms() as services:
        await abroad.accept(services)
        text = await (await services.vault()).acceptance.load()
        assert text is not None
    async with abroad.rooms(shopper=f"{abroad.settings.shopper}b") as services:
        await (await services.vault()).acceptance.save(text)
        assert (await (await services.accepted()).standing()).unaccepted == (
            *(name for name in MOVES_MONEY if name not in PAGES_AT),
            RULES,
        )
    (tmp_path / "rules.toml").touch()
    sandbox = Settings(
        environment="sandbox",
        app_id=abroad.settings.app_id,
        data_dir=tmp_path / "data",
        shopper=abroad.settings.shopper,
        rules_file=tmp_path / "rules.toml",
    )
    async with open_services(sandbox) as services:
        await (await services.vault()).acceptance.save(text)
        assert set(WHERE) <= set((await (await services.accepted()).standing()).unaccepted)


async def test_what_stands_in_the_file_of_texts_is_believed_only_where_the_keyring_agrees(abroad: Abroad) -> None:
    abroad.rules('[USD]\nrefuse_above = "1"')
    async with abroad.rooms() as services:
        accepted = await abroad.accept(services)
        [file] = (abroad.settings.data_dir / "accepted").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        abroad.rules(ALLOW)
        assert (await accepted.standing()).before == declared(abroad.settings) | {RULES: '[USD]\nrefuse_above = "1"'}
        texts = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps(texts | {RULES: ALLOW}), "utf-8")
        assert RULES not in (await accepted.standing()).before
        assert RULES in (await accepted.standing()).unaccepted
        for nonsense in ("", "[]", "{", '{"rules": 1}'):
            file.write_text(nonsense, "utf-8")
            assert (await accepted.standing()).before == {}
        file.unlink()
        assert (await accepted.standing()).before == {}


async def test_where_the_texts_cannot_be_kept_nothing_is_accepted(abroad: Abroad) -> None:
    abroad.settings.data_dir.mkdir(exist_ok=True)
    (abroad.settings.data_dir / "accepted").write_text("a file in the way", "utf-8")
    async with abroad.rooms() as services:
        with pytest.raises(SettingsError, match="Nothing was accepted"):
            await abroad.accept(services)
        assert (await (await services.accepted()).standing()).is_first


async def test_in_the_simulator_everything_counts_as_it_stands_and_no_keyring_is_asked(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, rules_file=tmp_path / "rules.toml", cvv_command=("true",))
    (tmp_path / "rules.toml").write_text(ALLOW, "utf-8")
    async with open_services(settings) as services:
        accepted = await services.accepted()
        assert not accepted.is_needed
        assert (await accepted.standing()).unaccepted == ()
        await accepted.require_accepted_destination()
        await accepted.refuse_unless_accepted(*WHERE, "cvv_command")


async def test_an_entry_fits_into_the_smallest_keyring_there_is() -> None:
    text = Acceptance.of("custom", dict.fromkeys((*MOVES_MONEY, RULES), "x" * 10_000)).model_dump_json()
    assert len(text.encode("utf-16-le")) <= 2560


def test_the_key_of_an_acceptance_is_not_shown() -> None:
    acceptance = Acceptance.of("custom", {"app_id": "1"})
    assert acceptance.key not in repr(acceptance)
    assert Acceptance.of("custom", {"app_id": "1"}).hashes != acceptance.hashes


async def test_a_rules_file_that_cannot_be_read_stops_every_order(abroad: Abroad) -> None:
    async with abroad.rooms() as services:
        await abroad.accept(services)
        abroad.settings.rules_file.write_bytes(b"\xff\xfe")
        with pytest.raises(SettingsError, match="cannot be read"):
            await (await services.placement()).place(ITEMS)
    assert abroad.nothing_was_paid()


async def test_forgetting_everything_forgets_what_was_accepted(abroad: Abroad) -> None:
    async with abroad.rooms() as services:
        accepted = await abroad.accept(services)
        await (await services.vault()).forget_everything()
        assert (await accepted.standing()).is_first


ELSEWHERE: dict[str, Any] = {"pages_url": "https://pay.example", "pages_port": 8123}


async def test_where_a_person_types_counts_once_it_is_accepted_and_holds_up_nothing_until_then(abroad: Abroad) -> None:
    abroad.rules(ALLOW)
    async with abroad.rooms() as services:
        await abroad.fill_cart(services)
        await abroad.accept(services)
    async with abroad.rooms(**ELSEWHERE) as services:
        standing = await (await services.accepted()).standing()
        assert standing.unaccepted == ("pages_url", "pages_port")
        notice = await services.pages_notice()
        assert notice is not None
        assert "Not accepted: pages_url, pages_port." in notice
        assert command_line(services.settings, "rules", "accept") in notice
        assert await placed(services, await (await services.placement()).place(ITEMS, max_total=MUCH))
        await abroad.accept(services)
        assert await services.pages_notice() is None
    changes: list[dict[str, Any]] = [
        {"pages_url": "https://pay.example.evil.example"},
        {"pages_port": 8124},
        {"pages_bind": ip_address("0.0.0.0")},
    ]
    for change in changes:
        async with abroad.rooms(**{**ELSEWHERE, **change}) as services:
            assert await services.pages_notice() is not None, change
    async with abroad.rooms() as services:
        assert await services.pages_notice() is None
        assert (await (await services.accepted()).standing()).unaccepted == ()


async def test_what_version_0_1_0_accepted_still_counts(abroad: Abroad) -> None:
    async with abroad.rooms() as services:
        accepted = await abroad.accept(services)
        entry = (await services.vault()).acceptance
        kept = json.loads(await entry.load() or "")
        kept["hashes"] = {name: text for name, text in kept["hashes"].items() if name not in PAGES_AT}
        await entry.save(json.dumps(kept))
        assert (await accepted.standing()).unaccepted == ()
        await accepted.require_accepted_destination()
    async with abroad.rooms(**ELSEWHERE) as services:
        assert (await (await services.accepted()).standing()).unaccepted == ("pages_url", "pages_port")
