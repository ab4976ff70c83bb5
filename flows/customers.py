"""Creating a customer."""

from typing import Any, Final

import orjson

from domain import customers
from domain.callers import Asking
from flows.house import House
from flows.replies import Reply, once
from models import counting
from models.customers import INSERT_CUSTOMER
from runtime.database import Row, Transaction

CREATED: Final = 201


async def create_customer(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A new customer; every field of `body` is optional."""
    caller = asking.caller
    row: Row = {
        "id": house.new_id(),
        "merchant_id": caller.merchant_id,
        "livemode": caller.livemode,
        "email": body.get("email"),
        "name": body.get("name"),
        "metadata": body.get("metadata", {}),
        "created_at": house.clock.now(),
        "revision": 1,
    }

    async def change(transaction: Transaction) -> Reply:
        text = orjson.dumps(row["metadata"]).decode()
        await transaction.run(INSERT_CUSTOMER, **{**row, "metadata": text})
        await counting.add(transaction, row, "customers", {"all": 1})
        return Reply(CREATED, customers.resource(row))

    return await once(house, asking, change)
