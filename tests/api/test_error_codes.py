"""Every error of the contract becomes the right class of the tree, and only the closed table proves anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.api.error_codes import (
    ERROR_CODES,
    PROOF_OF_REFUSAL,
    envelope,
    error_from_event,
    error_from_response,
    invalid_request,
    proves_not_placed,
    retry_after,
    session_refused,
)
from firmly_mcp.errors import (
    CaptchaRequired,
    CartNotFound,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    OutOfStock,
    PaymentDeclined,
    ProductNotFound,
    PromoRejected,
    RateLimited,
    StoreError,
    StoreUnavailable,
    Unauthorized,
)

# Design, section 5, word for word; the 401 names are those of the contract's section 10.1.
CLOSED_TABLE = {
    "ErrorPaymentDeclined", "ErrorNotEnoughStock", "ErrorProductNotFound", "ErrorInvalidInputBody",
    "ErrorMissingRequiredParameters", "RateLimitExceeded", "RouteNotFound",
    "MissingAuthHeader", "InvalidToken", "InvalidJWTToken", "ErrorUnauthorized", "Unauthorized", "TokenExpired",
}  # fmt: skip


def error_of(status: int, name: str, *, order: bool = False, **headers: str) -> StoreError:
    return error_from_response(status, {"code": status, "error": name, "description": "said"}, headers, order=order)


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (401, "MissingAuthHeader", Unauthorized),
        (400, "InvalidToken", Unauthorized),
        (401, "InvalidJWTToken", Unauthorized),
        (401, "ErrorUnauthorized", Unauthorized),
        (401, "Unauthorized", Unauthorized),
        (401, "TokenExpired", Unauthorized),
        (401, "NameNobodyKnows", Unauthorized),
        (403, "Forbidden", Unauthorized),
        (400, "InvalidAppId", Unauthorized),
        (401, "InvalidAPIToken", Unauthorized),
        (404, "ErrorCartNotFound", CartNotFound),
        (404, "CartNotFound", CartNotFound),
        (404, "ErrorProductNotFound", ProductNotFound),
        (400, "ErrorNotEnoughStock", OutOfStock),
        (422, "ErrorNotEnoughStock", OutOfStock),
        (404, "AllProductsNotImplemented", NotFound),
        (404, "ProductUrlNotImplemented", NotFound),
        (404, "ErrorShipmentNotFound", NotFound),
        (404, "ErrorAddonNotFound", NotFound),
        (404, "RouteNotFound", NotFound),
        (422, "ErrorInvalidShippingMethod", InvalidRequest),
        (400, "ErrorCountryNotSupported", InvalidRequest),
        (422, "ErrorInvalidState", InvalidRequest),
        (400, "ErrorInvalidPromoCode", PromoRejected),
        (422, "ErrorPromoNotAvailable", PromoRejected),
        (422, "ErrorClearPromoCodeNotAllowed", PromoRejected),
        (422, "ErrorPaymentDeclined", PaymentDeclined),
        (422, "ErrorMissingRequiredParameters", InvalidRequest),
        (400, "ErrorInvalidInputBody", InvalidRequest),
        (429, "RateLimitExceeded", RateLimited),
        (503, "ErrorStoreUnavailable", StoreUnavailable),
        (500, "ErrorStoreUnavailable", StoreUnavailable),
        (503, "ServiceUnavailable", StoreUnavailable),
        (422, "ErrorCaptchaRequired", CaptchaRequired),
        (400, "InvalidCaptchaToken", CaptchaRequired),
        (400, "", InvalidRequest),
        (404, "", NotFound),
        (409, "ErrorCartSubmitted", InvalidRequest),
        (422, "", InvalidRequest),
        (429, "", RateLimited),
        (500, "", StoreUnavailable),
        (502, "", StoreUnavailable),
        (408, "", StoreUnavailable),
    ],
)
def test_an_error_has_its_class_by_name_first_and_then_by_status(
    status: int, name: str, kind: type[StoreError]
) -> None:
    error = error_of(status, name)
    assert type(error) is kind
    assert (error.status, error.name, error.store_message, error.money_moved) == (status, name, "said", "no")
    assert "said" not in error.message.replace("`said`", "")


def test_the_closed_table_is_the_designs() -> None:
    assert PROOF_OF_REFUSAL == CLOSED_TABLE


@pytest.mark.parametrize("name", sorted(ERROR_CODES))
def test_every_refusal_has_a_sentence_and_a_next_step_that_is_one(name: str) -> None:
    refused = ERROR_CODES[name]
    assert refused.sentence.endswith(".")
    assert refused.next is None or refused.next.replace("_", "").replace(" ", "").replace("-", "").isalpha()


def test_both_envelopes_and_one_inside_another_are_read() -> None:
    assert envelope({"code": 404, "error": "A", "description": "b"}).name == "A"
    assert envelope({"error": "A", "message": "b"}).store_message == "b"
    assert envelope({"error": {"code": 404, "error": "A", "description": "b"}}).name == "A"
    assert envelope({"error": {"error": {"error": {}}}}).name == ""


@pytest.mark.parametrize("name", ["<script>", "a b", "x" * 65, "", "Ünknown", "9a", 7, None, ["A"]])
def test_a_name_that_is_no_word_is_no_name(name: object) -> None:
    assert envelope({"error": name}).name == ""


def test_a_stores_prose_is_bounded() -> None:
    assert len(envelope({"error": "A", "description": "x" * 10_000}).store_message) == 2000


@pytest.mark.parametrize("name", sorted(PROOF_OF_REFUSAL))
def test_only_a_4xx_that_is_no_timeout_and_no_conflict_is_proof(name: str) -> None:
    for status in range(100, 600):
        proof = 400 <= status < 500 and status not in {408, 409}
        error = error_of(status, name, order=True)
        assert proves_not_placed(error) is proof
        assert error.money_moved == ("no" if proof else "unknown")


@given(st.text() | st.sampled_from(sorted(set(ERROR_CODES) - PROOF_OF_REFUSAL)), st.integers(400, 599))
def test_a_name_outside_the_table_is_never_proof(name: str, status: int) -> None:
    error = error_of(status, name, order=True)
    assert name in PROOF_OF_REFUSAL or not proves_not_placed(error)


@pytest.mark.parametrize("body", [None, [], "ErrorPaymentDeclined", {"name": "ErrorPaymentDeclined"}, {"error": []}])
def test_a_4xx_outside_the_envelope_is_no_proof(body: object) -> None:
    assert not proves_not_placed(error_from_response(422, body, {}, order=True))


def test_a_streams_error_is_proof_by_its_name_unless_its_own_code_is_no_4xx() -> None:
    declined = {"error": "ErrorPaymentDeclined"}
    assert proves_not_placed(error_from_event(declined))
    assert error_from_event(declined).status == 0
    assert proves_not_placed(error_from_event(declined | {"code": 422}))
    assert proves_not_placed(error_from_event({"error": declined | {"code": 422}}))
    assert not proves_not_placed(error_from_event(declined | {"code": 500}))
    assert not proves_not_placed(error_from_event(declined | {"code": 200}))
    assert error_from_event({"error": "ErrorCheckout"}).money_moved == "unknown"


def test_what_we_refuse_to_send_is_proof_and_nobody_can_say_it_for_us() -> None:
    assert proves_not_placed(invalid_request("InvalidStore", "no"))
    assert not proves_not_placed(error_from_event({"error": "InvalidStore"}))


def test_a_rate_limit_tells_how_long_to_wait() -> None:
    limited = error_from_response(429, {"error": "RateLimitExceeded"}, {"retry-after": "7"})
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 7


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "99999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "²"])
def test_a_retry_after_that_is_no_number_of_seconds_is_none(text: str) -> None:
    assert retry_after({"retry-after": text}) is None


def test_a_session_is_refused_by_status_or_by_name() -> None:
    assert session_refused(401, None)
    assert session_refused(400, {"error": "InvalidToken"})
    assert not session_refused(400, {"error": "ErrorInvalidInputBody"})
    assert not session_refused(500, {"error": "InvalidToken"})


def test_no_proof_says_that_money_may_have_moved() -> None:
    assert OutcomeUnknown("sent").money_moved == "unknown"
