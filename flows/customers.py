"""Creating, changing and deleting a customer."""

from typing import Any, Final
from uuid import UUID

import orjson

from domain import customers
from domain.callers import Asking
from domain.ids import from_text, to_text
from domain.preconditions import check_revision
from domain.refusals import Missing
from flows.house import House
from flows.replies import Reply, once
from flows.sealed_customers import opened, sealed
from models import counting
from models.customers import (
    INSERT_CUSTOMER,
    Whose,
    delete_customer,
    lock_customer,
    save_customer,
)
from models.idempotency import erase_replies
from runtime.database import Row, Transaction

CREATED: Final = 201


async def create_customer(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A new customer; every field of `body` is optional."""
    caller = asking.caller
    keys = await house.seals.of(caller.merchant_id)
    customer: Row = {
        "id": house.new_id(),
        "merchant_id": caller.merchant_id,
        "livemode": caller.livemode,
        "email": body.get("email"),
        "name": body.get("name"),
        "metadata": body.get("metadata", {}),
        "created_at": house.clock.now(),
        "revision": 1,
    }

    row = sealed(keys, customer)

    async def change(transaction: Transaction) -> Reply:
        text = orjson.dumps(row["metadata"]).decode()
        await transaction.run(INSERT_CUSTOMER, **{**row, "metadata": text})
        await counting.add(transaction, row, "customers", {"all": 1})
        return Reply(CREATED, customers.resource(row), of_person=row["id"])

    return await once(house, asking, change)


async def update_customer(
    house: House, asking: Asking, customer_id: str, patch: dict[str, Any]
) -> dict[str, Any]:
    """Change what `patch` names (JSON merge patch); raises 404, 412, 400 for too many keys."""
    whose = Whose(asking.caller.merchant_id, asking.caller.livemode)
    identifier = _identifier(customer_id)
    # At hand before the row is locked, so that nobody waits for a key while others wait for us.
    keys = await house.seals.of(asking.caller.merchant_id)
    async with house.database.transaction() as transaction:
        row = await lock_customer(transaction, whose, identifier)
        if row is None:
            raise Missing("resource_missing", "customer_id")
        check_revision(asking.if_match, row["revision"])
        changed = sealed(keys, customers.changed(await opened(house, row), patch))
        saved = await save_customer(transaction, whose, changed)
    return customers.resource({**changed, "revision": saved["revision"]})


async def remove_customer(house: House, asking: Asking, customer_id: str) -> dict[str, Any]:
    """Delete a customer for good: its payments stay, what is known of the person goes.

    Its methods are detached; a worker has the vault forget their numbers.
    """
    whose = Whose(asking.caller.merchant_id, asking.caller.livemode)
    identifier = _identifier(customer_id)
    async with house.database.transaction() as transaction:
        row = await delete_customer(transaction, whose, identifier, house.clock.now())
        if row is None:
            raise Missing("resource_missing", "customer_id")
        await counting.add(transaction, row, "customers", {"all": -1})
        # Replies that are kept for a repetition go on without what they said of the person.
        said = customers.resource({**row, "email": None, "name": None})
        await erase_replies(transaction, asking, identifier, orjson.dumps(said).decode())
    return {"object": "customer", "id": to_text("cus", identifier), "deleted": True}


def _identifier(customer_id: str) -> UUID:
    identifier = from_text("cus", customer_id)
    if identifier is None:
        raise Missing("resource_missing", "customer_id")
    return identifier
