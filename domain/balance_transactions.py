"""The movements of a merchant's balance: what each is called, how it is named and shown.

A balance transaction is a posting of the ledger (domain/ledger.py) that the merchant's
account takes part in, with its fee.  Its id follows from the posting's key, so that it needs
no column: that of the source, with its last byte changed by the length of the kind's name,
in which the kinds of one source differ.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import Prefix, from_text, to_text

# The kinds, and what the source of each is called.
KINDS: Final[Mapping[str, Prefix]] = {
    "capture": "pay",
    "refund": "ref",
    "refund_failure": "ref",
    "dispute": "dsp",
    "dispute_reversal": "dsp",
    "payout": "pyt",
    "payout_conversion": "pyt",
}
# Those that take away what has settled; the others settle before they are available.
PAYING_OUT: Final = ("payout", "payout_conversion")


def identifier(source_id: UUID, kind: str) -> UUID:
    """The id of the transaction that a source has made."""
    return UUID(int=source_id.int ^ len(kind))


def sources(transaction_id: str) -> list[tuple[UUID, str]]:
    """The postings (source, kind) that an id may stand for; none where it is malformed."""
    named = from_text("btx", transaction_id)
    return [] if named is None else [(identifier(named, kind), kind) for kind in KINDS]


def resource(posting: Mapping[str, Any]) -> dict[str, Any]:
    """The transaction as the API shows it.

    `posting` has the columns of ledger_postings and what its lists show beside them: `id`;
    `fee`, None where the kind has none; `settled_at` and `payout_id`, None until then.
    """
    kind, fee, payout_id = posting["kind"], posting["fee"] or 0, posting["payout_id"]
    gross = posting["amount"] if posting["credit"] == "merchant" else -posting["amount"]
    paying_out = kind in PAYING_OUT
    available_at = posting["created_at"] if paying_out else posting["settled_at"]
    return {
        "object": "balance_transaction",
        "id": to_text("btx", posting["id"]),
        "type": kind,
        "source": to_text(KINDS[kind], payout_id if paying_out else posting["source_id"]),
        "gross": gross,
        "fee": fee,
        "net": gross - fee,
        "currency": posting["currency"],
        "status": "pending" if available_at is None else "available",
        "available_at": None if available_at is None else moments.to_text(available_at),
        "payout_id": None if payout_id is None else to_text("pyt", payout_id),
        "livemode": posting["livemode"],
        "created_at": moments.to_text(posting["created_at"]),
    }
