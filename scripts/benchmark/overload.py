"""`scripts/bench --overload`: three times what the stack can do, and nothing may break.

Every answer is a success, 429 or 503 with `Retry-After`; afterwards all work ends, the books
agree, and what was answered is in the database and in the networks' journal exactly once.
"""

import time
from collections import Counter
from typing import Final

from scripts.benchmark.figures import (
    loaded,
    rate_of,
    show_cpu,
    show_generator,
    spread,
    statuses,
    succeeded,
)
from scripts.benchmark.generator import Load, Run, Told
from scripts.benchmark.mix import SHARES
from scripts.benchmark.reckoning import reckon
from scripts.benchmark.saturation import Traffic, saturation
from scripts.benchmark.shop import Shop
from scripts.bookkeeping.checking import check
from scripts.launcher.stack import Stack

TIMES: Final = 3.0
SECONDS: Final = 30
# Fewer than a process keeps (contract/patience.py): beyond, it must turn clients away.
CONNECTIONS: Final = 3500
SETTLED_WITHIN_SECONDS: Final = 90.0
LOOK_AGAIN_SECONDS: Final = 1.0
TOO_MANY, UNAVAILABLE = 429, 503


def show_overload(stack: Stack, seconds: int) -> bool:
    """Overload the stack and print what became of everything; whether all of it held."""
    traffic = Traffic(stack, Shop(stack.keys))
    rate = saturation(traffic) * TIMES
    load = Load(seconds, CONNECTIONS, rate)
    run, cpu = loaded(stack, traffic.next_series(), load)
    print(
        f"open loop, {rate:,.0f} arrivals/s meant ({TIMES:g} x) for {seconds} s: accepted"
        f" {rate_of(run, load):,.0f}/s ({rate_of(run, load) * TIMES / rate:.2f} of saturation),"
        f" {dict(statuses(run))}"
    )
    _show_accepted(run)
    show_cpu(run, cpu)
    show_generator(run)
    wrong = disallowed(run.told)
    print(f"answers that are not allowed: {dict(wrong) or 0}")
    return _settled(stack, run) and not wrong


def disallowed(told: list[Told]) -> Counter[str]:
    """What was answered otherwise than an overloaded stack may, and how often."""
    return Counter(
        each.failure or f"{each.status}{'' if each.retry_after else ' without Retry-After'}"
        for each in told
        if not (succeeded(each) or (each.status in (TOO_MANY, UNAVAILABLE) and each.retry_after))
    )


def _show_accepted(run: Run) -> None:
    print(f"{'accepted':14}{'count':>8}{'     p50     p95     p99'} ms")
    for kind in SHARES:
        some = [each.milliseconds for each in run.told if each.kind == kind and succeeded(each)]
        if some:
            print(f"{kind:14}{len(some):>8}{spread(some)}")
    refused = [each.milliseconds for each in run.told if each.status == UNAVAILABLE]
    if refused:
        print(f"{'503':14}{len(refused):>8}{spread(refused)}")


def _settled(stack: Stack, run: Run) -> bool:
    """Wait for all work to end, then compare; prints what was found."""
    journal = stack.state.path / "simulator" / "journal.jsonl"
    began = time.monotonic()
    report = check(stack.databases.main, journal, settled=True)
    while report.differences and time.monotonic() - began < SETTLED_WITHIN_SECONDS:
        time.sleep(LOOK_AGAIN_SECONDS)
        report = check(stack.databases.main, journal, settled=True)
    waited = time.monotonic() - began
    for difference in report.differences:
        print(difference)
    print(f"settled after {waited:.0f} s: {'differs' if report.differences else 'agrees'}")
    found = reckon(stack.databases.main, journal, run.told)
    print(
        f"successes that moved money: {found.kept} kept, lost {len(found.lost)},"
        f" doubled {len(found.doubled)}; refused and done all the same {len(found.undone)}"
    )
    return not (report.differences or found.lost or found.doubled or found.undone)
