"""Chains by themselves: canonical bytes that never change, months, and what a place is."""

import json
from uuid import UUID

from domain.audit_chain import GENESIS, Chains, Unchained, chain_id, digest, month_of

INSTANCE = UUID("019d7cd4-575e-7d13-b09a-4c8e2f6d1b75")
CHAIN = UUID("019d7cd4-590c-7e6b-a2d4-1f8c3b5a9e70")
MERCHANT = UUID("019d7cd3-e841-7f5a-9c2b-7d4e6f8a0b13")
ROW = Unchained(INSTANCE, MERCHANT, False, b'{"timestamp":"2026-04-11T14:30:00.123Z"}')
# Computed by hand with sha256sum over the documented bytes; entries of years hang on it.
KNOWN = "fea58d751ab004526c74690de92450c03914fca69dd97b99c6291fdd0e6198fb"
LAST_OF_NOVEMBER = UUID(int=(1_796_083_199_999 << 80))
FIRST_OF_DECEMBER = UUID(int=(1_796_083_200_000 << 80))


def test_the_canonical_form_is_the_documented_one() -> None:
    assert digest(GENESIS, CHAIN, 1, ROW).hex() == KNOWN


def test_everything_is_covered() -> None:
    hashes = {
        digest(GENESIS, CHAIN, 1, ROW),
        digest(b"\1" * 32, CHAIN, 1, ROW),
        digest(GENESIS, INSTANCE, 1, ROW),
        digest(GENESIS, CHAIN, 2, ROW),
        *(
            digest(GENESIS, CHAIN, 1, ROW._replace(**change))
            for change in (
                {"id": CHAIN},
                {"merchant_id": CHAIN},
                {"livemode": True},
                {"livemode": None},
                {"entry": ROW.entry + b" "},
            )
        ),
    }
    assert len(hashes) == 9


def test_a_chain_ends_with_its_month() -> None:
    assert month_of(LAST_OF_NOVEMBER) == "2026-11" and month_of(FIRST_OF_DECEMBER) == "2026-12"
    chains = Chains(INSTANCE)
    entry = {"timestamp": "2026-11-30T23:59:59.999Z"}
    # A request that began before midnight may end after one that began later.
    ids = (LAST_OF_NOVEMBER, FIRST_OF_DECEMBER, LAST_OF_NOVEMBER)
    rows = [json.loads(chains.row(each, MERCHANT, None, entry)) for each in ids]
    november, december = (str(chain_id(INSTANCE, month)) for month in ("2026-11", "2026-12"))
    assert [row["chain"] for row in rows] == [november, december, november]
    assert [row["sequence"] for row in rows] == [1, 1, 2]
    assert rows[0]["previous"] == rows[1]["previous"] == "\\x" + GENESIS.hex()
    assert rows[2]["previous"] == rows[0]["hash"]
