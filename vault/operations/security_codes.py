"""Card security codes: in this process's memory, for 15 minutes at most, used once.

PCI DSS 4.0.1 req. 3.3.1: never stored.  They are kept from the moment a token is made
until its first authorisation or until it is saved, whichever comes first.
"""

from collections import OrderedDict
from typing import NamedTuple
from uuid import UUID

from runtime.clock import Clock
from runtime.masked import Masked

KEPT_SECONDS = 15 * 60
KEPT_AT_MOST = 100_000


class _Kept(NamedTuple):
    cvc: Masked
    until: float


class SecurityCodes:
    """Codes by token; the oldest goes first when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()

    def keep(self, token_id: UUID, cvc: Masked) -> None:
        """Hold the code of a new token."""
        self._kept[token_id] = _Kept(cvc, self._clock.monotonic() + KEPT_SECONDS)
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)

    def show(self, token_id: UUID) -> Masked | None:
        """Hand the code out; None when it is gone.  Whoever puts it to a network drops it."""
        kept = self._kept.get(token_id)
        if kept is None or kept.until <= self._clock.monotonic():
            return None
        return kept.cvc

    def drop(self, token_id: UUID) -> None:
        """Forget the code: it was put to a network, or its token was saved."""
        self._kept.pop(token_id, None)

    def forget_overdue(self) -> None:
        """Drop what is older than 15 minutes."""
        now = self._clock.monotonic()
        while self._kept:
            token_id, kept = next(iter(self._kept.items()))
            if kept.until > now:
                return
            del self._kept[token_id]
