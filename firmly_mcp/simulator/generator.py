"""Products from a seed: the same seed and store give the same products, byte for byte.

The vocabularies are the words that they are made of, by kind of store.
"""

import itertools
import re
from dataclasses import dataclass
from functools import cache
from random import Random

from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.geography import FAR_AWAY
from firmly_mcp.simulator.merchants import LUMA, Merchant

PLENTY = 1_000_000
PRICE_PER_STEP = {"Screen": 30, "Storage": 18, "Pot": 40, "Pack": 120}  # percent, by option
SCARCE = {"WS12-S-Orange": 3, "WS12-M-Orange": 0, "WS12-L-Orange": 1, "MH07-S-Gray": 2}
Options = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of product: its type, code, price range in cents, options, and whether it goes by freight."""

    title: str
    product_type: str
    code: str
    low: int
    high: int
    options: tuple[str, ...] = ("Size", "Color")
    freight: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What one kind of store sells. The adjectives are one text."""

    adjectives: str
    nouns: tuple[Noun, ...]
    brands: tuple[str, ...]
    values: dict[str, tuple[str, ...]]
    phrases: tuple[str, ...]


APPAREL = Vocabulary(
    adjectives=(
        "Aero Agile Balance Breeze Canyon Cascade Celeste Circa Daily Deion Echo Electra Erika Fiona Gobi Gwyneth "
        "Helio Helios Ida Ingrid Iris Jade Josie Juliana Karmen Layla Leah Lono Lucia Maia Miko Minerva Mona Nadia "
        "Neve Nora Orestes Olivia Portia Prima Proteus Riona Rival Sahara Selene Sinbad Stellar Strike Summit Sybil "
        "Taurus Teton Tiffany Torque Troy Typhon Viktor Vulcan Zeppelin Zoltan"
    ),
    nouns=(
        Noun("Tee", "Tees", "WS", 1800, 3900, tags=("t-shirt", "shirt", "top")),
        Noun("Performance Tee", "Tees", "MS", 2400, 4500, tags=("t-shirt", "running", "top")),
        Noun("Tank", "Tanks", "WT", 1800, 3500, tags=("top", "gym")),
        Noun("Hoodie", "Hoodies", "MH", 3900, 7900, tags=("sweatshirt", "warm")),
        Noun("Crewneck Sweatshirt", "Hoodies", "WH", 3900, 6900, tags=("sweatshirt", "warm")),
        Noun("Jacket", "Jackets", "WJ", 4500, 12900, tags=("outerwear", "coat")),
        Noun("Rain Shell", "Jackets", "MJ", 5900, 14900, tags=("outerwear", "waterproof", "coat")),
        Noun("Yoga Pant", "Pants", "WP", 2900, 6900, tags=("leggings", "yoga")),
        Noun("Track Pant", "Pants", "MP", 2900, 6500, tags=("running", "trousers")),
        Noun("Short", "Shorts", "MSH", 2200, 4500, tags=("running", "gym")),
        Noun("Sports Bra", "Bras", "WB", 2500, 4900, tags=("gym", "yoga")),
        Noun("Duffle Bag", "Bags", "MB", 3200, 8900, ("Color",), tags=("gym", "travel")),
        Noun("Running Cap", "Accessories", "UC", 1200, 2900, ("Color",), tags=("hat",)),
    ),
    brands=("Luma", "Northpeak", "Averra", "Solstice Athletics", "Pace & Co"),
    values={
        "Size": ("XS", "S", "M", "L", "XL"),
        "Color": ("Black", "Blue", "Gray", "Green", "Orange", "Purple", "Red", "White", "Yellow"),
    },
    phrases=(
        "Soft, quick-drying fabric for long days.", "Flat seams and a relaxed fit.",
        "Made for the gym and the way home.", "Keeps its shape after many washes.",
    ),
)  # fmt: skip
ELECTRONICS = Vocabulary(
    adjectives=(
        "Aurora Atlas Beacon Boreal Cinder Comet Corona Delta Drift Eclipse Ember Fathom Flux Glint Halo Horizon Ion "
        "Jet Kilo Lumen Lyra Meridian Mira Nebula Nimbus Nova Onyx Orbit Parallax Photon Pixel Polar Prism Pulsar "
        "Quanta Radian Relay Rigel Sierra Signal Solaris Sonata Spectra Stratus Tempo Terra Titan Umbra Vector Vega "
        "Vertex Vista Volt Wave Xenon Zenith Zephyr"
    ),
    nouns=(
        Noun("QLED 4K Smart TV", "TVs", "QN", 34999, 249999, ("Screen",), True, ("television", "4k", "tv")),
        Noun("OLED Smart TV", "TVs", "OL", 89999, 349999, ("Screen",), True, ("television", "tv")),
        Noun("Soundbar", "Soundbars", "HW", 14999, 89999, ("Color",), tags=("speaker", "audio")),
        Noun("Wireless Earbuds", "Audio", "SM", 4999, 24999, ("Color",), tags=("headphones", "bluetooth")),
        Noun("Noise Cancelling Headphones", "Audio", "NC", 9999, 39999, ("Color",), tags=("bluetooth", "over-ear")),
        Noun("Tablet", "Tablets", "TB", 19999, 89999, ("Storage", "Color"), tags=("android",)),
        Noun("Smartphone", "Phones", "PH", 29999, 129999, ("Storage", "Color"), tags=("mobile", "5g")),
        Noun("Laptop", "Computers", "LP", 59999, 229999, ("Storage", "Color"), tags=("notebook", "computer")),
        Noun("Gaming Monitor", "Monitors", "GM", 19999, 99999, ("Screen",), tags=("display", "144hz")),
        Noun("Smart Watch", "Wearables", "SW", 14999, 49999, ("Size", "Color"), tags=("watch", "fitness")),
        Noun("Bluetooth Speaker", "Audio", "SP", 2999, 19999, ("Color",), tags=("speaker", "portable")),
        Noun("French Door Refrigerator", "Appliances", "RF", 129999, 349999, ("Color",), True, ("fridge", "kitchen")),
    ),
    brands=("Volta", "Kestrel", "Arcwave", "Nordlys", "Hanabi"),
    values={
        "Screen": ('32"', '43"', '50"', '55"', '65"', '75"'),
        "Storage": ("128 GB", "256 GB", "512 GB", "1 TB"),
        "Size": ("40mm", "44mm"),
        "Color": ("Black", "Silver", "White", "Navy"),
    },
    phrases=(
        "Clear picture, quiet design.", "A full day on one charge.",
        "Sets up in minutes.", "Works with the assistants you have.",
    ),
)  # fmt: skip
HOME = Vocabulary(
    adjectives=(
        "Alder Arden Aspen Barton Birch Bowen Briar Calder Camden Cedar Colby Dalton Darby Dover Easton Elm Farrow "
        "Finley Garner Haven Hollis Hudson Juniper Keaton Kendal Laurel Linden Lowell Maple Marlow Merrin Millbrook "
        "Norfolk Oakley Orchard Paxton Pender Quincy Ramsey Reeve Rowan Rye Sawyer Sedge Shelby Sorrel Stanton Sutton "
        "Tamsin Thorne Tilden Vale Wade Walden Weston Whitby Willow Winslow Wren Yarrow"
    ),
    nouns=(
        Noun("Sofa", "Sofas", "SF", 79900, 249900, ("Color",), True, ("couch", "living room", "seating")),
        Noun("Sectional Sofa", "Sofas", "SC", 149900, 399900, ("Color",), True, ("couch", "living room", "seating")),
        Noun("Armchair", "Chairs", "AC", 24900, 89900, ("Color",), True, ("seating", "living room")),
        Noun("Dining Table", "Tables", "DT", 39900, 149900, ("Size", "Wood"), True, ("kitchen", "dining")),
        Noun("Coffee Table", "Tables", "CT", 14900, 59900, ("Wood",), True, ("living room",)),
        Noun("Platform Bed", "Beds", "PB", 49900, 189900, ("Size", "Wood"), True, ("bedroom", "frame")),
        Noun("Bookcase", "Storage", "BC", 19900, 79900, ("Wood",), True, ("shelf", "shelves", "office")),
        Noun("Table Lamp", "Lighting", "TL", 3900, 18900, ("Color",), tags=("light", "bedside")),
        Noun("Wool Rug", "Rugs", "WR", 9900, 89900, ("Size", "Color"), tags=("carpet", "floor")),
        Noun("Linen Duvet Cover", "Bedding", "LD", 7900, 24900, ("Size", "Color"), tags=("bedroom", "sheets")),
        Noun("Throw Pillow", "Bedding", "TP", 1900, 6900, ("Color",), tags=("cushion",)),
        Noun("Stoneware Dinner Set", "Kitchen", "SD", 4900, 19900, ("Color",), tags=("plates", "dining")),
    ),
    brands=("Hearth & Home", "Fieldstone", "Ostra", "Lund Works", "Maison Ondine"),
    values={
        "Size": ("Small", "Medium", "Large", "Extra Large"),
        "Wood": ("Oak", "Walnut", "Ash"),
        "Color": ("Charcoal", "Ivory", "Sage", "Rust", "Ocean"),
    },
    phrases=(
        "Solid joints, honest materials.", "Easy to clean, hard to wear out.",
        "Fits a small flat as well as a house.", "Made to be repaired.",
    ),
)  # fmt: skip
GARDEN = Vocabulary(
    adjectives=(
        "Abbey Alba Amber Autumn Ballerina Bantry Blush Bramble Burnish Cambria Celandine Chalk Clover Cottage Dapple "
        "Dewdrop Druid Dusk Elder Evening Fable Foxglove Gentle Glebe Hazel Heather Heirloom Honey Ivory Jasmine "
        "Kindle Lavender Lichfield Lily Marigold Meadow Mellow Misty Moorland Morning Nectar Orchard Peony Pilgrim "
        "Primrose Quiet Russet Saffron Silver Somerset Sorbet Sparrow Summer Thistle Twilight Velvet Verity Wisteria "
        "Woodland Wren"
    ),
    nouns=(
        Noun("Climbing Rose", "Roses", "CR", 1499, 3499, ("Pot", "Color"), tags=("rose", "climber", "plant")),
        Noun("Shrub Rose", "Roses", "SR", 1299, 2999, ("Pot", "Color"), tags=("rose", "bush", "plant")),
        Noun("Clematis", "Climbers", "CL", 999, 2499, ("Pot", "Color"), tags=("climber", "plant")),
        Noun("Hydrangea", "Shrubs", "HY", 1499, 3999, ("Pot", "Color"), tags=("bush", "plant")),
        Noun("Tulip Bulbs", "Bulbs", "TU", 399, 1299, ("Pack", "Color"), tags=("bulb", "spring")),
        Noun("Daffodil Bulbs", "Bulbs", "DA", 349, 1099, ("Pack",), tags=("bulb", "spring", "narcissus")),
        Noun("Tomato Seeds", "Seeds", "TS", 199, 399, ("Pack",), tags=("vegetable", "kitchen garden")),
        Noun("Wildflower Seed Mix", "Seeds", "WM", 299, 1499, ("Pack",), tags=("meadow", "bees")),
        Noun("Terracotta Pot", "Pots", "TP", 599, 4999, ("Size",), tags=("planter", "clay")),
        Noun("Hand Trowel", "Tools", "HT", 899, 2499, ("Handle",), tags=("tool", "digging")),
        Noun("Pruning Shears", "Tools", "PS", 1499, 4999, ("Handle",), tags=("tool", "secateurs")),
        Noun("Watering Can", "Tools", "WC", 1299, 4499, ("Size", "Color"), tags=("tool", "watering")),
    ),
    brands=("Fernhill", "Burrow & Sons", "Greenacre", "Old Forge"),
    values={
        "Pot": ("2 litre", "4 litre", "7 litre"),
        "Pack": ("5", "25", "100"),
        "Size": ("Small", "Medium", "Large"),
        "Handle": ("Ash", "Beech"),
        "Color": ("White", "Pink", "Crimson", "Apricot"),
    },
    phrases=(
        "Grown outdoors, hardened by wind.", "Flowers from June to the first frost.",
        "Packed by hand the day it leaves.", "Happy in sun or half shade.",
    ),
)  # fmt: skip
KINDS = {"apparel": APPAREL, "electronics": ELECTRONICS, "home": HOME, "garden": GARDEN}


def generate(merchant: Merchant, seed: int) -> list[Product]:
    """Return the store's products: at the demo store first those that Firmly's documentation buys."""
    return (documented() if merchant.domain == LUMA.domain else []) + Generator(merchant, seed).products()


def documented() -> list[Product]:
    """Return the demo products that Firmly's documentation and its users' code buy."""
    tops, warm, coats = ("t-shirt", "shirt", "top"), ("sweatshirt", "warm"), ("outerwear", "coat")
    return [
        _documented("Radiant Tee", "Tees", "WS12", 2200, ("Blue", "Orange", "Purple"), tags=tops),
        _documented("Hero Hoodie", "Hoodies", "MH07", 5400, ("Black", "Gray", "Green"), tags=warm),
        _documented("Juno Jacket", "Jackets", "WJ06", 7700, ("Blue", "Green", "Purple"), tags=coats),
    ]


def _documented(
    title: str, kind: str, code: str, price: int, colors: tuple[str, ...], *, tags: tuple[str, ...]
) -> Product:
    options = (("Size", APPAREL.values["Size"]), ("Color", colors))
    variants = []
    for values in itertools.product(*(values for _, values in options)):
        sku, handle = "-".join((code, *values)), slug(f"{title} {' '.join(values)}")
        variants.append(Variant(sku, sku, handle, values, price, price, SCARCE.get(sku, PLENTY)))
    text = f"The {title} of the demo store. Light, durable and easy to care for."
    return Product(
        LUMA.domain, code, None, title, "Luma", slug(title), text, kind, tags, options, tuple(variants),
        rating=45, reviews=12_700,
    )  # fmt: skip


class Generator:
    """Generates the products of one store."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self._merchant = merchant
        self._random = Random(f"{seed}:{merchant.domain}")  # noqa: S311 - the same products again are the purpose
        self._vocabulary = KINDS[merchant.kind]

    def products(self) -> list[Product]:
        """Return all products; no title comes twice."""
        pairs = list(itertools.product(self._vocabulary.adjectives.split(), self._vocabulary.nouns))
        chosen = self._random.sample(pairs, min(self._merchant.products, len(pairs)))
        return [self._product(number, *pair) for number, pair in enumerate(chosen, 101)]

    def _product(self, number: int, adjective: str, noun: Noun) -> Product:
        merchant, random = self._merchant, self._random
        title, base = f"{adjective} {noun.title}", f"{noun.code}{number}"
        price = random.randint(noun.low, noun.high) // 100 * 100 + random.choice((0, 0, 50, 99, 95))
        options = tuple((name, self._some(name)) for name in noun.options)
        return Product(
            store=merchant.domain,
            base_sku=base,
            product_id=str(8_800_000 + number) if merchant.ref_form == "numbers" else None,
            title=title,
            brand=random.choice((*self._vocabulary.brands, None)),
            handle=merchant.handle_form.format(slug=slug(title), category=slug(noun.product_type), sku=base.lower()),
            description=f"{title}. {random.choice(self._vocabulary.phrases)}",
            product_type=noun.product_type,
            tags=noun.tags,
            options=options,
            variants=self._variants(number, base, price, options),
            rating=random.randint(28, 50),
            reviews=random.randint(0, 900),
            freight=noun.freight,
            index_price=random.choice((100,) * 9 + (90, 112)),
            states_excluded=FAR_AWAY if noun.freight else frozenset(),
        )

    def _variants(self, number: int, base: str, price: int, options: Options) -> tuple[Variant, ...]:
        msrp = self._random.randint(110, 140) if self._random.random() < 0.3 else 100  # percent of the price
        variants = []
        for place, values in enumerate(itertools.product(*(values for _, values in options))):
            cents = price * _steps(options, values) // 100
            sku = "-".join((base, *(_code(value) for value in values)))
            ids = {"numbers": str(41_000_000 + number * 100 + place), "handles": base}
            id_, handles = ids.get(self._merchant.ref_form, sku), self._handles(options, values)
            variants.append(Variant(sku, id_, slug(sku), values, cents, cents * msrp // 100, self._stock(), handles))
        return tuple(variants)

    def _handles(self, options: Options, values: tuple[str, ...]) -> tuple[str, ...]:
        if self._merchant.ref_form != "handles":
            return ()
        return tuple(f"{slug(name)}:{slug(value)}" for (name, _), value in zip(options, values, strict=True))

    def _some(self, name: str) -> tuple[str, ...]:
        """Return all sizes of apparel, a few values of everything else, in the vocabulary's order."""
        values = self._vocabulary.values[name]
        if name == "Size" and "XS" in values:
            return values
        few = self._random.sample(values, self._random.randint(min(2, len(values)), min(3, len(values))))
        return tuple(value for value in values if value in few)

    def _stock(self) -> int:
        chance = self._random.random()
        if chance < 0.06:
            return 0
        return self._random.randint(1, 3) if chance < 0.14 else self._random.randint(5, 400)


def _steps(options: Options, values: tuple[str, ...]) -> int:
    """Return what a bigger screen or more storage costs, in percent of the smallest."""
    return 100 + sum(
        PRICE_PER_STEP.get(name, 0) * choices.index(value)
        for (name, choices), value in zip(options, values, strict=True)
    )


@cache
def _code(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", value)


def slug(text: str) -> str:
    """Return lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
