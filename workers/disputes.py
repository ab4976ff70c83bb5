"""The loop that moves disputes on: evidence to the network, deadlines that have passed."""

from functools import partial

from flows.dispute_progress import lease_due_disputes, move_on
from flows.house import House
from workers.leasing import Leasing, Pace

# A call to the vault lasts 3 s.
PACE = Pace(at_once=8, look_again_seconds=0.5, finish_seconds=5.0)


class Disputes(Leasing):
    """Leases disputes as room comes free and moves them on."""

    def __init__(self, house: House) -> None:
        lease, work = partial(lease_due_disputes, house), partial(move_on, house)
        super().__init__("disputes", lease, work, PACE)
