"""The rules of the limiter, the same for the memory of a process and for Valkey's script."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.limiter.limiter import ask
from adapters.valkey_link import ValkeyLink, connect
from domain.allowances import Allowance
from domain.limit_memory import LimitMemory
from domain.rate_limits import (
    BLOCK_MS,
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    STRETCH_MS,
    Decision,
    Rules,
    rules_of,
    shared,
    waiting_for_one_more,
    window_only,
)
from tests.scripts.conftest import prepared_servers

# A day that begins with a minute and a stretch, as every day does.
MIDNIGHT = 20_500 * DAY_MS
NOON = MIDNIGHT + DAY_MS // 2
TEST = rules_of("test")
ROOMY = 10**9

Decide = Callable[[Rules, int, int], Decision]


@dataclass
class Caller:
    """Somebody whom nobody counted before, at one of the two limiters."""

    limiter: Callable[[Allowance, int, int], Decision]
    name: str = field(default_factory=lambda: f"{{{uuid4().hex}}}")

    def ask(self, rules: Rules, now_ms: int, cost: int = 1) -> Decision:
        return self.limiter(Allowance(f"b:{self.name}", f"c:{self.name}", rules), cost, now_ms)

    def served(self, rules: Rules, now_ms: int, tries: int) -> int:
        """How many of so many requests at one moment are served."""
        return sum(self.ask(rules, now_ms).allowed for _ in range(tries))


@pytest.fixture(scope="module")
def in_valkey() -> Iterator[Callable[[Allowance, int, int], Decision]]:
    directory = Path(tempfile.mkdtemp(prefix="paymint-test-"))
    loop = asyncio.new_event_loop()
    try:
        with prepared_servers(directory) as servers:
            servers.start_valkey()
            link: ValkeyLink = loop.run_until_complete(connect(servers.valkey.url()))

            def decide(allowance: Allowance, cost: int, now_ms: int) -> Decision:
                words = tuple(b"%d" % number for number in allowance.rules)
                moment = b"%d" % now_ms
                made = loop.run_until_complete(ask(link, allowance, words, cost, moment))
                assert made is not None and not made.seen_before
                return made.decision

            yield decide
            link.drop()
    finally:
        loop.close()
        shutil.rmtree(directory)


@pytest.fixture(params=["memory", "valkey"])
def caller(request: pytest.FixtureRequest) -> Caller:
    if request.param == "memory":
        return Caller(LimitMemory().decide)
    return Caller(request.getfixturevalue("in_valkey"))


def test_a_burst_is_served_and_then_the_rate(caller: Caller) -> None:
    assert caller.served(TEST, NOON, 110) == 100
    assert caller.served(TEST, NOON + SECOND_MS, 40) == 25
    assert caller.served(TEST, NOON + SECOND_MS + 39, 5) == 0
    assert caller.served(TEST, NOON + SECOND_MS + 40, 5) == 1


def test_waiting_as_long_as_was_said_is_enough_and_no_less_is(caller: Caller) -> None:
    caller.served(TEST, NOON, 100)
    refused = caller.ask(TEST, NOON + 7)
    assert (refused.allowed, refused.remaining, refused.wait_ms) == (False, 0, 33)
    assert not caller.ask(TEST, NOON + 7 + refused.wait_ms - 1).allowed
    assert caller.ask(TEST, NOON + 7 + refused.wait_ms).allowed


def test_refusals_take_nothing(caller: Caller) -> None:
    """Blueprint section 7: no penalty accumulation."""
    caller.served(TEST, NOON, 100)
    assert caller.served(TEST, NOON, 500) == 0
    assert caller.served(TEST, NOON + 4 * SECOND_MS, 200) == 100


@pytest.mark.parametrize("offset", [0, 1, 30_000, 59_999])
def test_a_minute_holds_no_more_than_its_quota_at_any_boundary(caller: Caller, offset: int) -> None:
    rules, start = Rules(1000, 1000, 100, 0), NOON + offset
    assert caller.served(rules, start, 150) == 100
    refused = caller.ask(rules, start)
    assert (refused.allowed, refused.policy) == (False, 1)
    # The next minute begins with nearly all of the last one still in sight.
    boundary = NOON + MINUTE_MS
    assert caller.served(rules, boundary, 150) == 0
    assert caller.served(rules, boundary + 30_000, 150) == 50
    assert caller.served(rules, boundary + MINUTE_MS + 30_000, 150) == 75


def test_the_window_says_truly_how_long_to_wait(caller: Caller) -> None:
    rules, now = Rules(1000, 1000, 100, 0), NOON + 10_000
    caller.served(rules, now, 100)
    for cost in (1, 7):
        refused = caller.ask(rules, now, cost)
        assert not caller.ask(rules, now + refused.wait_ms - 1, cost).allowed
        now += refused.wait_ms
        assert caller.ask(rules, now, cost).allowed


def test_a_day_holds_its_quota_and_ends_at_midnight_utc(caller: Caller) -> None:
    rules = Rules(1000, 1000, ROOMY, 30)
    evening = MIDNIGHT + DAY_MS - 5
    assert caller.served(rules, evening, 40) == 30
    refused = caller.ask(rules, evening)
    assert (refused.policy, refused.wait_ms) == (2, 5)
    assert caller.served(rules, evening + 5, 40) == 30


def test_no_quota_means_unlimited(caller: Caller) -> None:
    assert rules_of("platform").per_day == 0
    assert caller.ask(Rules(1000, 1000, ROOMY, 0), NOON, 1000).allowed


def test_a_batch_is_served_whole_or_not_at_all(caller: Caller) -> None:
    assert caller.ask(TEST, NOON, 60).allowed
    refused = caller.ask(TEST, NOON, 60)
    assert (refused.allowed, refused.remaining) == (False, 25)
    assert caller.ask(TEST, NOON, 40).allowed


def test_more_than_a_bucket_holds_is_not_refused_for_ever(caller: Caller) -> None:
    assert caller.ask(Rules(5, 10, 100, 0), NOON, 100).allowed


def test_what_remains_is_never_more_than_the_limit(caller: Caller) -> None:
    assert caller.ask(TEST, NOON).remaining == 25
    assert caller.ask(TEST, NOON, 89).remaining == 10


def test_the_next_token_is_told(caller: Caller) -> None:
    assert caller.ask(TEST, NOON).wait_ms == 40
    assert caller.ask(TEST, NOON + 30).wait_ms == 10
    assert caller.ask(TEST, NOON + HOUR_MS, 100).wait_ms == 40


def test_a_clock_that_is_set_back_stops_nobody(caller: Caller) -> None:
    caller.served(TEST, NOON, 100)
    assert caller.served(TEST, NOON - HOUR_MS, 100) == 0
    assert caller.served(TEST, NOON - HOUR_MS + SECOND_MS, 100) == 25
    assert caller.served(TEST, NOON, 200) == 100


def heavy(caller: Caller, rules: Rules, start: int, stretches: int) -> list[Decision]:
    """Ten times the limit for so many stretches of ten seconds."""
    step = STRETCH_MS // rules.overuse
    return [
        caller.ask(rules, start + stretch * STRETCH_MS + n * step)
        for stretch in range(stretches)
        for n in range(rules.overuse)
    ]


SMALL = Rules(1, 4, 40, 0, MINUTE_MS, 100)


def test_ten_times_the_limit_for_over_a_minute_blocks_for_five(caller: Caller) -> None:
    assert not any(each.blocked for each in heavy(caller, SMALL, NOON, 6))
    struck = caller.ask(SMALL, NOON + MINUTE_MS)
    assert (struck.blocked, struck.struck, struck.allowed) == (True, True, False)
    assert (struck.wait_ms, struck.remaining) == (BLOCK_MS, 0)
    again = caller.ask(SMALL, NOON + MINUTE_MS + BLOCK_MS - 1)
    assert (again.blocked, again.struck, again.wait_ms) == (True, False, 1)
    assert caller.ask(SMALL, NOON + MINUTE_MS + BLOCK_MS).allowed


def test_one_calmer_stretch_starts_the_minute_anew(caller: Caller) -> None:
    heavy(caller, SMALL, NOON, 5)
    for n in range(SMALL.overuse - 1):
        caller.ask(SMALL, NOON + 5 * STRETCH_MS + n)
    later = heavy(caller, SMALL, NOON + 6 * STRETCH_MS, 6)
    assert not any(each.blocked for each in later)


def test_a_minutes_worth_in_one_second_is_no_sustained_overuse(caller: Caller) -> None:
    for _ in range(SMALL.overuse * 7):
        assert not caller.ask(SMALL, NOON).blocked
    assert not caller.ask(SMALL, NOON + MINUTE_MS).blocked


def test_who_goes_on_while_blocked_is_blocked_again_at_the_end(caller: Caller) -> None:
    heavy(caller, SMALL, NOON, 6)
    during = heavy(caller, SMALL, NOON + MINUTE_MS, BLOCK_MS // STRETCH_MS)
    assert [each.struck for each in during].count(True) == 1
    assert caller.ask(SMALL, NOON + MINUTE_MS + BLOCK_MS).struck


def test_a_clock_that_is_set_back_prolongs_no_block(caller: Caller) -> None:
    heavy(caller, SMALL, NOON, 6)
    assert caller.ask(SMALL, NOON + MINUTE_MS).struck
    assert not caller.ask(SMALL, NOON - HOUR_MS).blocked


def test_the_operator_is_never_shut_out(caller: Caller) -> None:
    assert rules_of("platform").overuse == 0
    assert not any(each.blocked for each in heavy_of(caller))


def heavy_of(caller: Caller) -> list[Decision]:
    rules = rules_of("platform")
    return [caller.ask(rules, NOON + n * STRETCH_MS, 1000) for n in range(20)]


def test_a_plain_window_has_no_pace(caller: Caller) -> None:
    rules = window_only(20, HOUR_MS)
    assert caller.served(rules, NOON, 30) == 20
    assert not caller.ask(rules, NOON + HOUR_MS - 1).allowed
    assert caller.ask(rules, NOON + 2 * HOUR_MS).allowed


def test_the_tiers_are_those_of_the_blueprint() -> None:
    assert rules_of("live") == Rules(100, 500, 4_000, 1_000_000, MINUTE_MS, 10_000)
    assert rules_of("test") == Rules(25, 100, 1_000, 100_000, MINUTE_MS, 2_500)
    assert rules_of("oauth") == Rules(50, 250, 2_000, 500_000, MINUTE_MS, 5_000)
    assert rules_of("publishable") == Rules(10, 30, 200, 50_000, MINUTE_MS, 1_000)
    assert rules_of("platform") == Rules(200, 1_000, 8_000, 0, MINUTE_MS, 0)
    assert rules_of("test", 4) == Rules(100, 400, 4_000, 400_000, MINUTE_MS, 10_000)


def test_processes_share_the_budget_and_each_has_something() -> None:
    assert shared(TEST, 4) == Rules(6, 25, 250, 25_000, MINUTE_MS, 625)
    assert min(shared(Rules(1, 1, 1, 1, MINUTE_MS, 1), 64)[:4]) == 1
    assert shared(rules_of("platform"), 3).per_day == 0


def test_both_limiters_decide_alike(in_valkey: Callable[[Allowance, int, int], Decision]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(12):
        rules = Rules(
            dice.randint(1, 30),
            dice.randint(1, 60),
            dice.randint(1, 200),
            dice.choice([0, 50, 500]),
            dice.choice([MINUTE_MS, HOUR_MS]),
            dice.choice([0, 2]),
        )
        memory = Caller(LimitMemory().decide)
        valkey = Caller(in_valkey)
        now = MIDNIGHT + DAY_MS - dice.randint(0, 200_000)
        for _ in range(150):
            now += dice.choice([0, 1, 17, 333, 4_000, 9_999, 10_000, 61_000, -2_000])
            cost = dice.choice([1, 1, 1, 5, 100])
            assert memory.ask(rules, now, cost) == valkey.ask(rules, now, cost), (seed, rules)


@pytest.mark.parametrize("left", range(1, 51))
def test_who_waits_as_long_as_a_refused_batch_was_told_is_served(left: int) -> None:
    """The first item is charged before the others are counted: by the batch sent again, too."""
    for items in range(left + 1, TEST.burst + 1):
        memory, bucket = LimitMemory(), Allowance("b", "c", TEST)
        assert memory.decide(bucket, TEST.burst - left, NOON).allowed
        assert memory.decide(bucket, 1, NOON).allowed
        refused = memory.decide(bucket, items - 1, NOON)
        assert not refused.allowed
        seconds = -(-waiting_for_one_more(refused, TEST).wait_ms // SECOND_MS)
        then = NOON + seconds * SECOND_MS
        assert memory.decide(bucket, 1, then).allowed
        assert memory.decide(bucket, items - 1, then).allowed, items
