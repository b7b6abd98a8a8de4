"""The currencies that a price can have, so that a limit in one that does not exist is refused and not silently void."""

from __future__ import annotations

import difflib
from typing import Final

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
