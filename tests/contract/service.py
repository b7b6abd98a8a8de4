"""Which service the suite speaks to, and what it may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import urlsplit

PREFIX: Final = "FIRMLY_CONTRACT_"
# The only hosts where an order is no purchase.
SANDBOX_PAYMENT: Final = "cc.firmly.work"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Place:
    """A store, something to buy there by its handle, and the country it ships to."""

    domain: str
    handle: str
    country: str = "US"


@dataclass(frozen=True)
class Known:
    """What nobody finds out from outside, each by a variable of its name; without it its tests are left out."""

    promo_code: str | None = None
    unfit_promo_code: str | None = None
    declined_card: str | None = None
    pickup_location: str | None = None
    server_secret: str | None = None
    native_cart: str | None = None
    empty_native_cart: str | None = None
    sold_out_native_cart: str | None = None

    @classmethod
    def named(cls, environ: Mapping[str, str]) -> Known:
        """What the environment tells."""
        return cls(**{field.name: environ.get(PREFIX + field.name.upper()) or None for field in fields(cls)})


@dataclass(frozen=True)
class Service:
    """Two base URLs, an App ID, and stores: the first is the one that is tried, the others have what it lacks.

    `own` is the simulator that the suite started: nothing may be missing there, and no difference is known.
    """

    api: str
    payment: str
    app_id: str
    places: tuple[Place, ...]
    known: Known
    orders: bool
    own: bool


def named(environ: Mapping[str, str]) -> Service | None:
    """The service that the environment names, if it names one."""
    api = environ.get(f"{PREFIX}API")
    if not api:
        return None
    payment = environ[f"{PREFIX}PAYMENT"]
    stores = environ.get(f"{PREFIX}STORE", "staging.luma.gift").split(",")
    handles = environ.get(f"{PREFIX}PRODUCT", "radiant-tee").split(",")
    return Service(
        api=api.rstrip("/"),
        payment=payment.rstrip("/"),
        app_id=environ[f"{PREFIX}APP_ID"],
        places=tuple(Place(store, handle) for store, handle in zip(stores, handles, strict=True)),
        known=Known.named(environ),
        orders=environ.get(f"{PREFIX}ORDERS") == "yes" and orders_are_harmless(payment),
        own=False,
    )


def orders_are_harmless(payment: str) -> bool:
    """Whether an order there buys nothing: Firmly's sandbox, or a simulator on this machine."""
    return urlsplit(payment).hostname == SANDBOX_PAYMENT or is_local(payment)


def is_local(url: str) -> bool:
    """Whether this is a service on this machine, which is asked without a proxy."""
    return urlsplit(url).hostname in LOOPBACK
