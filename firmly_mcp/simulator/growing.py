"""Products out of a seed: the same seed and store give the same shelf, byte for byte."""

import itertools
import re
from functools import cache
from random import Random

from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.merchants import LUMA, Merchant
from firmly_mcp.simulator.places import FAR_AWAY
from firmly_mcp.simulator.vocabulary import APPAREL, KINDS, Noun

PLENTY = 1_000_000
MORE_PRICE_PER_STEP = {"Screen": 30, "Storage": 18, "Size": 0, "Pot": 40, "Pack": 120}  # percent, by option
SCARCE = {"WS12-S-Orange": 3, "WS12-M-Orange": 0, "WS12-L-Orange": 1, "MH07-S-Gray": 2}
Options = tuple[tuple[str, tuple[str, ...]], ...]


def grown(merchant: Merchant, seed: int) -> list[Product]:
    """The store's products: the documentation's own first, where it is the demo store, then generated ones."""
    return (documented() if merchant.domain == LUMA.domain else []) + Garden(merchant, seed).products()


def documented() -> list[Product]:
    """The demo products that Firmly's documentation and its users' code buy."""
    tops, warm, coats = ("t-shirt", "shirt", "top"), ("sweatshirt", "warm"), ("outerwear", "coat")
    return [
        _demo(Noun("Radiant Tee", "Tees", "WS12", 2200, 2200, ("Blue", "Orange", "Purple"), tags=tops)),
        _demo(Noun("Hero Hoodie", "Hoodies", "MH07", 5400, 5400, ("Black", "Gray", "Green"), tags=warm)),
        _demo(Noun("Juno Jacket", "Jackets", "WJ06", 7700, 7700, ("Blue", "Green", "Purple"), tags=coats)),
    ]


def _demo(noun: Noun) -> Product:
    """One product of the documentation; its noun is itself, with the colors in place of the options."""
    options = (("Size", APPAREL.values["Size"]), ("Color", noun.options))
    variants = []
    for values in itertools.product(*(values for _, values in options)):
        sku = "-".join((noun.code, *values))
        handle = slug(f"{noun.title} {' '.join(values)}")
        variants.append(Variant(sku, sku, handle, values, noun.low, noun.low, SCARCE.get(sku, PLENTY)))
    return Product(
        store=LUMA.domain,
        base_sku=noun.code,
        product_id=None,
        title=noun.title,
        brand="Luma",
        handle=slug(noun.title),
        description=f"The {noun.title} of the demo store. Light, durable and easy to care for.",
        product_type=noun.product_type,
        tags=noun.tags,
        options=options,
        variants=tuple(variants),
        rating=45,
        reviews=12_700,
    )


class Garden:
    """Where one store's products grow."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self._merchant = merchant
        self._random = Random(f"{seed}:{merchant.domain}")  # noqa: S311 - the same products again are the purpose
        self._vocabulary = KINDS[merchant.kind]

    def products(self) -> list[Product]:
        """All of them, with titles that come once."""
        pairs = list(itertools.product(self._vocabulary.adjectives, self._vocabulary.nouns))
        chosen = self._random.sample(pairs, min(self._merchant.products, len(pairs)))
        return [self._product(number, *pair) for number, pair in enumerate(chosen, 101)]

    def _product(self, number: int, adjective: str, noun: Noun) -> Product:
        merchant, random = self._merchant, self._random
        title, base = f"{adjective} {noun.title}", f"{noun.code}{number}"
        price = self._rounded(random.randint(noun.low, noun.high))
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
        dearer = self._random.randint(110, 140) if self._random.random() < 0.3 else 100
        variants = []
        for place, values in enumerate(itertools.product(*(values for _, values in options))):
            cents = price * _steps(options, values) // 100
            sku = "-".join((base, *(_code(value) for value in values)))
            variants.append(
                Variant(
                    sku=sku,
                    variant_id=self._variant_id(sku, base, number * 100 + place),
                    handle=slug(sku),
                    values=values,
                    price=cents,
                    msrp=cents * dearer // 100,
                    stock=self._stock(),
                    variant_handles=self._handles(options, values),
                )
            )
        return tuple(variants)

    def _handles(self, options: Options, values: tuple[str, ...]) -> tuple[str, ...]:
        if self._merchant.ref_form != "handles":
            return ()
        return tuple(f"{slug(name)}:{slug(value)}" for (name, _), value in zip(options, values, strict=True))

    def _variant_id(self, sku: str, base: str, number: int) -> str:
        if self._merchant.ref_form == "numbers":
            return str(41_000_000 + number)
        return base if self._merchant.ref_form == "handles" else sku

    def _some(self, name: str) -> tuple[str, ...]:
        """All sizes of apparel, a few of everything else, in the vocabulary's order."""
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

    def _rounded(self, cents: int) -> int:
        return cents // 100 * 100 + self._random.choice((0, 0, 50, 99, 95))


def _steps(options: Options, values: tuple[str, ...]) -> int:
    """What a bigger screen or more storage costs, in percent of the smallest."""
    return 100 + sum(
        MORE_PRICE_PER_STEP.get(name, 0) * choices.index(value)
        for (name, choices), value in zip(options, values, strict=True)
    )


@cache
def _code(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", value)


def slug(text: str) -> str:
    """Lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
