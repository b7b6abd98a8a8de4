"""A useful search over every store: ranked by words in title, brand, tags, kind and options.

Words count by the field they are in and by how rare they are. A product that has all words comes before one that has
some, and one that can be bought in the asked size and color before one that cannot. "under 30" prefers what costs less.
"""

import base64
import binascii
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from firmly_mcp.simulator.answers import Json, Refusal
from firmly_mcp.simulator.catalog import Catalog, Product, Variant
from firmly_mcp.simulator.generator import generate
from firmly_mcp.simulator.merchants import merchants
from firmly_mcp.simulator.views import index_price

WEIGHTS = {"title": 8, "brand": 5, "type": 5, "tags": 4, "options": 3, "description": 1}
NOISE = frozenset(
    re.findall(r"\w+", "a an and at below by cheap for from in less me of on or show than that the to under up with")
)
CEILING = re.compile(r"\b(?:under|below|less than|up to)\s*[$£€]?\s*(\d+(?:\.\d{1,2})?)", re.IGNORECASE)
WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit must satisfy; prices in cents."""

    domains: frozenset[str] | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool = False
    options: tuple[tuple[str, frozenset[str]], ...] = ()

    def admit(self, product: Product) -> bool:
        """Return whether some variant of the product satisfies everything."""
        if self.domains is not None and product.store not in self.domains:
            return False
        return any(self._admits(product, variant) for variant in product.variants)

    def _admits(self, product: Product, variant: Variant) -> bool:
        price = index_price(product, variant)
        if self.in_stock and not variant.stock:
            return False
        if price < (self.min_price or 0) or (self.max_price is not None and price > self.max_price):
            return False
        chosen = {name.lower(): value for (name, _), value in zip(product.options, variant.values, strict=True)}
        return all(chosen.get(option.lower()) in values for option, values in self.options)


@dataclass(frozen=True, slots=True)
class Hit:
    """A product and its score; `number` is its place in the index."""

    score: int
    number: int
    product: Product

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts best first; the index number settles ties, so that pages never overlap."""
        return (-self.score, self.number)


@lru_cache(maxsize=8)
def search_index(stores: int, seed: int) -> "Index":
    """Return the index of the first `stores` stores; the simulators of one process share it."""
    return Index(Catalog(merchants(stores), generate, seed))


class Index:
    """Every word of every product, built at the first search."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._products: list[Product] = []
        self._words: dict[str, dict[int, int]] = defaultdict(dict)

    def search(self, query: str, filters: Filters) -> list[Hit]:
        """Return all products that share a word with the query and satisfy the filters, best first."""
        self._build()
        ceiling = CEILING.search(query)
        most = round(float(ceiling[1]) * 100) if ceiling else None
        words = dict.fromkeys(word for word in _words(CEILING.sub(" ", query)) if word not in NOISE)
        hits = (
            Hit(score + _bonus(self._products[number], words, most), number, self._products[number])
            for number, score in self._scores(words).items()
            if filters.admit(self._products[number])
        )
        return sorted(hits, key=lambda hit: hit.rank)

    def options(self) -> dict[str, list[str]]:
        """Return option names in lower case with all their values."""
        self._build()
        found: dict[str, set[str]] = defaultdict(set)
        for product in self._products:
            for name, values in product.options:
                found[name.lower()].update(values)
        return {name: sorted(values) for name, values in sorted(found.items())}

    def _build(self) -> None:
        if self._products:
            return
        shelves = [self.catalog.shelf(domain).products for domain in self.catalog.merchants]
        by_fame = sorted((product for shelf in shelves for product in shelf), key=lambda product: -product.reviews)
        for number, product in enumerate(by_fame):
            self._products.append(product)
            for word, weight in _weighted(product):
                found = self._words[word]
                found[number] = max(weight, found.get(number, 0))

    def _scores(self, words: dict[str, None]) -> dict[int, int]:
        scores: dict[int, int] = defaultdict(int)
        for word in words:
            found = self._words.get(word, {})
            rarity = math.log(1 + len(self._products) / (1 + len(found)))
            for number, weight in found.items():
                scores[number] += 1000 + round(weight * rarity * 10)
        return scores


def write_cursor(hit: Hit, filters: Json) -> str:
    """Return where the next page begins, as opaque text."""
    raw = json.dumps({"score": hit.score, "id": hit.number, "filters": filters}, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[tuple[int, int], Json]:
    """Return the rank of the last hit and the filters of a cursor; an unknown one is InvalidRequest."""
    try:
        raw = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return (-int(raw["score"]), int(raw["id"])), dict(raw["filters"])
    except (binascii.Error, ValueError, KeyError, TypeError) as broken:
        raise Refusal("InvalidRequest", "cursor is invalid") from broken


def _bonus(product: Product, words: dict[str, None], most: int | None) -> int:
    """Return points for the variant with the most asked option words: if it is in stock, and below the asked price."""

    def asked(variant: Variant) -> int:
        return len({word for value in variant.values for word in _words(value)} & words.keys())

    best = max(product.variants, key=lambda variant: (asked(variant), variant.stock > 0, -variant.price))
    return (20 if best.stock else 0) + (500 if most is not None and index_price(product, best) <= most else 0)


def _weighted(product: Product) -> Iterator[tuple[str, int]]:
    fields = {
        "title": product.title,
        "brand": product.brand or "",
        "type": product.product_type,
        "tags": " ".join(product.tags),
        "options": " ".join(value for _, values in product.options for value in values),
        "description": product.description,
    }
    for name, text in fields.items():
        for word in _words(text):
            yield word, WEIGHTS[name]
    yield product.base_sku.lower(), WEIGHTS["title"]


def _words(text: str) -> Iterator[str]:
    """Return the words of a text in lower case and singular."""
    for word in WORD.findall(text.lower()):
        yield word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
