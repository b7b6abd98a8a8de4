"""What `seal` makes is opened by RFC 7516's steps with `cryptography`'s primitives, not by the library that made it."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from pydantic import SecretStr

from firmly_mcp.errors import CardRefused, UnexpectedAnswer
from firmly_mcp.simulator.security import decrypt_jwe, parse_jwe, read_card
from firmly_mcp.wallet.cards import TEST_NUMBERS, Card
from firmly_mcp.wallet.jwe import Encryptor, PaymentKey, thumbprint

from .samples import NOW, PAYMENT_HOSTS, REAL_LOOKING, TEST_AMEX, TEST_VISA, a_card, a_key_pair, base64url

CVV = SecretStr("739")


def opened(sealed: SecretStr, key: rsa.RSAPrivateKey, *, oaep: Any = SHA256) -> tuple[dict[str, str], dict[str, Any]]:
    """Header and plaintext of a JWE in compact serialization."""
    parts = sealed.get_secret_value().split(".")
    header, encrypted_key, nonce, ciphertext, tag = (octets(part) for part in parts)
    content_key = key.decrypt(encrypted_key, padding.OAEP(padding.MGF1(oaep()), oaep(), None))
    assert (len(content_key), len(nonce), len(tag)) == (32, 12, 16)
    plaintext = AESGCM(content_key).decrypt(nonce, ciphertext + tag, parts[0].encode("ascii"))
    return json.loads(header), json.loads(plaintext)


def octets(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def sealed_for(key: PaymentKey, card: Card | None = None, cvv: SecretStr = CVV) -> SecretStr:
    return Encryptor(card or a_card(), cvv, key, environment="simulator")()


def test_firmly_gets_the_five_strings_and_the_three_header_members() -> None:
    key = a_key_pair()
    sealed = sealed_for(key.public, a_card(name="Łucja Ż'Or", month="3", year="2031"))
    header, card = opened(sealed, key.private)
    assert octets(sealed.get_secret_value().split(".")[0]) == (
        b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"2026-01-key"}'
    )
    assert list(header) == ["alg", "enc", "kid"]
    assert card == {
        "number": TEST_VISA,
        "name": "Łucja Ż'Or",
        "verification_value": "739",
        "month": "03",
        "year": "2031",
    }


@given(st.sampled_from(sorted(TEST_NUMBERS)), st.text("0123456789", min_size=4, max_size=4), st.text(max_size=30))
def test_any_card_that_is_taken_is_sealed_and_opened_unchanged(number: str, digits: str, name: str) -> None:
    try:
        card = a_card(number=SecretStr(number), name=name)
    except CardRefused:
        return
    assert card.brand is not None
    code = digits[: card.brand.code_length]
    key = a_key_pair()
    _, plain = opened(sealed_for(key.public, card, SecretStr(code)), key.private)
    assert plain["number"] == number
    assert plain["verification_value"] == code
    assert plain["name"] == card.name


def test_the_simulator_s_own_reader_opens_it_too() -> None:
    key = a_key_pair()
    sealed = parse_jwe(sealed_for(key.public).get_secret_value())
    assert sealed.header == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key.public.kid}
    paid = read_card(json.loads(decrypt_jwe(sealed, key.private, SHA256())), NOW)
    assert (paid.brand, paid.last_four, paid.declined) == ("visa", "1111", None)


def test_two_seals_of_one_card_share_nothing_but_the_header() -> None:
    key = a_key_pair().public
    one, other = (sealed_for(key).get_secret_value().split(".") for _ in range(2))
    assert one[0] == other[0]
    assert all(ours != theirs for ours, theirs in zip(one[1:], other[1:], strict=True))


@pytest.mark.parametrize("part", range(5))
def test_a_seal_that_was_changed_on_the_way_does_not_open(part: int) -> None:
    key = a_key_pair()
    parts = sealed_for(key.public).get_secret_value().split(".")
    changed = bytearray(octets(parts[part]))
    changed[len(changed) // 2] ^= 1
    parts[part] = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    with pytest.raises((ValueError, InvalidTag)):
        opened(SecretStr(".".join(parts)), key.private)


def test_an_encryptor_makes_one_jwe_then_holds_nothing_and_shows_nothing_of_what_it_held() -> None:
    key = a_key_pair()
    encrypt, another = (Encryptor(a_card(), SecretStr("123"), key.public, environment="simulator") for _ in range(2))
    one, other = encrypt(), another()
    assert one != other
    assert opened(one, key.private)[1] == opened(other, key.private)[1]
    with pytest.raises(RuntimeError, match="used once"):
        encrypt()
    assert encrypt.card == a_card().summary()
    assert repr(encrypt) == str(encrypt) == "Encryptor()"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(encrypt)


def test_what_encrypting_would_refuse_is_refused_before_there_is_an_encryptor() -> None:
    with pytest.raises(CardRefused, match="3 digits"):
        Encryptor(a_card(), SecretStr("1234"), a_key_pair().public, environment="simulator")


def test_another_hash_or_another_key_does_not_open_it() -> None:
    sealed = sealed_for(a_key_pair().public)
    with pytest.raises(ValueError, match=r"(?i)decryption failed"):
        opened(sealed, a_key_pair().private, oaep=SHA1)
    with pytest.raises(ValueError, match=r"(?i)decryption failed"):
        opened(sealed, a_key_pair(which=1).private)


def test_the_library_is_bound_to_the_two_algorithms(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[list[str]] = []
    add_recipient = JWE.add_recipient

    def noted(token: JWE, *arguments: Any) -> None:
        bound.append(token.allowed_algs)
        add_recipient(token, *arguments)

    monkeypatch.setattr(JWE, "add_recipient", noted)
    sealed_for(a_key_pair().public)
    assert bound == [["RSA-OAEP-256", "A256GCM"]]


@pytest.mark.parametrize("other", [{"alg": "RSA1_5"}, {"alg": "RSA-OAEP"}, {"alg": "dir"}, {"enc": "A128GCM"}])
def test_a_library_so_bound_refuses_every_other_algorithm(other: dict[str, str]) -> None:
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "k"} | other
    token = JWE(b"{}", protected=json.dumps(header), algs=["RSA-OAEP-256", "A256GCM"])
    key = a_key_pair().public
    with pytest.raises(JWException, match="Algorithm not allowed"):
        token.add_recipient(JWK(kty=key.kty, n=key.n, e=key.e))


def changed_modulus(bits: int) -> str:
    return base64url((1 << (bits - 1)) + 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kty": "EC"}, "not an RSA key"),
        ({"n": "not base64url!"}, "not base64url"),
        ({"n": ""}, "not base64url"),
        ({"n": "AAAA"}, "not base64url"),
        ({"e": "AQAB="}, "not base64url"),
        ({"n": changed_modulus(1024)}, "between 2048 and 8192 bits"),
        ({"n": changed_modulus(2047)}, "between 2048 and 8192 bits"),
        ({"n": changed_modulus(16384)}, "between 2048 and 8192 bits"),
        ({"n": base64url(1 << 2047)}, "modulus is even"),
        ({"e": "Aw"}, "exponent is not 65537"),
        ({"use": "sig"}, "not meant for encryption"),
        ({"alg": "RSA1_5"}, "not meant for RSA-OAEP-256"),
        ({"alg": "RSA-OAEP"}, "not meant for RSA-OAEP-256"),
        ({"kid": ""}, "key id is missing"),
        ({"kid": None}, "key id is missing"),
        ({"kid": "a\nb"}, "unprintable"),
        ({"kid": "k" * 129}, "long"),
        ({"header_kid": "2026-02-key"}, "two different key ids"),
    ],
)
def test_a_key_that_fails_a_check_gets_no_card(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=says) as caught:
        sealed_for(replace(a_key_pair().public, **changes))
    assert caught.value.money_moved == "no"
    assert "nothing was sent" in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [{"use": None}, {"alg": "RSA-OAEP-256"}, {"header_kid": "2026-01-key"}, {"host": "http://127.0.0.1:8123"}],
)
def test_what_firmly_may_leave_out_or_say_of_its_key_is_fine(changes: dict[str, Any]) -> None:
    key = a_key_pair()
    assert opened(sealed_for(replace(key.public, **changes)), key.private)[1]["number"] == TEST_VISA


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (TEST_VISA, ""),
        (TEST_VISA, "73"),
        (TEST_VISA, "7392"),
        (TEST_VISA, "73a"),
        (TEST_VISA, "٧٣٩"),
        (TEST_VISA, " 739"),
        (TEST_AMEX, "739"),
        (TEST_AMEX, "73921"),
    ],
)
def test_a_security_code_of_the_wrong_form_is_refused_and_not_echoed(number: str, code: str) -> None:
    with pytest.raises(CardRefused, match=r"has [34] digits\. .* nothing was sent\.") as caught:
        sealed_for(a_key_pair().public, a_card(number=SecretStr(number)), SecretStr(code))
    assert not code or code not in caught.value.message


def test_an_amex_code_has_four_digits() -> None:
    key = a_key_pair()
    sealed = sealed_for(key.public, a_card(number=SecretStr(TEST_AMEX)), SecretStr("7392"))
    assert opened(sealed, key.private)[1]["verification_value"] == "7392"


@pytest.mark.parametrize("environment", ["simulator", "sandbox", "production", "custom"])
@pytest.mark.parametrize("other", ["simulator", "sandbox", "production", "custom"])
def test_a_card_is_sealed_for_its_own_environment_alone(environment: str, other: str) -> None:
    host = PAYMENT_HOSTS.get(other, "127.0.0.1:8123")
    key = a_key_pair(host=host)
    card = a_card(environment=environment)
    if environment == other:
        assert opened(Encryptor(card, CVV, key.public, environment=other)(), key.private)[1]["number"] == TEST_VISA
    else:
        with pytest.raises(CardRefused, match=f"added for the {environment} environment, not for {other}"):
            Encryptor(card, CVV, key.public, environment=other)()


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ("sandbox", "cc.firmly.online"),
        ("sandbox", "api.firmly.work"),
        ("sandbox", "cc.firmly.work.evil.example"),
        ("sandbox", "cc.firmly.work@evil.example"),
        ("production", "cc.firmly.work"),
        ("production", "127.0.0.1"),
        ("simulator", "cc.firmly.work"),
        ("simulator", "127.0.0.1.evil.example"),
        ("custom", ""),
        ("custom", "https://[broken"),
    ],
)
def test_a_key_from_another_host_gets_no_card(environment: str, host: str) -> None:
    with pytest.raises(CardRefused, match="not from a payment host"):
        Encryptor(a_card(environment=environment), CVV, a_key_pair(host=host).public, environment=environment)()


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_a_real_card_goes_to_its_own_payment_host(environment: str) -> None:
    key = a_key_pair(host=f"https://{PAYMENT_HOSTS[environment]}")
    card = a_card(environment=environment, number=SecretStr(REAL_LOOKING))
    assert opened(Encryptor(card, CVV, key.public, environment=environment)(), key.private)[1]["number"] == REAL_LOOKING


@pytest.mark.parametrize("environment", ["simulator", "custom"])
def test_a_number_that_is_not_published_for_tests_is_not_sealed_for_a_test(environment: str) -> None:
    smuggled = a_card(environment=environment).model_copy(update={"number": SecretStr(REAL_LOOKING)})
    with pytest.raises(CardRefused, match="published test numbers"):
        Encryptor(smuggled, CVV, a_key_pair().public, environment=environment)()


def test_the_thumbprint_is_rfc_7638s() -> None:
    # RFC 7638, section 3.1.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhM"
        "stn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"
        "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = PaymentKey("cc.firmly.work", "2011-04-29", modulus, "AQAB", "RSA", alg="RS256")
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert len(octets(thumbprint(key))) == hashlib.sha256().digest_size


def test_a_failure_within_the_library_brings_none_of_its_frames_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"while encrypting {TEST_VISA}")

    monkeypatch.setattr(JWE, "serialize", broken)
    with pytest.raises(UnexpectedAnswer, match="Encrypting with Firmly's payment key failed") as caught:
        sealed_for(a_key_pair().public)
    assert caught.value.__context__ is None
    assert TEST_VISA not in caught.value.message
