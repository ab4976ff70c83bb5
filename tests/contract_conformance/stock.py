"""A merchant with one of everything, so that generated requests find something."""

from pathlib import Path

from tests.shop import Merchant, told

# Captures, cancellations, detachments and saved tokens use things up; so there are several.
OF_EACH = 12
HELD_PAYMENTS = 40
LARGEST_AMOUNT = 99_999_999


def lay_in(merchant: Merchant) -> dict[str, list[str]]:
    """Ids by the name of their dictionary in schemathesis.toml."""
    customer = merchant.customer(email="ada@example.com", name="Ada")["id"]
    methods = [told(merchant.save_card(customer, luhn(n)), 201)["id"] for n in range(OF_EACH)]
    held = [pay(merchant, methods[0], capture=False) for _ in range(HELD_PAYMENTS)]
    taken = [pay(merchant, methods[0], capture=True) for _ in range(OF_EACH)]
    return {
        "customers": [customer],
        "payment_methods": methods[1:],
        "lasting_methods": methods[:1],
        "payments": held + taken,
        "held_payments": held,
        "taken_payments": taken,
        "refunded_payments": taken[:1],
        "refunds": [merchant.refund(taken[0], amount=1)["id"]],
        "webhook_endpoints": [
            merchant.endpoint(f"https://shop.example.com/{n}")["id"] for n in range(OF_EACH)
        ],
        "merchants": [merchant.id],
        "events": [event["id"] for event in merchant.events(limit=5)],
        "tokens": [merchant.tokenise(luhn(OF_EACH + n)) for n in range(OF_EACH)],
    }


def pay(merchant: Merchant, method: str, *, capture: bool) -> str:
    """A payment of the largest amount, so that captures and refunds of most amounts fit."""
    return str(merchant.pay(method, amount=LARGEST_AMOUNT, capture=capture)["id"])


def write_dictionaries(stock: dict[str, list[str]], directory: Path) -> None:
    """One file of quoted values for each dictionary."""
    for name, values in stock.items():
        lines = [f'"{value}"\n' for value in values]
        (directory / f"{name}.dict").write_text("".join(lines))


def luhn(number: int) -> str:
    """The number-th Visa card of a range that always succeeds."""
    digits = f"41111111{number:07d}"
    total = sum(
        sum(divmod(int(digit) * 2, 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)
