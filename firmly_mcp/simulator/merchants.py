"""The stores.

One plain store that every demo uses, and others that differ as real merchants do: what they list, where they ship, how
their variants are named, how they deliver. More stores than the named four are copies of these under other names.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

SHIP = "SHIP_TO_ADDRESS"
SCHEDULED = "SCHEDULED_DELIVERY"
PICKUP = "PICKUP_IN_STORE"


@dataclass(frozen=True, slots=True)
class Method:
    """A shipping method. `cents` is for the home country; far states and other countries cost more."""

    id: str
    description: str
    cents: int
    estimated_delivery: str
    free_over: int | None = None
    home_only: bool = False


@dataclass(frozen=True, slots=True)
class Location:
    """A pickup location."""

    id: str
    name: str
    address1: str
    city: str
    state_or_province: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Promo:
    """A promotion: `percent` (of the goods), `cents` off, or free shipping."""

    code: str
    percent: int = 0
    cents: int = 0
    free_shipping: bool = False
    expires: datetime | None = None
    minimum: int = 0
    product_type: str | None = None


@dataclass(frozen=True, slots=True)
class Addon:
    """An offer with the cart. Addons of one `choice` group exclude each other."""

    id: str
    name: str
    description: str
    scope: str  # CART, ITEM or GROUP
    cents: int = 0
    percent: int = 0  # of the goods it covers, instead of `cents`
    product_types: frozenset[str] = frozenset()  # empty: all
    required: bool = False
    choice: str | None = None
    children: tuple["Addon", ...] = ()


@dataclass(frozen=True, slots=True)
class Merchant:
    """One store."""

    domain: str
    name: str
    platform: str
    kind: str
    currency: str = "USD"
    home: str = "US"
    ships_to: tuple[str, ...] = ("US", "CA")
    products: int = 560
    handle_form: str = "{slug}"
    pdp_form: str = "https://{domain}/{handle}.html"
    ref_form: str = "sku"  # sku | numbers | handles: what a variant's add_to_cart_ref looks like
    lists_products: bool = True
    finds_urls: bool = True
    broken_images: bool = False
    clears_promos: bool = True
    returns_first_line: bool = False
    freight_types: tuple[str, ...] = (SHIP,)
    methods: tuple[Method, ...] = ()
    freight_methods: tuple[Method, ...] = ()
    locations: tuple[Location, ...] = ()
    promos: tuple[Promo, ...] = ()
    addons: tuple[Addon, ...] = ()
    native_carts: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()  # handle to (sku, quantity)


PARCEL_METHODS = (
    Method("STANDARD", "Standard", 500, "5-7 business days", free_over=20_000),
    Method("EXPRESS", "Express", 2_000, "2 business days"),
    Method("OVERNIGHT", "Overnight", 3_500, "1 business day", home_only=True),
)
FREIGHT_METHODS = (
    Method("FREIGHT", "Freight, to the door", 7_900, "2-3 weeks", home_only=True),
    Method("WHITE_GLOVE", "White glove, placed and assembled", 14_900, "2-3 weeks", home_only=True),
)
PROMOS = (
    Promo("SAVE10", percent=10),
    Promo("FIVEOFF", cents=500),
    Promo("FREESHIP", free_shipping=True),
    Promo("SPRING20", percent=20, expires=datetime(2025, 6, 1, tzinfo=UTC)),
    Promo("BIG50", cents=5_000, minimum=50_000),
)
BULKY = frozenset({"Sofas", "Beds", "Tables", "Storage"})

LUMA = Merchant(
    "staging.luma.gift", "Luma Store", "magento", "apparel",
    methods=PARCEL_METHODS[:2],
    promos=PROMOS,
    returns_first_line=True,
    native_carts=(
        ("luma-native-cart-two", (("WS12-XS-Orange", 1), ("MH07-XS-Gray", 1))),
        ("luma-native-cart-empty", ()),
        ("luma-native-cart-sold-out", (("WS12-M-Orange", 1),)),
    ),
)  # fmt: skip
VOLTA = Merchant(
    "volta-electronics.example", "Volta Electronics", "volta", "electronics",
    handle_form="/us/{category}/{slug}-sku-{sku}",
    pdp_form="https://www.{domain}/{handle}",
    lists_products=False, broken_images=True,
    freight_types=(SHIP, SCHEDULED, PICKUP),
    methods=PARCEL_METHODS, freight_methods=FREIGHT_METHODS,
    locations=(
        Location("volta-seattle", "Volta Seattle", "400 Pine St", "Seattle", "WA", "98101"),
        Location("volta-austin", "Volta Austin", "200 Congress Ave", "Austin", "TX", "78701"),
    ),
    promos=PROMOS[:2],
    addons=(
        Addon("extended_warranty", "Extended warranty", "Two more years", "ITEM", percent=12),
        Addon(
            "installation", "Installation", "A technician sets it up", "ITEM", cents=9_900,
            product_types=frozenset({"TVs", "Soundbars"}),
            children=(
                Addon("wall_mount", "Wall mount", "Bracket and mounting", "ITEM", cents=4_900),
                Addon("cable_concealment", "Cable concealment", "Cables behind the wall", "ITEM", cents=7_900),
            ),
        ),
    ),
)  # fmt: skip
HEARTH = Merchant(
    "hearth-and-home.example", "Hearth & Home", "bigcommerce", "home",
    ref_form="numbers", finds_urls=False, clears_promos=False,
    freight_types=(SHIP, SCHEDULED),
    methods=PARCEL_METHODS, freight_methods=FREIGHT_METHODS,
    promos=PROMOS,
    addons=(
        Addon("shipping_protection", "Shipping protection", "Loss and damage on the way", "CART", percent=2),
        Addon("room_delivery", "To the room", "Two people carry it in", "GROUP", cents=4_900,
              product_types=BULKY, required=True, choice="delivery_service"),
        Addon("curb_delivery", "To the curb", "Left at the pavement", "GROUP",
              product_types=BULKY, required=True, choice="delivery_service"),
    ),
)  # fmt: skip
FERNHILL = Merchant(
    "fernhill-garden.example", "Fernhill Garden", "shopify", "garden",
    currency="GBP", home="GB", ships_to=("GB", "IE"),
    pdp_form="https://{domain}/products/{handle}",
    ref_form="handles",
    methods=(
        Method("ROYAL_48", "Royal Mail 48", 395, "2-3 working days", free_over=5_000),
        Method("ROYAL_24", "Royal Mail 24", 595, "Next working day", home_only=True),
    ),
    promos=(*PROMOS[:1], Promo("ROSES15", percent=15, product_type="Roses")),
)  # fmt: skip
NAMED = (LUMA, VOLTA, HEARTH, FERNHILL)

MORE = (
    *("Alder", "Bay", "Cobalt", "Drift", "Ember", "Fable", "Grove", "Harbor", "Indigo", "Juniper"),
    *("Kestrel", "Larch", "Marble", "North", "Opal", "Pebble", "Quill", "Rowan", "Sable"),
)


def merchants(count: int) -> tuple[Merchant, ...]:
    """Return the first `count` stores: the named four, then copies of them under other names."""
    return tuple(NAMED[i] if i < len(NAMED) else _copy(i) for i in range(count))


def _copy(position: int) -> Merchant:
    like = NAMED[position % len(NAMED)]
    word, again = MORE[position % len(MORE)], position // len(MORE)
    name = f"{word} {like.kind.title()}" + (f" {again}" if again else "")
    return replace(like, domain=f"{name.lower().replace(' ', '-')}.example", name=name)
