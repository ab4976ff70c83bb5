"""When to stop asking a card network that does not answer, and when to try again.

A circuit opens when half of the calls of the last ten seconds, and of at least twenty,
ended without a certain answer.  It rests for five seconds; then one call, and only one,
is let through as a probe, however many wait: its answer closes the circuit, its failure
lets it rest again (contract-decisions, "Money", row "breaker").

What a call says of the network counts only in the epoch in which it entered: what was
asked before the circuit opened neither closes it nor opens it once more.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from runtime.clock import Clock

WINDOW_SECONDS: Final = 10.0
OPENS_FROM_CALLS: Final = 20
OPENS_FROM_PERCENT: Final = 50
REST_SECONDS: Final = 5.0
# The window rolls on by this step: a figure for each call would cost memory by the call.
STEP_SECONDS: Final = 0.5
_STEPS: Final = int(WINDOW_SECONDS / STEP_SECONDS)

State = Literal["closed", "half_open", "open"]


class Permit:
    """Leave to ask the network once; it says one thing about the network, or nothing."""

    __slots__ = ("epoch", "probe", "spent")

    def __init__(self, epoch: int, probe: bool) -> None:
        self.epoch = epoch
        self.probe = probe
        self.spent = False


class _Step:
    """The calls that ended within one step of the window."""

    __slots__ = ("at", "calls", "failures")

    def __init__(self, at: int) -> None:
        self.at = at
        self.calls = 0
        self.failures = 0


class Breaker:
    """The circuit to one network; `tell` hears whether it has closed or opened."""

    def __init__(self, clock: Clock, tell: Callable[[bool], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._epoch = 0
        self._rests_until: float | None = None
        self._probing = False
        self._steps: deque[_Step] = deque()
        self._calls = 0
        self._failures = 0

    @property
    def state(self) -> State:
        """`half_open`: it has rested, and no probe has been answered yet."""
        if self._rests_until is None:
            return "closed"
        return "open" if self._clock.monotonic() < self._rests_until else "half_open"

    @property
    def unproven_seconds(self) -> float:
        """How long nobody has put a rested circuit to the proof; 0 unless it is half open."""
        if self._rests_until is None or self._probing:
            return 0.0
        return max(0.0, self._clock.monotonic() - self._rests_until)

    def enter(self) -> Permit | None:
        """Leave to ask, to be given back by one of the three below; None: do not ask."""
        if self._rests_until is None:
            return Permit(self._epoch, False)
        if self._probing or self._clock.monotonic() < self._rests_until:
            return None
        self._probing = True
        return Permit(self._epoch, True)

    def succeeded(self, permit: Permit) -> None:
        """The network has answered in time, whatever it said."""
        if not self._spend(permit):
            return
        if permit.probe:
            self._rests_until = None
            self._begin_epoch()
            self._tell(True)
        else:
            self._count(failed=False)

    def failed(self, permit: Permit) -> None:
        """No certain answer came, or none in time."""
        if not self._spend(permit):
            return
        if permit.probe:
            self._open()
        else:
            self._count(failed=True)

    def given_back(self, permit: Permit) -> None:
        """The caller went away, which says nothing of the network: the next may probe."""
        if self._spend(permit) and permit.probe:
            self._probing = False

    def _spend(self, permit: Permit) -> bool:
        counts = not permit.spent and permit.epoch == self._epoch
        permit.spent = True
        return counts

    def _count(self, *, failed: bool) -> None:
        now = int(self._clock.monotonic() / STEP_SECONDS)
        steps = self._steps
        if not steps or steps[-1].at != now:
            steps.append(_Step(now))
            while steps[0].at <= now - _STEPS:
                past = steps.popleft()
                self._calls -= past.calls
                self._failures -= past.failures
        step = steps[-1]
        step.calls += 1
        step.failures += failed
        self._calls += 1
        self._failures += failed
        if (
            self._calls >= OPENS_FROM_CALLS
            and self._failures * 100 >= self._calls * OPENS_FROM_PERCENT
        ):
            self._open()

    def _open(self) -> None:
        self._rests_until = self._clock.monotonic() + REST_SECONDS
        self._begin_epoch()
        self._tell(False)

    def _begin_epoch(self) -> None:
        self._epoch += 1
        self._probing = False
        self._steps.clear()
        self._calls = self._failures = 0
