"""Buckets in the memory of one process: the limiter that needs nobody."""

from collections import OrderedDict
from typing import TypeVar

from domain.allowances import Allowance
from domain.rate_limits import Bucket, Conduct, Decision, decide, given_back

State = TypeVar("State")

# The least lately used are forgotten, and begin with a full bucket.
REMEMBERED = 20_000


class LimitMemory:
    """Remembers what was used up, and decides by `domain.rate_limits.decide`."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._conducts: OrderedDict[str, Conduct] = OrderedDict()

    def decide(self, allowance: Allowance, cost: int, now_ms: int) -> Decision:
        """Charge `cost` requests at `now_ms`, or refuse them."""
        bucket, conduct, rules = allowance
        decision, left, behaved = decide(
            rules, self._buckets.get(bucket), self._conducts.get(conduct), now_ms, cost
        )
        self._keep(self._buckets, bucket, left)
        if rules.overuse:
            self._keep(self._conducts, conduct, behaved)
        return decision

    def give_back(self, allowance: Allowance, cost: int) -> None:
        """Take a charge back that turned out not to be due."""
        bucket = self._buckets.get(allowance.bucket)
        if bucket is not None:
            self._buckets[allowance.bucket] = given_back(bucket, allowance.rules, cost)

    def _keep(self, kept: OrderedDict[str, State], name: str, state: State) -> None:
        kept[name] = state
        kept.move_to_end(name)
        if len(kept) > self._remembered:
            kept.popitem(last=False)
