"""A card number leaves the wallet only inside a JWE.

A canary number goes through everything that the wallet does, and through every refusal. Then every byte that came of
it is searched: messages, tracebacks with the variables of their frames, reprs, logs, output, and files.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import traceback
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import FirmlyError, WalletError
from firmly_mcp.wallet.backends import Backend
from firmly_mcp.wallet.cards import Card, entry_of
from firmly_mcp.wallet.commands import security_code
from firmly_mcp.wallet.jwe import Encryptor
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.wallet import Wallet
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService, private_bus

from .samples import PAYMENT_HOSTS, REAL_LOOKING, a_card, a_key_pair, a_vault, an_address, damage_in, sealed_by

CANARY = REAL_LOOKING
GROUPED = SecretStr(" ".join(CANARY[place : place + 4] for place in range(0, 16, 4)))
CVV = "8046"
HOST = PAYMENT_HOSTS["sandbox"]
# Prints the code twice, and does not have it in its arguments.
PRINTS_TOO_MUCH = ("printf", "".join(f"\\{ord(digit):03o}" for digit in CVV * 2))


class Witness:
    """Collects what a person, a log or a crash report could see."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def refusal(self, act: Callable[[], Awaitable[object]]) -> FirmlyError:
        with pytest.raises(FirmlyError) as caught:
            await act()
        self.exception(caught.value)
        return caught.value

    def exception(self, error: BaseException) -> None:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        # A test's own frames hold the canary because they type it.
        frames = [frame for frame in report.stack if Path(frame.filename).parent != Path(__file__).parent]
        self.seen += [str(error), repr(error), repr(error.args), repr(vars(error))]
        self.seen += traceback.StackSummary.from_list(frames).format()
        for linked in (error.__cause__, error.__context__):
            if linked is not None:
                self.exception(linked)

    def value(self, value: object) -> None:
        self.seen += [repr(value), str(value), f"{value}"]

    def hits(self) -> list[str]:
        """Where the number stands, however it is grouped, or the code as a word of its own."""
        code = re.compile(rf"\b{CVV}\b")
        return [text for text in self.seen if CANARY in re.sub(r"[\s-]", "", text) or code.search(text)]


class Keeping:
    """A keyring that works, but for what a test makes of it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        assert service == "firmly-mcp"
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        assert service == "firmly-mcp"
        self.kept[username] = self.kept_of(username, password)

    def delete_password(self, service: str, username: str) -> None:
        assert service == "firmly-mcp"
        del self.kept[username]

    def kept_of(self, username: str, password: str) -> str:
        del username
        return password


class Altering(Keeping):
    """Keeps another text of a card than it was given."""

    def kept_of(self, username: str, password: str) -> str:
        return f"{password} " if "/card/" in username else password


class Breaking(Keeping):
    """Raises with a card in its message and its frames."""

    def kept_of(self, username: str, password: str) -> str:
        if "/card/" in username:
            raise RuntimeError(f"cannot keep {password}")
        return password


def a_vault_on(keyring: Keeping) -> Wallet:
    keychain = Keychain(find=lambda _: Backend("a broken keyring", keyring))
    return a_vault(Path("locks"), keychain, environment="sandbox")


@pytest.mark.anyio
async def test_a_canary_number_is_seen_nowhere_but_in_the_keyring(
    keyring_bus: SecretService,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(tmp_path)
    witness = Witness()
    key = a_key_pair(host=HOST)
    vault = a_vault(tmp_path / "locks", Keychain(), environment="sandbox")

    await vault.add_own_address(an_address(), BY_PERSON)
    card = a_card(number=GROUPED, environment="sandbox", billing_address="Home")
    for value in (card, card.summary(), vars(card), [card], card.model_dump(), card.model_dump_json()):
        witness.value(value)
    witness.value(await vault.add_card(card))
    witness.value(await vault.cards())
    witness.value(await sealed_by(vault, "visa", SecretStr(CVV[:3]), key.public))
    encrypt = await vault.encryptor("visa", SecretStr(CVV[:3]), key.public)
    for made in (encrypt, [encrypt], encrypt.card, encrypt()):
        witness.value(made)
    witness.value(vars(vault))

    await _refusals(witness, vault)
    await _damage(witness, vault)

    out, err = capfd.readouterr()
    witness.seen += [out, err, caplog.text]
    witness.seen += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    witness.seen += [" ".join(os.environ.values()), Path("/proc/self/cmdline").read_text()]
    assert len(witness.seen) > 100
    assert witness.hits() == []
    await vault.remove_card("Visa")


async def _refusals(witness: Witness, vault: Wallet) -> None:
    async def make(**changes: object) -> object:
        fields = {"number": GROUPED, "environment": "sandbox"} | changes
        return a_card(**fields)

    async def make_address(field: str) -> object:
        return an_address(**{field: CANARY})

    mistyped = SecretStr(CANARY[:-1] + "0")
    other = a_card(number=GROUPED, environment="sandbox", label="Other")
    wrong_host, good = a_key_pair(host="cc.firmly.online").public, a_key_pair(host=HOST).public
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: make(environment="simulator"),
        lambda: make(number=SecretStr(CANARY + "x")),
        lambda: make(number=SecretStr(CANARY * 2)),
        lambda: make(number=mistyped),
        lambda: make(month=CANARY),
        lambda: make(year="2020"),
        lambda: make(name=""),
        lambda: vault.add_card(a_card(number=GROUPED, environment="sandbox")),
        lambda: vault.add_card(a_card(number=GROUPED, environment="production")),
        lambda: vault.add_card(a_card(number=GROUPED, environment="sandbox", label="New", billing_address="Nowhere")),
        lambda: sealed_by(vault, "visa", SecretStr(CVV), good),
        lambda: sealed_by(vault, "visa", SecretStr(CVV[:3]), wrong_host),
        lambda: sealed_by(vault, "visa", SecretStr(CVV[:3]), a_key_pair(host=HOST, which=1).public),
        partial(_sealed_elsewhere, other),
        lambda: a_vault(Path("locks"), MemoryKeychain(), environment="sandbox").add_card(other),
        lambda: MemoryKeychain().set("simulator/local/card/visa", entry_of(other)),
        lambda: a_vault_on(Breaking()).add_card(other),
        lambda: a_vault_on(Altering()).add_card(other),
        lambda: security_code([*PRINTS_TOO_MUCH]),
        *(partial(make_address, field) for field in ("phone", "address1", "label", "country")),
    ]
    for act in acts:
        await witness.refusal(act)


async def _sealed_elsewhere(card: Card) -> object:
    return Encryptor(
        card, SecretStr(CVV[:3]), a_key_pair(host=PAYMENT_HOSTS["production"]).public, environment="production"
    )()


async def _damage(witness: Witness, vault: Wallet) -> None:
    """Entries that hold the canary, and can yet not be read."""
    keychain = Keychain()
    name = f"sandbox/{vault.owner.shopper}/card/visa"
    whole = await keychain.get(name)
    assert whole is not None
    for damage in (
        whole.get_secret_value()[:-2],
        whole.get_secret_value().replace('"number"', '"nummer"'),
        whole.get_secret_value().replace('"Visa"', f'"{CANARY}"'),
        whole.get_secret_value().replace(f'"{CANARY}"', CANARY),
        f'"{CANARY}"',
    ):
        await keychain.set(name, SecretStr(damage))
        del damage
        await witness.refusal(lambda: vault.card_summary("Visa"))
        await witness.refusal(lambda: sealed_by(vault, "Visa", SecretStr(CVV[:3]), a_key_pair(host=HOST).public))
        witness.value(await vault.cards())
        witness.value([error.message for error in await damage_in(vault)])
    await keychain.set(name, whole)


@pytest.mark.anyio
async def test_a_keyring_that_cannot_be_used_shows_no_number_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness()
    with private_bus() as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        vault = a_vault(tmp_path, Keychain(), environment="sandbox")
        error = await witness.refusal(lambda: vault.add_card(a_card(number=GROUPED, environment="sandbox")))
    assert isinstance(error, WalletError)
    assert witness.hits() == []


@pytest.mark.anyio
async def test_nothing_of_a_card_is_left_in_a_warning(keyring_bus: SecretService, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        vault = a_vault(tmp_path, Keychain(), environment="sandbox")
        await vault.add_card(a_card(number=GROUPED, environment="sandbox"))
        await vault.remove_card("Visa")
        gc.collect()
    assert [str(warning.message) for warning in raised if CANARY in str(warning.message)] == []


def test_the_witness_would_notice() -> None:
    """A search that cannot find anything proves nothing."""
    witness = Witness()

    with pytest.raises(ValueError, match="invalid literal") as caught:
        json.loads(f'{{"number": {CANARY}}}', parse_int=lambda digits: int(f"{digits}x"))
    witness.exception(caught.value)
    assert len(witness.hits()) > 1, "in the message and in the frames"
