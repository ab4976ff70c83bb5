"""A circuit opens on the share of failures, rests, and lets one caller try."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import SystemClock
from tests.properties import SAME_EVERYWHERE
from vault.networks.breaker import (
    OPENS_FROM_CALLS,
    REST_SECONDS,
    STEP_SECONDS,
    WINDOW_SECONDS,
    Breaker,
    Permit,
)

CALLERS = 50


class HandClock(SystemClock):
    """Time goes on when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class Circuit:
    """A breaker with a clock of its own."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.told: list[bool] = []
        self.breaker = Breaker(self.clock, self.told.append)

    def state(self) -> str:
        return self.breaker.state

    def enter(self) -> Permit:
        permit = self.breaker.enter()
        assert permit is not None
        return permit

    def call(self, *, failed: bool) -> None:
        permit = self.enter()
        (self.breaker.failed if failed else self.breaker.succeeded)(permit)

    def open(self) -> None:
        for _ in range(OPENS_FROM_CALLS):
            self.call(failed=True)
        assert self.state() == "open"

    def rest(self) -> None:
        self.clock.seconds += REST_SECONDS
        assert self.state() == "half_open"


def test_it_opens_at_half_of_twenty_calls_and_not_before() -> None:
    circuit = Circuit()
    for number in range(OPENS_FROM_CALLS - 1):
        circuit.call(failed=number % 2 == 1)
    assert circuit.state() == "closed"
    circuit.call(failed=True)
    assert circuit.state() == "open"
    assert circuit.told == [False]


def test_less_than_half_never_opens_it() -> None:
    circuit = Circuit()
    for number in range(50 * OPENS_FROM_CALLS):
        circuit.call(failed=number % 100 >= 51)
        circuit.clock.seconds += 0.003
    assert circuit.state() == "closed"


def test_failures_among_successes_open_it() -> None:
    """Libraries that count failures in a row never see them (notes, section 5)."""
    circuit = Circuit()
    for number in range(OPENS_FROM_CALLS):
        circuit.call(failed=number % 5 > 0)
    assert circuit.state() == "open"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    circuit = Circuit()
    for _ in range(OPENS_FROM_CALLS - 1):
        circuit.call(failed=True)
    circuit.clock.seconds += WINDOW_SECONDS
    circuit.call(failed=True)
    assert circuit.state() == "closed"


def test_of_fifty_who_wait_one_probes() -> None:
    circuit = Circuit()
    circuit.open()
    assert circuit.breaker.enter() is None
    circuit.rest()
    permits = [circuit.breaker.enter() for _ in range(CALLERS)]
    assert [permit for permit in permits if permit is not None] == [permits[0]]
    assert permits[0] is not None
    circuit.breaker.succeeded(permits[0])
    assert circuit.state() == "closed"
    assert circuit.told == [False, True]


def test_a_probe_that_fails_lets_it_rest_again() -> None:
    circuit = Circuit()
    circuit.open()
    circuit.rest()
    circuit.call(failed=True)
    assert circuit.state() == "open"
    circuit.clock.seconds += REST_SECONDS - 0.1
    assert circuit.breaker.enter() is None
    circuit.clock.seconds += 0.2
    circuit.call(failed=False)
    assert circuit.state() == "closed"


def test_a_probe_that_is_given_back_is_the_next_callers() -> None:
    circuit = Circuit()
    circuit.open()
    circuit.rest()
    for _ in range(3):
        circuit.breaker.given_back(circuit.enter())
    circuit.call(failed=False)
    assert circuit.state() == "closed"


def test_callers_who_went_away_do_not_open_it() -> None:
    circuit = Circuit()
    for _ in range(5 * OPENS_FROM_CALLS):
        circuit.breaker.given_back(circuit.enter())
    assert circuit.state() == "closed"


def test_what_was_asked_before_it_opened_says_nothing_after() -> None:
    circuit = Circuit()
    early = [circuit.enter() for _ in range(CALLERS)]
    circuit.open()
    for permit in early[: CALLERS // 2]:
        circuit.breaker.succeeded(permit)
    assert circuit.state() == "open"
    circuit.rest()
    probe = circuit.enter()
    for permit in early[CALLERS // 2 :]:
        circuit.breaker.failed(permit)
    assert circuit.breaker.enter() is None
    circuit.breaker.succeeded(probe)
    assert circuit.state() == "closed"


def test_a_permit_counts_once() -> None:
    circuit = Circuit()
    permit = circuit.enter()
    for _ in range(OPENS_FROM_CALLS):
        circuit.breaker.failed(permit)
    assert circuit.state() == "closed"


@SAME_EVERYWHERE
@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.booleans()),
        min_size=OPENS_FROM_CALLS,
        max_size=200,
    )
)
def test_it_opens_exactly_when_a_plain_count_says_so(calls: list[tuple[int, bool]]) -> None:
    """Milliseconds since the call before, and whether it failed; against a list of them all."""
    circuit, ended = Circuit(), list[tuple[int, bool]]()
    for pause_ms, failed in calls:
        circuit.clock.seconds += pause_ms / 1000
        circuit.call(failed=failed)
        step = int(circuit.clock.seconds / STEP_SECONDS)
        ended.append((step, failed))
        inside = [failed for at, failed in ended if at > step - WINDOW_SECONDS / STEP_SECONDS]
        opens = len(inside) >= OPENS_FROM_CALLS and 2 * sum(inside) >= len(inside)
        assert (circuit.state() == "open") == opens
        if opens:
            circuit, ended = Circuit(), []
