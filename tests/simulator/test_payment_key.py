"""The payment key in its formats: contract section 5.10.1."""

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwcrypto import jwk

from tests.simulator.shopping import Shopper

pytestmark = pytest.mark.anyio
KEY = "/api/v1/payment/key"


async def test_the_key_comes_in_three_formats_that_are_the_same_key(shopper: Shopper) -> None:
    shopper.token = ""
    jwk_, pem, rsa = [await shopper.pay("GET", KEY + query) for query in ("", "?format=PEM", "?format=RSA")]
    assert set(jwk_.json()) == {"kid", "kty", "n", "e", "use"}
    assert {answer.headers["x-firmly-kid"] for answer in (jwk_, pem, rsa)} == {jwk_.json()["kid"]}
    assert pem.headers["content-type"].startswith("text/plain")
    assert pem.text.startswith("-----BEGIN PUBLIC KEY-----")
    assert rsa.text.startswith("-----BEGIN RSA PUBLIC KEY-----")
    numbers = []
    for text in (pem.text, rsa.text):
        key = load_pem_public_key(text.encode())
        assert isinstance(key, RSAPublicKey)
        numbers.append(key.public_numbers())
    assert numbers[0] == numbers[1]
    assert (numbers[0].e, numbers[0].n.bit_length()) == (65537, 2048)
    assert jwk.JWK(**jwk_.json()).thumbprint() == jwk.JWK.from_pem(pem.content).thumbprint()


async def test_an_unknown_format_is_refused(shopper: Shopper) -> None:
    assert (await shopper.pay("GET", f"{KEY}?format=DER")).status_code == 400
