"""The kinds of work that wait in rows of their own, each with its pace."""

from flows.card_erasure import erase_detached_card, give_back_erasures, lease_due_erasures
from flows.dispute_progress import give_back_disputes, lease_due_disputes, move_on
from flows.hold_presentations import give_back_draws, lease_due_draws, present
from flows.hold_recovery import (
    give_back_holds,
    give_back_top_ups,
    lease_due_holds,
    lease_due_top_ups,
    resume_hold,
    resume_top_up,
)
from flows.house import House
from flows.payment_recovery import give_back_payments, lease_due_payments, resume
from flows.refund_settlement import give_back_refunds, lease_due_refunds, settle
from workers.leasing import Duty, Leasing, Pace

# Some calls to the vault, of 3 s each at most, are what a piece of any of them takes.
PAYMENTS = (
    Duty("payments", lease_due_payments, resume, give_back_payments),
    Pace(at_once=64, look_again_seconds=0.5, finish_seconds=5.0),
)
REFUNDS = (
    Duty("refunds", lease_due_refunds, settle, give_back_refunds),
    Pace(at_once=32, look_again_seconds=0.2, finish_seconds=5.0),
)
DISPUTES = (
    Duty("disputes", lease_due_disputes, move_on, give_back_disputes),
    Pace(at_once=8, look_again_seconds=0.5, finish_seconds=5.0),
)
ERASURES = (
    Duty("erasures", lease_due_erasures, erase_detached_card, give_back_erasures),
    Pace(at_once=8, look_again_seconds=1.0, finish_seconds=3.0),
)
HOLDS = (
    Duty("holds", lease_due_holds, resume_hold, give_back_holds),
    Pace(at_once=16, look_again_seconds=0.5, finish_seconds=5.0),
)
TOP_UPS = (
    Duty("top_ups", lease_due_top_ups, resume_top_up, give_back_top_ups),
    Pace(at_once=16, look_again_seconds=0.5, finish_seconds=5.0),
)
DRAWS = (
    Duty("draws", lease_due_draws, present, give_back_draws),
    Pace(at_once=64, look_again_seconds=0.2, finish_seconds=5.0),
)
_ALL = (PAYMENTS, REFUNDS, DISPUTES, ERASURES, HOLDS, TOP_UPS, DRAWS)


def duties(house: House) -> list[Leasing]:
    """A loop for each kind."""
    return [Leasing(house, *each) for each in _ALL]
