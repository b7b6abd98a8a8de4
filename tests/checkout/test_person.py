"""One act, one lock: what widens the rules takes a person's proof, and the act itself checks the PIN."""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

import firmly_mcp
from firmly_mcp.app import Services
from firmly_mcp.checkout.models import Attempt, State
from firmly_mcp.errors import AddressRefused, PinRefused
from firmly_mcp.wallet.pin import ApprovalProof, Cost
from tests.proofs import BY_PERSON, with_pin
from tests.wallet.samples import an_address

from .gate import CODE, ITEMS, Gate

pytestmark = pytest.mark.anyio

PIN: Final = SecretStr("tulip 47")
PACKAGE: Final = Path(firmly_mcp.__file__).parent
# Where a person is, and the demo's published test card.
MAKERS: Final = {"cli/prompt.py", "pages/sessions.py", "wallet/memory.py"}

Act = Callable[[Services, ApprovalProof], Awaitable[None]]


async def settle(services: Services, proof: ApprovalProof) -> None:
    placement = await services.placement()
    (doubt,) = await placement.attempts(limit=1)
    await placement.settle_manually(doubt, None, proof=proof)


async def accept_journal(services: Services, proof: ApprovalProof) -> None:
    await (await services.placement()).accept_journal(proof)


async def unlock_card(services: Services, proof: ApprovalProof) -> None:
    await (await services.placement()).unlock_card("test-visa", proof)


async def add_own_address(services: Services, proof: ApprovalProof) -> None:
    await (await services.vault()).add_own_address(an_address(label="Mine"), proof)


async def replace_address(services: Services, proof: ApprovalProof) -> None:
    await (await services.vault()).add_own_address(an_address(label="home"), proof, replace=True)


async def accept_rules(services: Services, proof: ApprovalProof) -> None:
    accepted = await services.accepted()
    await accepted.accept(await accepted.standing(), proof)


async def change_pin(services: Services, proof: ApprovalProof) -> None:
    await (await services.vault()).pin.set(SecretStr("other 47"), proof)


ACTS: Final[Mapping[str, Act]] = {
    act.__name__: act
    for act in (settle, accept_journal, unlock_card, add_own_address, replace_address, accept_rules, change_pin)
}


async def doubtful(gate: Gate) -> Attempt:
    gate.simulator.faults.add("reset-after-body", match="*_order_v2")
    return await gate.bought(ITEMS)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_where_a_pin_is_set_an_act_checks_it_itself(gate: Gate, act: Act) -> None:
    doubt = await doubtful(gate)
    assert doubt.state is State.UNKNOWN
    vault = await gate.services.vault()
    vault.pin._cost = Cost(n=2, r=1, p=1)
    await vault.pin.set(PIN, BY_PERSON)
    before = dict(gate.keychain._secrets)
    for proof in (BY_PERSON, ApprovalProof("page"), ApprovalProof("demo"), with_pin("tulip 48")):
        with pytest.raises(PinRefused) as caught:
            await act(gate.services, proof)
        assert caught.value.money_moved == ("unknown" if act is settle else "no")
    after = dict(gate.keychain._secrets)
    assert {name for name in after if after[name] != before.get(name)} == {vault.pin.name}, "a miss is counted"
    assert (await gate.placement.attempts(limit=1))[0].state is State.UNKNOWN
    await act(gate.services, with_pin(PIN))


async def test_a_yes_without_the_pin_places_nothing(gate: Gate) -> None:
    review = await gate.reviewed(ITEMS)
    vault = await gate.services.vault()
    vault.pin._cost = Cost(n=2, r=1, p=1)
    await vault.pin.set(PIN, BY_PERSON)
    for proof in (BY_PERSON, with_pin("tulip 48")):
        with pytest.raises(PinRefused):
            await gate.placement.approve(review, CODE, proof)
    assert gate.orders_sent() == 0


async def test_an_address_without_a_person_s_proof_is_never_their_own(gate: Gate) -> None:
    vault = await gate.services.vault()
    with pytest.raises(AddressRefused):
        await vault.add_address(an_address(label="Mine"))
    for origin in ("tool", "script"):
        await vault.add_address(an_address(label=origin, origin=origin))
    await vault.add_own_address(an_address(label="Mine", origin="tool"), BY_PERSON)
    origins = {entry.label: entry.origin for entry in await vault.addresses()}
    assert origins == {"home": "person", "tool": "tool", "script": "script", "Mine": "person"}


def test_a_proof_is_made_at_a_terminal_on_a_page_and_nowhere_else() -> None:
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if _makes_a_proof(path)}
    assert found == MAKERS


def _makes_a_proof(path: Path) -> bool:
    tree = ast.parse(path.read_text("utf-8"))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = {getattr(func, "id", None) or getattr(func, "attr", None) for func in calls}
    return "ApprovalProof" in names
