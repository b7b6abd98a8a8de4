"""What an order sends is given out once: it cannot be sent again, and it is not there to be found."""

import pytest
from pydantic import SecretStr

from firmly_mcp.api.transport import Http, OneUseBody, Request
from firmly_mcp.redaction import OneUse

from .loopback import loopback, reply
from .shopping import TRUSTS_NOBODY

pytestmark = pytest.mark.anyio


def test_a_sealed_card_is_read_once_and_then_forgotten() -> None:
    card = OneUse(SecretStr("a.b.c.d.e"), "an encrypted card")
    assert card.take().get_secret_value() == "a.b.c.d.e"
    with pytest.raises(RuntimeError, match="used once"):
        card.take()
    assert card._secret is None


async def test_the_body_of_an_order_arrives_whole_and_cannot_be_sent_a_second_time() -> None:
    body = OneUseBody(b'{"encrypted_card":"a.b.c.d.e"}')
    async with loopback(lambda _: [reply(200, {})]) as server, Http(verify=TRUSTS_NOBODY) as http:
        request = Request("POST", server.url + "/", body=body)
        await http.send_alone(request)
        with pytest.raises(RuntimeError, match="used once"):
            await http.send_alone(request)
        with pytest.raises(RuntimeError, match="used once"):
            async with http.stream_alone(request):
                pass
    assert [asked.body for asked in server.asked] == [b'{"encrypted_card":"a.b.c.d.e"}']
    assert server.asked[0].headers["content-length"] == str(body.length)
    assert "transfer-encoding" not in server.asked[0].headers
    assert "a.b.c.d.e" not in repr(request)
