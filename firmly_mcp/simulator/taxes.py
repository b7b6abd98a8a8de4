"""Sales tax by state, in thousandths of a percent of the discounted goods. No state, no tax."""

from firmly_mcp.simulator.cash import share

US_RATES = {
    "AZ": 5_600, "CA": 7_250, "CO": 2_900, "FL": 6_000, "GA": 4_000, "IL": 6_250, "MA": 6_250, "MI": 6_000,
    "MN": 6_875, "NC": 4_750, "NJ": 6_625, "NV": 6_850, "NY": 8_875, "OH": 5_750, "PA": 6_000, "TX": 6_250,
    "VA": 5_300, "WA": 10_000, "AK": 0, "DE": 0, "MT": 0, "NH": 0, "OR": 0,
}  # fmt: skip
US_ELSEWHERE = 5_000
CA_RATES = {"AB": 5_000, "BC": 12_000, "ON": 13_000, "QC": 14_975}
CA_ELSEWHERE = 15_000
BY_COUNTRY = {"GB": 20_000, "IE": 23_000, "DE": 19_000, "AU": 10_000}


def rate(country: str, state: str) -> int:
    """Thousandths of a percent for an address."""
    if country == "US":
        return US_RATES.get(state, US_ELSEWHERE)
    if country == "CA":
        return CA_RATES.get(state, CA_ELSEWHERE)
    return BY_COUNTRY.get(country, 0)


def tax(cents: int, country: str, state: str, added: int = 0) -> int:
    """The tax on an amount of goods sent to an address; `added` is what a store's rate moved."""
    return share(max(0, cents), rate(country, state) + added)
