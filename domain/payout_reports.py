"""The report on a payout: a line for each transaction that it covers, and what they come to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from domain import moments
from domain.balance_transactions import KINDS, identifier
from domain.ids import to_text

# The names of a line, in the order of the columns.
COLUMNS: Final = (
    "balance_transaction_id",
    "type",
    "source",
    "payment_id",
    "description",
    "gross",
    "fee",
    "net",
    "currency",
    "created_at",
)


def line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line; `row` has a settlement line's source and kind, its posting, fee and payment."""
    kind, source_id = row["kind"], row["source_id"]
    gross = row["amount"] if row["credit"] == "merchant" else -row["amount"]
    return {
        "balance_transaction_id": to_text("btx", identifier(source_id, kind)),
        "type": kind,
        "source": to_text(KINDS[kind], source_id),
        "payment_id": to_text("pay", row["payment_id"]),
        "description": row["description"],
        "gross": gross,
        "fee": row["fee"],
        "net": gross - row["fee"],
        "currency": row["currency"],
        "created_at": moments.to_text(row["created_at"]),
    }


def totals(settlements: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What settlements come to, by currency."""
    summed: dict[str, dict[str, Any]] = {}
    for each in settlements:
        total = summed.setdefault(
            each["currency"],
            {"currency": each["currency"], "gross": 0, "fee": 0, "net": 0, "transaction_count": 0},
        )
        for name in ("gross", "fee", "transaction_count"):
            total[name] += each[name]
        total["net"] += each["gross"] - each["fee"]
    return [summed[currency] for currency in sorted(summed)]


def resource(
    payout: Mapping[str, Any],
    settlements: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    next_cursor: str | None,
) -> dict[str, Any]:
    """A page of the report as the API shows it; `payout` is shown already."""
    return {
        "object": "payout_report",
        "payout": payout,
        "totals": totals(settlements),
        "data": [line(row) for row in lines],
        "has_more": next_cursor is not None,
        "next_cursor": next_cursor,
    }
