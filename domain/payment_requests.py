"""What a merchant asks for when it creates a payment."""

from typing import NamedTuple


class PaymentRequest(NamedTuple):
    """A validated request body; ids are still text.  `hold_id`: drawn on that hold."""

    amount: int
    currency: str
    payment_method_id: str
    customer_id: str | None
    capture: bool
    description: str | None
    metadata: dict[str, str]
    hold_id: str | None = None
