"""What is known of a person: sealed where it is stored, opened where it is shown."""

from typing import Any

from adapters.keys import OwnerKeys
from flows.house import House
from models.sealed import CUSTOMER_EMAIL, CUSTOMER_NAME
from runtime.database import Row


def sealed(keys: OwnerKeys, customer: dict[str, Any]) -> Row:
    """The customer with the columns that store its address and name beside them."""
    email, name = customer["email"], customer["name"]
    return {
        **customer,
        "email_sealed": None if email is None else keys.seal(CUSTOMER_EMAIL, email.encode()),
        "email_index": None if email is None else keys.index(CUSTOMER_EMAIL, email),
        "name_sealed": None if name is None else keys.seal(CUSTOMER_NAME, name.encode()),
    }


async def opened(house: House, row: Row) -> Row:
    """The row with its address and name to be read."""
    email, name = row["email_sealed"], row["name_sealed"]
    if email is None and name is None:
        return {**row, "email": None, "name": None}
    keys = await house.seals.knowing(row["merchant_id"], email, name)
    return {
        **row,
        "email": None if email is None else keys.open(CUSTOMER_EMAIL, email).decode(),
        "name": None if name is None else keys.open(CUSTOMER_NAME, name).decode(),
    }
