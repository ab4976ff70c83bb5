"""Exchange rates: where a payout's rates come from.

A source answers one rate at a time and may be anything that can be asked: a payout is
planned before its transaction begins.  The one that is built has a table that does not move.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import orjson

from domain.exchange import cross_rate, is_rate

# US dollars for one unit; for a sandbox, and until a source of real rates is chosen.
TABLE: Final[Mapping[str, str]] = {
    "aed": "0.2723",
    "ars": "0.00071",
    "aud": "0.6530",
    "bgn": "0.5930",
    "bhd": "2.6525",
    "brl": "0.1870",
    "cad": "0.7150",
    "chf": "1.2450",
    "clp": "0.00107",
    "cny": "0.1410",
    "cop": "0.000265",
    "czk": "0.0480",
    "dkk": "0.1555",
    "egp": "0.0210",
    "eur": "1.1600",
    "gbp": "1.3200",
    "hkd": "0.1285",
    "huf": "0.00303",
    "idr": "0.0000600",
    "ils": "0.3060",
    "inr": "0.0112",
    "isk": "0.00785",
    "jod": "1.4104",
    "jpy": "0.00642",
    "krw": "0.000681",
    "kwd": "3.2570",
    "mad": "0.1080",
    "mxn": "0.0546",
    "myr": "0.2420",
    "nok": "0.0988",
    "nzd": "0.5730",
    "omr": "2.6008",
    "pen": "0.2970",
    "php": "0.0170",
    "pln": "0.2740",
    "ron": "0.2280",
    "sar": "0.2667",
    "sek": "0.1058",
    "sgd": "0.7710",
    "thb": "0.0310",
    "tnd": "0.3390",
    "try": "0.0236",
    "twd": "0.0319",
    "usd": "1",
    "vnd": "0.0000379",
    "zar": "0.0584",
}


class ExchangeRates(Protocol):
    """A source of rates."""

    async def rate(self, currency: str, to: str) -> str | None:
        """How many units of `to` one of `currency` buys, a decimal text; None: not known."""


class FixedRates:
    """Rates from a table of what one unit of each currency is worth in a third."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = table

    async def rate(self, currency: str, to: str) -> str | None:
        """The cross rate of two currencies of the table."""
        worth, other = self._table.get(currency), self._table.get(to)
        if worth is None or other is None:
            return None
        try:
            return cross_rate(worth, other)
        except ValueError:
            return None


def open_rates(path: Path | None) -> ExchangeRates:
    """The table in a file, `{"eur": "1.16", …}`, or the one above.

    Raises ValueError for a file that is no such table.
    """
    if path is None:
        return FixedRates(TABLE)
    table = orjson.loads(path.read_bytes())
    if not isinstance(table, dict) or not all(
        isinstance(rate, str) and is_rate(rate) for rate in table.values()
    ):
        raise ValueError("PAYMINT_EXCHANGE_RATES names no table of decimal texts by currency")
    return FixedRates(table)
