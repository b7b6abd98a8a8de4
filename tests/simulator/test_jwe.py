"""The JWE reader against vectors from outside: RFC 7516, RFC 7520 and Wycheproof."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwcrypto import jwk

from firmly_mcp.simulator.security import UnreadableJwe, decrypt_jwe, from_pem, parse_jwe, process_key
from tests.simulator.shopping import seal

VECTORS = json.loads((Path(__file__).parent / "jwe_vectors.json").read_text())
HASHES: dict[str, hashes.HashAlgorithm] = {"RSA-OAEP": hashes.SHA1(), "RSA-OAEP-256": hashes.SHA256()}


def private_key(vector: dict[str, Any]) -> RSAPrivateKey:
    return from_pem(jwk.JWK(**vector["key"]).export_to_pem(private_key=True, password=None).decode())


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["opens"]], ids=lambda v: v["from"])
def test_a_published_vector_opens(vector: dict[str, Any]) -> None:
    plaintext = decrypt_jwe(parse_jwe(vector["jwe"]), private_key(vector), HASHES[vector["alg"]])
    assert plaintext.hex() == vector["plaintext"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if not v["opens"]], ids=lambda v: v["from"])
def test_a_published_invalid_vector_does_not_open(vector: dict[str, Any]) -> None:
    with pytest.raises(UnreadableJwe):
        decrypt_jwe(parse_jwe(vector["jwe"]), private_key(vector), HASHES[vector["alg"]])


def test_the_other_hash_does_not_open() -> None:
    vector = next(vector for vector in VECTORS if vector["alg"] == "RSA-OAEP-256" and vector["opens"])
    with pytest.raises(UnreadableJwe):
        decrypt_jwe(parse_jwe(vector["jwe"]), private_key(vector), hashes.SHA1())


@pytest.mark.parametrize("part", range(5))
def test_a_flipped_bit_anywhere_is_noticed(part: int) -> None:
    key = from_pem(process_key())
    numbers = jwk.JWK.from_pyca(key.public_key()).export_public(as_dict=True)
    parts = seal({**numbers, "kid": "k"}, {"number": "1"}).split(".")
    parts[part] = ("B" if parts[part][0] == "A" else "A") + parts[part][1:]
    with pytest.raises(UnreadableJwe):
        decrypt_jwe(parse_jwe(".".join(parts)), key, hashes.SHA256())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        "a.b.c.d.e.f",
        "....",
        "e30=.e30.e30.e30.e30",
        "W10.e30.e30.e30.e30",
        "e30.e!0.e30.e30.e30",
        "e30.e31.e30.e30.e30",
        "e30.e.e30.e30.e30",
    ],
)
def test_what_is_no_compact_jwe_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableJwe):
        parse_jwe(text)


def test_a_content_key_of_another_length_is_refused() -> None:
    key = from_pem(process_key())
    numbers = jwk.JWK.from_pyca(key.public_key()).export_public(as_dict=True)
    with pytest.raises(UnreadableJwe, match="256 bits"):
        decrypt_jwe(parse_jwe(seal({**numbers, "kid": "k"}, {"number": "1"}, enc="A128GCM")), key, hashes.SHA256())


def test_short_ivs_and_tags_are_refused() -> None:
    with pytest.raises(UnreadableJwe, match="96 bits"):
        decrypt_jwe(parse_jwe("e30.e30.e30.e30.e30"), from_pem(process_key()), hashes.SHA256())
