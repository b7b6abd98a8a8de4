"""Every error as one tree. A class exists where code catches it apart or its reader acts differently.

FirmlyError
├─ NotAllowed                refused before anything was sent
│  ├─ RuleDenied             a spending rule refused; `rule` names it
│  ├─ PinRefused             the approval PIN is wrong, locked, missing or unfit; `tries_left` where a try was made
│  └─ OrderInProgress        an order for this cart is being placed now
├─ QuoteChanged              price or terms changed since they were shown; `difference` lists how
├─ SettingsError             a setting or the configuration file is wrong
├─ WalletError               the keyring is locked, absent, refused by name, or did not keep what it was given
│  ├─ KeyringUnavailable     no keyring can be used; `problem` and `fix`
│  ├─ DamagedEntry           one entry is missing or unreadable
│  ├─ CardRefused            a card that is not stored or not used
│  ├─ AddressRefused         an address that is not stored; `field` is the wrong one
│  ├─ CardNotFound           `known` lists the labels that exist
│  └─ AddressNotFound        `known` lists the labels that exist
├─ StoreError                Firmly or the store refused: `status`, `name`, `store_message`, `request_id`
│  ├─ InvalidRequest         the same request gives the same answer
│  ├─ NotFound               the store, line item, shipment, addon, order or route does not exist
│  │  ├─ CartNotFound        no cart at this store
│  │  └─ ProductNotFound     no such product or variant
│  ├─ OutOfStock             fewer are in stock than were asked for
│  ├─ PromoRejected          a promo code is invalid, expired or not for this cart
│  ├─ PaymentDeclined        the card was declined
│  ├─ CaptchaRequired        a person has to buy this at the store
│  ├─ Unauthorized           the App ID or the token was not accepted
│  ├─ RateLimited            too many requests; `retry_after` in seconds
│  └─ StoreUnavailable       the store or Firmly cannot answer now
├─ Unreachable               no answer, and nothing was sent or repeating is harmless
├─ UnexpectedAnswer          an answer outside the contract
└─ OutcomeUnknown            an order was sent and nothing proves its outcome; `answer` is the error that came back

A message is for the reader who has to act: what happened, then what to do. It never holds text that a store wrote (that
goes into `store_message`, and a view cleans it), and never a card number, security code, token or JWE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal

MoneyMoved = Literal["no", "yes", "unknown"]


class FirmlyError(Exception):
    """What happened and what to do next, for the reader.

    `code` names the kind of error for programs; `money_moved` and `retry_safe` are the two facts that a shopper needs
    before anything else. `next` is the tool or command that helps in this case; `hint` is what a model does where the
    case names nothing better. `known` are the valid names where a wrong one was given; `attempt` is the id of an
    earlier order that the message states. `perhaps_made`: a change of a cart was sent, and its answer does not prove
    that it was refused.
    """

    code: ClassVar[str] = "error"
    hint: ClassVar[str] = "Tell the person"
    retry_safe: bool = False
    perhaps_made: bool = False
    attempt: str | None = None

    def __init__(
        self,
        message: str,
        *,
        money_moved: MoneyMoved = "no",
        next: str | None = None,  # noqa: A002 - the field's name everywhere
        known: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.money_moved: MoneyMoved = money_moved
        self.next = next
        self.known = tuple(known)

    def restate(self, message: str, *, next: str | None, retry_safe: bool) -> None:  # noqa: A002 - as above
        """Replace the message, the next step and whether repeating is safe, where more is known than the kind."""
        self.args = (message,)
        self.message = message
        self.next = next
        self.retry_safe = retry_safe


class NotAllowed(FirmlyError):
    """We said no before anything was sent."""

    code = "not_allowed"
    hint = "Tell the person what is said here"


class RuleDenied(NotAllowed):
    """A spending rule said no; `rule` is its name."""

    code = "rule_denied"
    hint = "Tell the person which rule refused; only they can change their rules"

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class PinRefused(NotAllowed):
    """The approval PIN is wrong, locked, missing or will not do; `tries_left` is None where no try was made."""

    code = "pin_refused"
    hint = "Tell the person; only they can enter or set their PIN"

    def __init__(self, message: str, *, tries_left: int | None = None, next: str | None = None) -> None:  # noqa: A002 - as above
        super().__init__(message, next=next)
        self.tries_left = tries_left


class OrderInProgress(NotAllowed):
    """An order at this store is being placed; its cart cannot change meanwhile."""

    code = "being_paid"
    hint = "get_order_status, later: the order goes on by itself"

    def __init__(self, message: str) -> None:
        # This call sent nothing, and another one is paying at this moment.
        super().__init__(message, money_moved="unknown")


class QuoteChanged(FirmlyError):
    """The price or a term moved between what was shown and what would be paid. Nothing was sent."""

    code = "quote_changed"
    hint = "Tell the person what changed, then preview_order"
    retry_safe = True

    def __init__(self, message: str, *, difference: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.difference = tuple(difference)


class SettingsError(FirmlyError):
    """A setting or the configuration file is wrong; the message names it and the fix."""

    code = "settings"
    hint = "Tell the person; `firmly-mcp settings` shows them what is in force"


class WalletError(FirmlyError):
    """The operating system's keyring is locked, absent, refused by name, or did not keep what it was given."""

    code = "wallet"
    hint = "Tell the person: until their keyring opens, nothing can be ordered"


class KeyringUnavailable(WalletError):
    """No keyring can be used: `problem` is why, and `fix` is what to do."""

    def __init__(self, problem: str, fix: str, remark: str = "") -> None:
        super().__init__(f"{problem} {fix}{remark}")
        self.problem = problem
        self.fix = fix


class DamagedEntry(WalletError):
    """An entry that is missing, unreadable, or not what its name says. The others are fine."""


class CardRefused(WalletError):
    """A card that is not stored or not used; the message says why and never holds the number."""

    code = "card_refused"
    hint = "Tell the person, then add_payment_card"


class AddressRefused(WalletError):
    """An address that is not stored; `field` is the one that is wrong."""

    code = "address_refused"
    hint = "Ask the person for what is wrong, then add_address"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class CardNotFound(WalletError):
    """No card has this label; `known` lists those there are."""

    code = "card_not_found"
    hint = "list_payment_cards"


class AddressNotFound(WalletError):
    """No address has this label; `known` lists those there are."""

    code = "address_not_found"
    hint = "list_addresses"


class StoreError(FirmlyError):
    """Firmly or the store answered no.

    `status` is the HTTP status (0 for an `error` event of a stream), `name` Firmly's error name such as
    `ErrorNotEnoughStock`, `store_message` the store's own prose, which is data and never part of the message.
    """

    code = "store_error"
    hint = "Tell the person; another store or product may do"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        name: str,
        store_message: str = "",
        request_id: str | None = None,
        money_moved: MoneyMoved = "no",
        next: str | None = None,  # noqa: A002 - the field's name everywhere
    ) -> None:
        super().__init__(message, money_moved=money_moved, next=next)
        self.status = status
        self.name = name
        self.store_message = store_message
        self.request_id = request_id


class InvalidRequest(StoreError):
    """The request was refused as it stands; sending it again unchanged gives the same answer."""

    code = "invalid_request"
    hint = "Correct what was refused; the same call gives the same answer"


class NotFound(StoreError):
    """The store, line item, shipment, addon, order or route does not exist."""

    code = "not_found"
    hint = "search_products"


class CartNotFound(NotFound):
    """There is no cart at this store, or it expired."""

    code = "cart_not_found"
    hint = "add_line_item"


class ProductNotFound(NotFound):
    """No such product or variant at this store."""

    code = "product_not_found"
    hint = "search_products"


class OutOfStock(StoreError):
    """Fewer are in stock than were asked for."""

    code = "out_of_stock"
    hint = "get_product shows what is in stock"


class PromoRejected(StoreError):
    """A promo code is invalid, expired or not for this cart."""

    code = "promo_rejected"
    hint = "set_promo_codes without it"


class PaymentDeclined(StoreError):
    """The card was declined; nothing was charged."""

    code = "payment_declined"
    hint = "Tell the person; they may name another of their cards, see list_payment_cards"


class CaptchaRequired(StoreError):
    """The store wants a captcha; a person has to buy this on the store's own page."""

    code = "captcha_required"
    hint = "Tell the person to buy this on the product's page at the store: get_product gives its address"


class Unauthorized(StoreError):
    """Firmly did not accept the App ID or the session's token."""

    code = "unauthorized"
    hint = "Tell the person; the App ID is one of their settings"


class RateLimited(StoreError):
    """Too many requests; `retry_after` is in seconds. Not safe to repeat where a change may have been made."""

    code = "rate_limited"
    hint = "Wait, then make the same call again"
    retry_safe = True
    retry_after: float | None = None


class StoreUnavailable(StoreError):
    """The store, or Firmly, cannot answer now. Not safe to repeat where a change may have been made."""

    code = "store_unavailable"
    hint = "Make the same call again later"
    retry_safe = True


class Unreachable(FirmlyError):
    """No answer came, and nothing was sent or repeating it is harmless."""

    code = "unreachable"
    hint = "Make the same call again later"
    retry_safe = True


class UnexpectedAnswer(FirmlyError):
    """An answer outside the contract: not JSON, cut short, or a field of the wrong type."""

    code = "unexpected_answer"
    hint = "Tell the person; another store may do"


class OutcomeUnknown(FirmlyError):
    """An order was sent and nothing proves how it ended. It may exist: never send it again to find out."""

    code = "outcome_unknown"
    hint = "get_order_status"

    def __init__(self, message: str, *, answer: StoreError | None = None) -> None:
        super().__init__(message, money_moved="unknown")
        self.answer = answer


# The codes of a call that is refused before its tool begins, or cut by the server's end: no class, and what to do.
CALL_HINTS: Final[Mapping[str, str]] = {
    "invalid_arguments": "Correct the arguments; the tool's schema names them all",
    "cut_short": "Make the same call again, once the server runs again",
    "card_number_refused": "list_payment_cards names the person's cards; add_payment_card lets them add one",
}
