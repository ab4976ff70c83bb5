"""Reading disputes, and answering one with evidence."""

from collections.abc import Mapping
from typing import Any, Final

from domain import disputes
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.dispute_changes import announce, dispute_key, now_of
from flows.house import House
from flows.replies import Reply, once
from models.disputes import lock_dispute, read_dispute, save_dispute
from models.paging import read_counted_page
from models.tables import DISPUTES
from runtime.database import Transaction

OK: Final = 200


async def list_disputes(house: House, asking: Asking, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the merchant's disputes; the total is exact where a counter fits."""
    payment_id = query.get("payment_id")
    named = None if payment_id is None else from_text("pay", payment_id)
    asked = pages.ask(query, {"status": query.get("status"), "payment_id": named})
    caller = asking.caller
    async with house.database.reading() as transaction:
        page, total = await read_counted_page(
            transaction, DISPUTES, asked.page, caller.merchant_id, caller.livemode
        )
    return pages.envelope(asked, page, disputes.resource, total)


async def retrieve_dispute(house: House, asking: Asking, dispute_id: str) -> dict[str, Any]:
    """The dispute, or 404 where this merchant has none of this id in this mode."""
    key = dispute_key(asking, dispute_id)
    async with house.database.reading() as transaction:
        dispute = await read_dispute(transaction, key)
    if dispute is None:
        raise Missing("resource_missing", "dispute_id")
    return disputes.resource(dispute)


async def submit_evidence(
    house: House, asking: Asking, dispute_id: str, evidence: Mapping[str, str]
) -> Reply:
    """Keep the evidence; a worker hands it to the network.

    Raises 404 and, a second time or too late, 422 `dispute_unexpected_state`.
    """
    key = dispute_key(asking, dispute_id)

    async def change(transaction: Transaction) -> Reply:
        now = await now_of(house, transaction, key)
        dispute = await lock_dispute(transaction, key)
        if dispute is None:
            raise Missing("resource_missing", "dispute_id")
        disputes.check_answerable(dispute, now)
        step = disputes.transition(dispute["status"], "answer")
        answered = {
            **dispute,
            "status": step.becomes,
            "evidence_text": evidence["text"],
            "evidence_receipt_url": evidence.get("receipt_url"),
            "evidence_shipping_tracking": evidence.get("shipping_tracking"),
            "evidence_customer_communication": evidence.get("customer_communication"),
            "evidence_submitted_at": now,
            "work_at": min(now, house.clock.now()),
            "event_sequence": dispute["event_sequence"] + 1,
        }
        await save_dispute(transaction, dispute, answered)
        await announce(house, transaction, asking.request_id, answered, step.event)
        return Reply(OK, disputes.resource(answered))

    return await once(house, asking, change)
