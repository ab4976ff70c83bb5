"""How many attempts may be under way at an endpoint: what it has shown to bear, and no more.

One that answers quickly gets more at once, one that does not gets one at a time, and all
slow ones together have half of a worker: whoever hangs waits with others that hang.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

# Of one worker.
ATTEMPTS_AT_ONCE: Final = 256
SLOW_AT_ONCE: Final = ATTEMPTS_AT_ONCE // 2
# At an endpoint of which nothing is known, and at one that answers quickly.
ATTEMPTS_PER_ENDPOINT: Final = 4
MOST_PER_ENDPOINT: Final = 16
MOST_PER_MERCHANT: Final = 32
# An attempt that takes longer makes its endpoint a slow one, until one takes less.
SLOW_SECONDS: Final = 2.0
# Endpoints whose pace is remembered; the one that was longest unused is forgotten first.
REMEMBERED: Final = 4096


class Endpoint(NamedTuple):
    """Where deliveries go: an endpoint of a merchant."""

    id: UUID
    merchant_id: UUID


class Rooms:
    """Counts one worker's attempts; times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._begun: dict[Endpoint, list[float]] = {}
        self._of_merchant: Counter[UUID] = Counter()
        # Whether an endpoint is slow, the longest unused first.
        self._slow: OrderedDict[Endpoint, bool] = OrderedDict()

    def begin(self, endpoint: Endpoint, now: float) -> None:
        """An attempt begins."""
        self._begun.setdefault(endpoint, []).append(now)
        self._of_merchant[endpoint.merchant_id] += 1

    def end(self, endpoint: Endpoint, began: float, now: float) -> None:
        """An attempt that began at `began` is over."""
        begun = self._begun[endpoint]
        begun.remove(began)
        if not begun:
            del self._begun[endpoint]
        self._of_merchant[endpoint.merchant_id] -= 1
        if not self._of_merchant[endpoint.merchant_id]:
            del self._of_merchant[endpoint.merchant_id]
        self._remember(endpoint, slow=now - began > SLOW_SECONDS)

    def rooms(self, now: float) -> dict[Endpoint, int]:
        """How many more may begin where it is not ATTEMPTS_PER_ENDPOINT, busy ones first."""
        for endpoint, begun in self._begun.items():
            if now - begun[0] > SLOW_SECONDS:
                self._remember(endpoint, slow=True)
        rooms = {
            endpoint: max(self._most(endpoint) - len(begun), 0)
            for endpoint, begun in self._begun.items()
        }
        slow = [endpoint for endpoint, is_slow in self._slow.items() if is_slow]
        left = SLOW_AT_ONCE - sum(len(self._begun.get(endpoint, ())) for endpoint in slow)
        for endpoint in slow:
            if endpoint not in self._begun:
                rooms[endpoint] = int(left > 0)
                left -= 1
        return rooms

    def full(self) -> Sequence[UUID]:
        """Merchants who have enough under way."""
        return [one for one, count in self._of_merchant.items() if count >= MOST_PER_MERCHANT]

    def _most(self, endpoint: Endpoint) -> int:
        if endpoint not in self._slow:
            return ATTEMPTS_PER_ENDPOINT
        return 1 if self._slow[endpoint] else MOST_PER_ENDPOINT

    def _remember(self, endpoint: Endpoint, *, slow: bool) -> None:
        self._slow[endpoint] = slow
        self._slow.move_to_end(endpoint)
        if len(self._slow) > REMEMBERED:
            self._slow.popitem(last=False)
