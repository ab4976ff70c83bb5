"""The loop that settles refunds."""

from functools import partial

from flows.house import House
from flows.refund_settlement import lease_due_refunds, settle
from workers.leasing import Leasing, Pace

# A call to the vault and the inquiry after it last 3 s each.
PACE = Pace(at_once=32, look_again_seconds=0.2, finish_seconds=10.0)


class Refunds(Leasing):
    """Leases refunds as room comes free and settles them."""

    def __init__(self, house: House) -> None:
        lease, work = partial(lease_due_refunds, house), partial(settle, house)
        super().__init__("refunds", lease, work, PACE)
