"""What the simulated networks do, by number: the rows of the sandbox's published cards.

Every number that is not listed succeeds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from contract import relay
from vault.instruments import BankAccount, Card, Secret, Wallet

REFUND_SETTLES_AFTER_MS = 3000
ALMOST_TOO_LATE_SECONDS = 2.9
TOO_LATE_SECONDS = 3.1

FAULT_NETWORK = "faultnet"
CARD_NETWORKS = ("visa", "mastercard", "amex", FAULT_NETWORK)
# Reached in other ways than card networks are; nobody but the simulator speaks for them.
OTHER_NETWORKS = ("bank", "wallet")
ALL_NETWORKS = frozenset({*CARD_NETWORKS, *OTHER_NETWORKS})
FAULT_RANGE = "4000009900000"


class Fault(StrEnum):
    """How a network misbehaves."""

    # It goes silent, before or after it has decided.
    SILENT_BEFORE = "silent_before"
    SILENT_AFTER = "silent_after"
    # It decides, and then the connection breaks.
    RESET = "reset"
    # It decides, and then sends two answers, one about another amount, or one that cannot be read.
    TWICE = "twice"
    OTHER_AMOUNT = "other_amount"
    MALFORMED = "malformed"
    # It answers that it could not decide: always, or at every other call.
    SYSTEM_ERROR = "system_error"
    FLAPS = "flaps"


# The network takes no decision.
UNDECIDED_FAULTS = frozenset({Fault.SILENT_BEFORE, Fault.SYSTEM_ERROR})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a network treats one number.  `name` is what the journal keeps of it."""

    name: str
    code: str | None = None
    decline_code: str | None = None
    refund_settles_as: Literal["approved", "declined"] | None = None
    # Once captured, the payer's bank charges it back for this reason.
    charged_back_as: relay.ChargebackReason | None = None
    # What goes wrong with an authorisation.
    fault: Fault | None = None
    answers_after_seconds: float = 0.0


def _declined(code: str, decline_code: str) -> Behaviour:
    return Behaviour(decline_code, code, decline_code)


def _faulty(fault: Fault) -> Behaviour:
    return Behaviour(fault.value, fault=fault)


SUCCEEDS = Behaviour("succeeds")
FAILS = _faulty(Fault.SYSTEM_ERROR)
_PROCESSING_ERROR = _declined("processing_error", "processing_error")

_CARDS = {
    "4000000000000002": _declined("card_declined", "generic_decline"),
    "4000000000009995": _declined("card_declined", "insufficient_funds"),
    "4000000000009987": _declined("card_declined", "lost_card"),
    "4000000000009979": _declined("card_declined", "stolen_card"),
    "4000000000006975": _declined("card_declined", "card_velocity_exceeded"),
    "4000000000000069": _declined("expired_card", "expired_card"),
    "4000000000000127": _declined("incorrect_cvc", "incorrect_cvc"),
    "4000000000000119": _PROCESSING_ERROR,
    # It can be saved, because saving asks no network.
    "4000000000000341": _declined("card_declined", "generic_decline"),
    "4000000000007726": Behaviour("refund_slow", refund_settles_as="approved"),
    "4000000000005126": Behaviour("refund_fails", refund_settles_as="declined"),
    "4000000000000259": Behaviour("charged_back_fraudulent", charged_back_as="fraudulent"),
    "4000000000002685": Behaviour("charged_back_missing", charged_back_as="product_not_received"),
    "4000009900000012": _faulty(Fault.SILENT_BEFORE),
    "4000009900000020": _faulty(Fault.SILENT_AFTER),
    "4000009900000038": _faulty(Fault.RESET),
    "4000009900000046": Behaviour("slow", answers_after_seconds=ALMOST_TOO_LATE_SECONDS),
    "4000009900000053": Behaviour("too_slow", answers_after_seconds=TOO_LATE_SECONDS),
    "4000009900000061": _faulty(Fault.TWICE),
    "4000009900000079": _faulty(Fault.OTHER_AMOUNT),
    "4000009900000087": _faulty(Fault.MALFORMED),
    "4000009900000095": FAILS,
    "4000009900000103": _faulty(Fault.FLAPS),
}
_SUCCEEDING_CARDS = (
    "4242424242424242",
    "4000056655665556",
    "5555555555554444",
    "2223003122003222",
    "5200828282828210",
    "5105105105105100",
    "378282246310005",
    "371449635398431",
)
# What the sandbox publishes, so that anybody may try it at any time.
PUBLISHED_CARDS = frozenset({*_SUCCEEDING_CARDS, *_CARDS})
_BANK_ACCOUNTS = {
    ("110000000", "000111111116"): _declined("bank_account_declined", "invalid_account"),
}
_WALLETS = {
    "wallet_ok": SUCCEEDS,
    "wallet_expired": _declined("wallet_expired", "wallet_expired"),
}
_BY_NAME = {
    behaviour.name: behaviour
    for behaviour in [SUCCEEDS, *_CARDS.values(), *_BANK_ACCOUNTS.values(), *_WALLETS.values()]
}


def behaviour_of(secret: Secret) -> Behaviour:
    """What a network does with this instrument."""
    if isinstance(secret, Card):
        number = secret.number.reveal()
        # Our own range is for faults: a number of it that does nothing is a slip of the pen.
        unlisted = _PROCESSING_ERROR if number.startswith(FAULT_RANGE) else SUCCEEDS
        return _CARDS.get(number, unlisted)
    if isinstance(secret, BankAccount):
        account = (secret.routing_number, secret.account_number.reveal())
        return _BANK_ACCOUNTS.get(account, SUCCEEDS)
    # A payload that no phone made cannot be read.
    return _WALLETS.get(secret.payload.reveal(), _PROCESSING_ERROR)


def behaviour_named(name: str) -> Behaviour:
    """The behaviour that the journal kept by name."""
    return _BY_NAME.get(name, SUCCEEDS)


def network_of(secret: Secret) -> str:
    """Which network an instrument rides on.

    The fault cards have one of their own, so that one merchant's tests disturb nobody.
    """
    if isinstance(secret, Card):
        if secret.number.reveal().startswith(FAULT_RANGE):
            return FAULT_NETWORK
        return secret.brand
    return "wallet" if isinstance(secret, Wallet) else "bank"
