"""A card that the operator's command prints: listed by its summary, sealed like others, and never seen otherwise."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import CardNotFound, CardRefused, FirmlyError, NotAllowed, WalletError
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.commands import CardCommand
from firmly_mcp.wallet.keychain import Secrets
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.wallet import Wallet
from tests.documents import DOCS, examples
from tests.proofs import BY_PERSON

from .samples import NOW, REAL_LOOKING, TEST_AMEX, TEST_VISA, a_card, a_key_pair, an_address, now, sealed_by
from .test_jwe import opened
from .test_secrecy import CANARY, CVV, Witness

pytestmark = pytest.mark.anyio

CODE = SecretStr("123")
CARD = {"label": "Vault", "number": TEST_VISA, "name": "Ana Lima", "month": "08", "year": "2030"}


async def accepted() -> None:
    """A person accepted the command."""


async def unaccepted() -> None:
    raise NotAllowed("Nobody has accepted these settings: card_command.")


def printing(*cards: Any, count: Path | None = None) -> list[str]:
    """A program that prints a card, the next one at every run; it keeps the count of its runs in a file."""
    texts = [card if isinstance(card, str) else json.dumps(card) for card in cards]
    # Split, so that no argument holds a number.
    halves = [(text[::2], text[1::2]) for text in texts]
    lines = (
        "import itertools, pathlib, sys\n"
        f"halves, count = {halves!r}, pathlib.Path({str(count or '/dev/null')!r})\n"
        "number = len(count.read_text()) if count.is_file() else 0\n"
        "if count.is_file(): count.write_text('x' * (number + 1))\n"
        "even, odd = halves[min(number, len(halves) - 1)]\n"
        "print(''.join(itertools.chain(*itertools.zip_longest(even, odd, fillvalue=''))))\n"
    )
    return [sys.executable, "-c", lines]


def a_vault_with(
    command: Sequence[str] | None,
    lock_dir: Path,
    keychain: Secrets | None = None,
    *,
    environment: str = "simulator",
    may_run: Any = accepted,
) -> Wallet:
    card = None if command is None else CardCommand(command, environment, may_run=may_run, now=now)
    return Wallet(keychain or MemoryKeychain(), Owner(environment, "commander"), lock_dir, now, card_command=card)


async def test_its_card_is_listed_by_its_summary_and_sealed_as_any_other(tmp_path: Path) -> None:
    vault = a_vault_with(printing(CARD | {"billing_address": "Home"}), tmp_path)
    await vault.add_own_address(an_address(), BY_PERSON)
    [listed] = await vault.cards()
    assert (listed.label, listed.brand, listed.last_four, listed.month, listed.year, listed.billing_address) == (
        "Vault", "visa", "1111", "08", "2030", "Home"
    )  # fmt: skip
    assert await vault.card_summary() == await vault.card_summary("VAULT") == listed
    key = a_key_pair()
    _, sealed = opened(await sealed_by(vault, "vault", CODE, key.public), key.private)
    assert sealed == {
        "number": TEST_VISA, "name": "Ana Lima", "month": "08", "year": "2030", "verification_value": "123"
    }  # fmt: skip


async def test_it_runs_once_to_be_shown_and_again_for_every_seal(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.touch()
    vault = a_vault_with(printing(CARD, count=count), tmp_path)
    for _ in range(3):
        await vault.cards()
        await vault.card_summary("Vault")
    assert count.read_text() == "x"
    for runs in ("xx", "xxx"):
        await sealed_by(vault, None, CODE, a_key_pair().public)
        assert count.read_text() == runs


async def test_nothing_of_the_card_stays_but_its_summary(tmp_path: Path) -> None:
    vault = a_vault_with(printing(CARD), tmp_path)
    await vault.cards()
    command = vault._card_command
    assert command is not None
    assert TEST_VISA not in repr({name: getattr(command, name) for name in vars(command)})
    assert not any(isinstance(value, (SecretStr, type(a_card()))) for value in vars(command).values())


async def test_another_card_than_the_one_that_was_shown_is_not_sealed(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.touch()
    other = CARD | {"number": TEST_AMEX}
    vault = a_vault_with(printing(CARD, other, count=count), tmp_path)
    assert (await vault.card_summary()).last_four == "1111"
    with pytest.raises(CardRefused, match="another card than the one that was shown"):
        await sealed_by(vault, "Vault", CODE, a_key_pair().public)
    assert (await vault.card_summary()).last_four == TEST_AMEX[-4:]


async def test_a_command_that_nobody_accepted_is_not_run_and_other_cards_go_on(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.touch()
    vault = a_vault_with(printing(CARD, count=count), tmp_path, may_run=unaccepted)
    await vault.add_card(a_card(label="Kept"), default=True)
    assert [card.label for card in await vault.cards()] == ["Kept"]
    assert [damage.message for damage in await vault.damaged_cards()] == [
        "Nobody has accepted these settings: card_command."
    ]
    assert (await vault.card_summary()).label == "Kept"
    await sealed_by(vault, "kept", CODE, a_key_pair().public)
    for act in (vault.card_summary("Vault"), sealed_by(vault, "Vault", CODE, a_key_pair().public)):
        with pytest.raises(NotAllowed, match="card_command"):
            await act
    assert count.read_text() == ""


async def test_the_card_that_is_meant_is_told_apart_from_those_of_the_keyring(tmp_path: Path) -> None:
    vault = a_vault_with(printing(CARD), tmp_path)
    with pytest.raises(CardNotFound, match="There are: Vault") as caught:
        await vault.card_summary("Other")
    assert caught.value.known == ("Vault",)
    for label in ("Kept", "Other"):
        await vault.add_card(a_card(label=label))
        assert ((await vault.card_summary()).label, await vault.default_card()) == ("Vault", "Vault"), "it was first"
    await vault.set_default_card("Kept")
    assert ((await vault.card_summary()).label, await vault.default_card()) == ("Kept", "Kept")
    assert [card.label for card in await vault.cards()] == ["Kept", "Other", "Vault"]
    await vault.set_default_card("vault")
    assert ((await vault.card_summary()).label, await vault.default_card()) == ("Vault", "Vault")
    await vault.remove_card("Other")
    assert (await vault.card_summary()).label == "Vault"


async def test_a_card_of_the_keyring_stays_the_default_when_a_command_comes_or_goes(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    without = a_vault_with(None, tmp_path, keychain=keychain)
    await without.add_card(a_card(label="Kept"))
    with_command = a_vault_with(printing(CARD), tmp_path, keychain=keychain)
    assert ((await with_command.card_summary()).label, await with_command.default_card()) == ("Kept", "Kept")
    await with_command.add_card(a_card(label="Second"))
    assert (await with_command.card_summary()).label == "Kept"
    await with_command.set_default_card("Vault")
    await with_command.remove_card("Second")
    assert (await without.card_summary()).label == "Kept", "the only one that is left"
    await without.add_card(a_card(label="Third"))
    assert (await without.card_summary()).label == "Kept"


async def test_of_an_older_version_a_card_and_a_command_without_a_default_still_ask(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    vault = a_vault_with(printing(CARD), tmp_path, keychain=keychain)
    await vault.add_card(a_card(label="Kept"))
    await keychain.set(f"simulator/{vault.owner.shopper}/cards", SecretStr('{"labels": ["Kept"], "default": null}'))
    for _ in range(2):
        with pytest.raises(CardNotFound, match="more than one card and no default one"):
            await vault.card_summary()
        assert await vault.default_card() is None
        await vault.add_card(a_card(label="Second"), replace=True)


async def test_of_two_cards_with_one_label_the_keyrings_is_meant_and_shown(tmp_path: Path) -> None:
    vault = a_vault_with(printing(CARD | {"label": "VISA"}), tmp_path)
    await vault.add_card(a_card(number=SecretStr(TEST_AMEX)))
    assert [card.last_four for card in await vault.cards()] == [TEST_AMEX[-4:]]
    assert (await vault.card_summary("visa")).last_four == TEST_AMEX[-4:]


@pytest.mark.parametrize("environment", ["simulator", "custom"])
async def test_only_published_test_numbers_are_taken_where_only_they_belong(environment: str) -> None:
    command = CardCommand(printing(CARD | {"number": REAL_LOOKING}), environment, may_run=accepted, now=now)
    with pytest.raises(CardRefused, match="only published test numbers"):
        await command.summary()


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "4539148803436467",
        "[]",
        "{",
        "[" * 3000,
        {},
        CARD | {"number": int(REAL_LOOKING)},
        CARD | {REAL_LOOKING: "x"},
        CARD | {"security_code": "123"},
        {**CARD, "label": None},
        json.dumps(CARD) * 100,
    ],
)
async def test_what_is_no_card_is_refused_and_never_echoed(printed: Any) -> None:
    command = CardCommand(printing(printed), "sandbox", may_run=accepted, now=now)
    with pytest.raises(WalletError, match="printed no card") as caught:
        await command.summary()
    assert "4539" not in caught.value.message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"number": REAL_LOOKING[:-1] + "0"}, "check digit"),
        ({"year": "2020"}, "has expired"),
        ({"name": REAL_LOOKING}, "holds a number"),
        ({"label": REAL_LOOKING}, "label"),
        ({"billing_address": REAL_LOOKING}, "label"),
    ],
)
async def test_a_card_that_cannot_be_used_is_refused_with_its_reason(changes: dict[str, str], says: str) -> None:
    command = CardCommand(printing(CARD | changes), "sandbox", may_run=accepted, now=now)
    with pytest.raises(CardRefused, match=says) as caught:
        await command.summary()
    assert caught.value.message.startswith("The card_command ")
    assert REAL_LOOKING[:8] not in caught.value.message


async def test_a_canary_card_is_seen_nowhere(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    witness, key = Witness(), a_key_pair(host="cc.firmly.work")
    canary = CARD | {"number": CANARY}
    vault = a_vault_on_nothing(printing(canary), tmp_path)
    for value in (await vault.cards(), await vault.card_summary(), vars(vault)):
        witness.value(value)
    witness.value(await sealed_by(vault, None, SecretStr(CVV[:3]), key.public))
    await witness.refusal(lambda: sealed_by(vault, None, SecretStr(CVV), key.public))
    await witness.refusal(
        lambda: sealed_by(vault, None, SecretStr(CVV[:3]), a_key_pair(host="cc.firmly.online").public)
    )
    for wrong in (
        canary | {"number": CANARY[:-1] + "0"},
        canary | {"label": CANARY},
        canary | {"name": CANARY},
        canary | {"month": CANARY},
        canary | {CANARY: "x"},
        CANARY,
        json.dumps(canary)[:-1],
        json.dumps(canary) * 100,
    ):
        broken = a_vault_on_nothing(printing(wrong), tmp_path)
        await witness.refusal(lambda vault=broken: vault.card_summary())  # type: ignore[misc]  # bound in its turn
        witness.value(await broken.damaged_cards())
    out, err = capfd.readouterr()
    witness.seen += [out, err, caplog.text]
    witness.seen += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(witness.seen) > 60
    assert witness.hits() == []


class Nothing:
    """A keyring in which nothing stands yet."""

    description = "a dictionary"

    def __init__(self) -> None:
        self.kept: dict[str, SecretStr] = {}

    async def get(self, name: str) -> SecretStr | None:
        return self.kept.get(name)

    async def set(self, name: str, secret: SecretStr) -> None:
        self.kept[name] = secret

    async def delete(self, name: str) -> None:
        self.kept.pop(name, None)


def a_vault_on_nothing(command: Sequence[str], lock_dir: Path) -> Wallet:
    return a_vault_with(command, lock_dir, Nothing(), environment="sandbox")


async def test_an_error_of_ours_is_what_every_failure_becomes() -> None:
    for command in (["/nonexistent/program"], [sys.executable, "-c", "raise SystemExit(3)"]):
        with pytest.raises(FirmlyError, match="card_command") as caught:
            await CardCommand(command, "sandbox", may_run=accepted, now=lambda: NOW).summary()
        assert caught.value.message.endswith("Nothing was sent.")


async def test_the_guide_shows_a_card_as_it_is_taken() -> None:
    [example] = examples(DOCS / "guide.md", "json")
    card = await CardCommand(printing(example), "simulator", may_run=accepted, now=now).summary()
    assert (card.label, card.brand, card.billing_address) == ("Vault Visa", "visa", "home")
