"""What the network's answer makes of a pending payment.  Pure: rows in, rows out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from domain.payments import NETWORK_UNAVAILABLE, transition
from domain.risk_signals import RiskSignals, nothing

# Uncaptured after this, in business time, an authorisation is given back
# (contract-decisions, "Money").
AUTHORISATION_LASTS: Final = timedelta(days=7)

_CARD_DECLINED: Final = "card_declined"
# The sandbox's fault cards run on a network of their own, so that one merchant's tests
# disturb nobody; a merchant is shown the network that their numbers belong to.
_SHOWN_AS: Final = {"faultnet": "visa"}


class Outcome(NamedTuple):
    """The payment's columns after the answer, and the event that tells of it."""

    payment: dict[str, Any]
    event: str


def shown_network(network: str) -> str:
    """The network as a merchant is shown it."""
    return _SHOWN_AS.get(network, network)


def approved(payment: Mapping[str, Any], network: str, at: datetime) -> Outcome:
    """Held, or sold where the payment captures at once."""
    step = transition(payment["status"], "sell" if payment["capture"] else "authorize")
    sold = payment["capture"]
    changed = {
        "status": step.becomes,
        "network": shown_network(network),
        "amount_authorized": payment["amount"],
        "amount_captured": payment["amount"] if sold else 0,
        "captured_at": at if sold else None,
    }
    return _finished(payment, changed, step.event)


def declined(
    payment: Mapping[str, Any], network: str | None, code: str | None, decline_code: str | None
) -> Outcome:
    """Failed, with the network's reason."""
    step = transition(payment["status"], "fail")
    changed = {
        "status": step.becomes,
        "network": None if network is None else shown_network(network),
        "failure_code": code or _CARD_DECLINED,
        "decline_code": decline_code,
    }
    return _finished(payment, changed, step.event)


def given_up(payment: Mapping[str, Any]) -> Outcome:
    """Failed, because no answer came within the authorisation deadline."""
    step = transition(payment["status"], "fail")
    changed = {"status": step.becomes, "failure_code": NETWORK_UNAVAILABLE}
    return _finished(payment, changed, step.event)


def flagged(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The payment after the vault found that its card, or its merchant's, came too often."""
    signals: RiskSignals = payment["risk_signals"] or nothing()
    return {**payment, "risk_signals": {**signals, "velocity_flag": True}}


def queued(payment: Mapping[str, Any], resume_at: datetime) -> Outcome:
    """Still pending: the network's answer is unknown and a worker will ask for it."""
    step = transition(payment["status"], "queue")
    changed = {"pending_reason": NETWORK_UNAVAILABLE, "resume_at": resume_at}
    return Outcome({**payment, **changed}, step.event or "")


def _finished(payment: Mapping[str, Any], changed: dict[str, Any], event: str | None) -> Outcome:
    done = {"pending_reason": None, "resume_at": None}
    return Outcome({**payment, **done, **changed}, event or "")
