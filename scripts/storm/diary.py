"""What the merchants believe: every intention, and every answer that it got."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["pay", "capture", "cancel", "refund", "hold", "top_up", "release"]
OF_HOLDS: Final = ("hold", "top_up", "release")

# A payment or a hold only ever goes from a smaller to a larger number.
RANK: Final = {
    "pending": 0,
    "authorized": 1,
    "captured": 2,
    "failed": 2,
    "cancelled": 2,
    "refunded": 3,
    # Of holds.
    "active": 1,
    "used_up": 2,
    "released": 2,
    "expired": 2,
}
SUCCESSES: Final = (200, 201, 202)


@dataclass(frozen=True, slots=True)
class Told:
    """One answer as far as it is checked: the resource's id, state and amount, or the code."""

    status: int
    id: str = ""
    state: str = ""
    amount: int = 0
    captured: int = 0
    code: str = ""


@dataclass(slots=True)
class Intention:
    """Something that a merchant wants to be done once; the key and the body never change."""

    kind: Kind
    merchant: str
    secret_key: str
    key: str
    path: str
    body: dict[str, Any] | None
    # The payment or the hold that it is about; empty for what makes one.
    payment: str = ""
    told: list[Told] = field(default_factory=list)
    unanswered: int = 0

    @property
    def success(self) -> Told | None:
        """The last answer that said it is done, or will be."""
        return next((each for each in reversed(self.told) if each.status in SUCCESSES), None)

    @property
    def certain(self) -> bool:
        """Whether any answer was final: done, or refused for good."""
        return bool(self.told)

    def __str__(self) -> str:
        answers = ", ".join(f"{each.status} {each.code or each.state}" for each in self.told)
        target = f" of {self.payment}" if self.payment else ""
        return f"{self.kind}{target} under {self.key}: [{answers}], {self.unanswered} unanswered"


@dataclass(slots=True)
class Diary:
    """All intentions, all events that were delivered, and what should never be answered."""

    intentions: list[Intention] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    operations: int = 0
    requests: int = 0

    def begin(self, intention: Intention) -> Intention:
        """Write an intention down before anybody is asked."""
        self.intentions.append(intention)
        return intention


def told_of(status: int, body: dict[str, Any]) -> Told:
    """An answer about a payment, a refund or a hold, or an error."""
    error = body.get("error")
    if error is not None:
        return Told(status, id=error.get("payment_id") or "", code=str(error.get("code")))
    return Told(
        status,
        id=str(body["id"]),
        state=str(body["status"]),
        amount=int(body["amount"]),
        captured=int(body.get("amount_captured", 0)),
    )
