"""The words that generated products are made of, by kind of store."""

from dataclasses import dataclass


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
    """What one kind of store sells."""

    adjectives: tuple[str, ...]
    nouns: tuple[Noun, ...]
    brands: tuple[str, ...]
    values: dict[str, tuple[str, ...]]
    phrases: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


APPAREL = Vocabulary(
    adjectives=_words(
        "Aero Agile Balance Breeze Canyon Cascade Celeste Circa Daily Deion Echo Electra Erika Fiona Gobi "
        "Gwyneth Helio Helios Ida Ingrid Iris Jade Josie Juliana Karmen Layla Leah Lono Lucia Maia Miko "
        "Minerva Mona Nadia Neve Nora Orestes Olivia Portia Prima Proteus Riona Rival Sahara Selene Sinbad "
        "Stellar Strike Summit Sybil Taurus Teton Tiffany Torque Troy Typhon Viktor Vulcan Zeppelin Zoltan"
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
        "Soft, quick-drying fabric for long days.",
        "Flat seams and a relaxed fit.",
        "Made for the gym and the way home.",
        "Keeps its shape after many washes.",
    ),
)
ELECTRONICS = Vocabulary(
    adjectives=_words(
        "Aurora Atlas Beacon Boreal Cinder Comet Corona Delta Drift Eclipse Ember Fathom Flux Glint Halo "
        "Horizon Ion Jet Kilo Lumen Lyra Meridian Mira Nebula Nimbus Nova Onyx Orbit Parallax Photon Pixel "
        "Polar Prism Pulsar Quanta Radian Relay Rigel Sierra Signal Solaris Sonata Spectra Stratus Tempo "
        "Terra Titan Umbra Vector Vega Vertex Vista Volt Wave Xenon Zenith Zephyr"
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
        "Clear picture, quiet design.",
        "A full day on one charge.",
        "Sets up in minutes.",
        "Works with the assistants you have.",
    ),
)
HOME = Vocabulary(
    adjectives=_words(
        "Alder Arden Aspen Barton Birch Bowen Briar Calder Camden Cedar Colby Dalton Darby Dover Easton Elm "
        "Farrow Finley Garner Haven Hollis Hudson Juniper Keaton Kendal Laurel Linden Lowell Maple Marlow "
        "Merrin Millbrook Norfolk Oakley Orchard Paxton Pender Quincy Ramsey Reeve Rowan Rye Sawyer Sedge "
        "Shelby Sorrel Stanton Sutton Tamsin Thorne Tilden Vale Wade Walden Weston Whitby Willow Winslow Wren "
        "Yarrow"
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
        "Solid joints, honest materials.",
        "Easy to clean, hard to wear out.",
        "Fits a small flat as well as a house.",
        "Made to be repaired.",
    ),
)
GARDEN = Vocabulary(
    adjectives=_words(
        "Abbey Alba Amber Autumn Ballerina Bantry Blush Bramble Burnish Cambria Celandine Chalk Clover "
        "Cottage Dapple Dewdrop Druid Dusk Elder Evening Fable Foxglove Gentle Glebe Hazel Heather Heirloom "
        "Honey Ivory Jasmine Kindle Lavender Lichfield Lily Marigold Meadow Mellow Misty Moorland Morning "
        "Nectar Orchard Peony Pilgrim Primrose Quiet Russet Saffron Silver Somerset Sorbet Sparrow Summer "
        "Thistle Twilight Velvet Verity Wisteria Woodland Wren"
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
        "Grown outdoors, hardened by wind.",
        "Flowers from June to the first frost.",
        "Packed by hand the day it leaves.",
        "Happy in sun or half shade.",
    ),
)
KINDS = {"apparel": APPAREL, "electronics": ELECTRONICS, "home": HOME, "garden": GARDEN}
