"""Everything that can go wrong, as one tree.

FirmlyError
├─ NotAllowed                we said no before anything was sent
│  ├─ RuleDenied             a spending rule said no; `rule` names it
│  ├─ PinRefused             the approval PIN is wrong, locked, missing or will not do; `tries_left` may say how often
│  └─ OrderInProgress        an order for this cart is being placed right now
├─ QuoteChanged              price or terms moved since they were shown; `difference` says how
├─ SettingsError             a setting or the configuration file is wrong
├─ WalletError               the keyring is locked, absent, refused by name, or did not keep what it was given
│  ├─ CardRefused            a card we will not store or use; `problem` says why, never the number
│  ├─ AddressRefused         an address we will not store; `field` names what is wrong
│  ├─ CardNotFound           `known` lists the labels there are
│  └─ AddressNotFound        `known` lists the labels there are
├─ StoreError                Firmly or the store answered no: `status`, `name` (Firmly's error name), `request_id`
│  ├─ InvalidRequest, NotFound, CartNotFound, ProductNotFound, OutOfStock, PromoRejected,
│  └─ PaymentDeclined, CaptchaRequired, Unauthorized, RateLimited(retry_after), StoreUnavailable
├─ Unreachable               no answer, and nothing was sent or repeating is harmless
└─ UnexpectedAnswer          an answer outside the contract

A message is for the reader who has to act: what happened, then what to do. It never holds text that a store wrote (that
goes in `said`, cleaned by whoever shows it), and never a card number, security code, token or sealed card.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

MoneyMoved = Literal["no", "yes", "unknown"]


class FirmlyError(Exception):
    """What happened and what to do next, for the reader.

    `code` names the kind of error for programs; `money_moved` and `retry_safe` are the two facts that a shopper needs
    before anything else; `next` is the tool or command that helps, where there is one; `known` are the names that there
    are, where a wrong one was given; `attempt` is the id of an earlier order that the message states. `perhaps_made`
    says that a change of a cart was sent, and that its answer does not prove that it was refused.
    """

    code: ClassVar[str] = "error"
    retry_safe: bool = False
    perhaps_made: bool = False
    known: tuple[str, ...] = ()
    attempt: str | None = None

    def __init__(self, message: str, *, money_moved: MoneyMoved = "no", next: str | None = None) -> None:  # noqa: A002 - the field's name everywhere
        super().__init__(message)
        self.message = message
        self.money_moved: MoneyMoved = money_moved
        self.next = next

    def restate(self, message: str, *, next: str | None, retry_safe: bool) -> None:  # noqa: A002 - as above
        """Replace the message, the next step and whether repeating is safe, where more is known than the kind."""
        self.args = (message,)
        self.message = message
        self.next = next
        self.retry_safe = retry_safe


class NotAllowed(FirmlyError):
    """We said no before anything was sent."""

    code = "not_allowed"


class RuleDenied(NotAllowed):
    """A spending rule said no; `rule` is its name."""

    code = "rule_denied"

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class PinRefused(NotAllowed):
    """The approval PIN is wrong, locked, missing or will not do; `tries_left` is None where no try was made."""

    code = "pin_refused"

    def __init__(self, message: str, *, tries_left: int | None = None, next: str | None = None) -> None:  # noqa: A002 - as above
        super().__init__(message, next=next)
        self.tries_left = tries_left


class OrderInProgress(NotAllowed):
    """An order at this store is being placed; its cart cannot change meanwhile."""

    code = "being_paid"

    def __init__(self, message: str) -> None:
        # This call sent nothing, and another one is paying at this moment.
        super().__init__(message, money_moved="unknown")


class QuoteChanged(FirmlyError):
    """The price or a term moved between what was shown and what would be paid. Nothing was sent."""

    code = "quote_changed"
    retry_safe = True

    def __init__(self, message: str, *, difference: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.difference = tuple(difference)


class SettingsError(FirmlyError):
    """A setting or the configuration file is wrong; the message names it and the fix."""

    code = "settings"


class WalletError(FirmlyError):
    """The operating system's keyring is locked, absent, refused by name, or did not keep what it was given."""

    code = "wallet"


class CardRefused(WalletError):
    """A card that is not stored or not used; the message says why and never holds the number."""

    code = "card_refused"


class AddressRefused(WalletError):
    """An address that is not stored; `field` is the one that is wrong."""

    code = "address_refused"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class CardNotFound(WalletError):
    """No card has this label; `known` lists those there are."""

    code = "card_not_found"

    def __init__(self, message: str, *, known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.known = tuple(known)


class AddressNotFound(WalletError):
    """No address has this label; `known` lists those there are."""

    code = "address_not_found"

    def __init__(self, message: str, *, known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.known = tuple(known)


class StoreError(FirmlyError):
    """Firmly or the store answered no.

    `status` is the HTTP status (0 for an `error` event of a stream), `name` Firmly's error name such as
    `ErrorNotEnoughStock`, `said` the store's own prose, which is data and never part of the message.
    """

    code = "store_error"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        name: str,
        said: str = "",
        request_id: str | None = None,
        money_moved: MoneyMoved = "no",
        next: str | None = None,  # noqa: A002 - the field's name everywhere
    ) -> None:
        super().__init__(message, money_moved=money_moved, next=next)
        self.status = status
        self.name = name
        self.said = said
        self.request_id = request_id


class InvalidRequest(StoreError):
    """The request was refused as it stands; sending it again unchanged gives the same answer."""

    code = "invalid_request"


class NotFound(StoreError):
    """The store, line item, shipment, addon, order or route does not exist."""

    code = "not_found"


class CartNotFound(NotFound):
    """There is no cart at this store, or it expired."""

    code = "cart_not_found"


class ProductNotFound(NotFound):
    """No such product or variant at this store."""

    code = "product_not_found"


class OutOfStock(StoreError):
    """Fewer are in stock than were asked for."""

    code = "out_of_stock"


class PromoRejected(StoreError):
    """A promo code is invalid, expired or not for this cart."""

    code = "promo_rejected"


class PaymentDeclined(StoreError):
    """The card was declined; nothing was charged."""

    code = "payment_declined"


class CaptchaRequired(StoreError):
    """The store wants a captcha; a person has to buy this on the store's own page."""

    code = "captcha_required"


class Unauthorized(StoreError):
    """Firmly did not accept the App ID or the session's token."""

    code = "unauthorized"


class RateLimited(StoreError):
    """Too many requests; `retry_after` is in seconds. Not safe to repeat where a change may have been made."""

    code = "rate_limited"
    retry_safe = True
    retry_after: float | None = None


class StoreUnavailable(StoreError):
    """The store, or Firmly, cannot answer now. Not safe to repeat where a change may have been made."""

    code = "store_unavailable"
    retry_safe = True


class Unreachable(FirmlyError):
    """No answer came, and nothing was sent or repeating it is harmless."""

    code = "unreachable"
    retry_safe = True


class UnexpectedAnswer(FirmlyError):
    """An answer outside the contract: not JSON, cut short, or a field of the wrong type."""

    code = "unexpected_answer"
