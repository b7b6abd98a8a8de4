"""An amount is a decimal and a currency. No float ever holds money, and two currencies never meet in one sum."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Self

# ISO 4217: minor units that are not two. What is missing here has two.
_MINOR_UNITS: Final = {
    currency: digits
    for digits, currencies in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for currency in currencies.split()
}

# Where a dollar could be of several countries, the currency's code is written out.
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


def minor_units(currency: str) -> int:
    """How many digits follow the decimal point in this currency (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return _MINOR_UNITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units (`Decimal("53.40")`) of an ISO 4217 currency.

    `str` is for models, logs and the terminal (`53.40 USD`), `plain` for fields and for what a person types (`53.40`),
    `display` for pages (`$53.40`).
    """

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, amount: str | int | Decimal, currency: str) -> Self:
        """Read an amount in major units, such as `"53.40"`.

        Raises:
            ValueError: not a finite decimal number, or not a three-letter currency.
        """
        try:
            number = Decimal(amount)
        except InvalidOperation:
            raise ValueError("not a decimal amount") from None
        if not number.is_finite():
            raise ValueError("not a finite amount")
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
            raise ValueError("not an ISO 4217 currency")
        return cls(number, currency)

    @classmethod
    def from_minor(cls, number: int, currency: str) -> Self:
        """Read an amount in minor units: `5340` cents is 53.40 USD, `5340` yen is 5340 JPY."""
        return cls.parse(Decimal(number).scaleb(-minor_units(currency)), currency)

    def __str__(self) -> str:
        return f"{self.plain} {self.currency}"

    @property
    def plain(self) -> str:
        """The amount alone with the currency's digits, `"53.40"`; more digits are kept, never rounded away."""
        # Formatted, not quantized: an amount of more digits than the context has is written too.
        text = f"{self.amount:.{minor_units(self.currency)}f}"
        return text if Decimal(text) == self.amount else f"{self.amount:f}"

    def display(self) -> str:
        """The amount as a person reads it: `$1,053.40`, `CHF 12.00`."""
        sign = "\N{MINUS SIGN}" if self.amount < 0 else ""
        whole, point, fraction = self.plain.lstrip("-").partition(".")
        symbol = _SYMBOLS.get(self.currency) or f"{self.currency}\N{NO-BREAK SPACE}"
        return f"{sign}{symbol}{int(whole):,}{point}{fraction}"

    def __add__(self, other: Self) -> Self:
        return type(self)(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.amount - self._same(other), self.currency)

    def __mul__(self, times: int) -> Self:
        return type(self)(self.amount * times, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Self) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Self) -> bool:
        return self.amount >= self._same(other)

    def _same(self, other: Self) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.amount


# The currencies that a price can have, so that a limit in one that does not exist is refused and not silently void.

# ISO 4217, list one, as of January 2026, with the units of account that some countries price in. Left out is what no
# store charges: metals, bond market units, SDR, the codes for tests and for no currency.
_LISTED: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR "
    "LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN "
    "PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR "
    "ZMW ZWG"
)

CURRENCIES: Final = frozenset(_LISTED.split())

# Of two codes that are equally near to a typing error, the one that more people write.
_USUAL: Final = ("USD", "EUR", "GBP", "CAD", "AUD", "JPY", "CHF", "SEK", "NOK", "DKK", "MXN", "BRL", "INR", "CNY")

_NEAR: Final = 0.6


def nearest_currency(written: str) -> str | None:
    """The currency that was probably meant: the same letters in another order first, then the nearest spelling."""
    name = written.strip().upper()

    def nearness(code: str) -> tuple[bool, float, bool, str]:
        ratio = difflib.SequenceMatcher(None, name, code, autojunk=False).ratio()
        return sorted(name) == sorted(code), ratio, code in _USUAL, code

    best = max(CURRENCIES, key=nearness) if len(name) <= 8 else ""
    is_anagram, ratio, _, _ = nearness(best)
    return best if best and (is_anagram or ratio >= _NEAR) else None
