"""The loops that pay merchants out."""

from functools import partial

from flows.house import House
from flows.payout_runs import note_arrivals, run_due_payouts
from workers.turning import Turning

RUNS_LOOK_AGAIN_SECONDS = 1.0
ARRIVALS_LOOK_AGAIN_SECONDS = 1.0


def payout_loops(house: House) -> list[Turning]:
    """Turns that every worker makes: rows decide who pays out."""
    return [
        Turning("payout runs", partial(run_due_payouts, house), RUNS_LOOK_AGAIN_SECONDS),
        Turning("payout arrivals", partial(note_arrivals, house), ARRIVALS_LOOK_AGAIN_SECONDS),
    ]
