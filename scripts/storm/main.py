"""scripts/chaos: customers pay while everything breaks; at the end nothing is lost or doubled.

It starts a stack of its own in a temporary directory, on loopback.  Exit status 0: nothing is
wrong; 1: something is, and the seed, the schedule and the directory are printed; 2: it could
not be run.
"""

import argparse
import math
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.console import LaunchError
from scripts.storm.faults import Fault, read_schedule, schedule, write_schedule
from scripts.storm.run import Outcome, Plan, storm
from scripts.storm.shrinking import moved_forward, shrunk

GOOD, WRONG, NOT_RUN = 0, 1, 2
CUSTOMERS: Final = 24
MINUTES: Final = 2.0
SECONDS_PER_MINUTE: Final = 60
SHOWN: Final = 40
# A fault has done its harm by then; what it left is found when all has settled.
AFTER_LAST_FAULT_SECONDS: Final = 6.0
LARGEST_SEED: Final = 10**9
# It breaks databases; it must never be somebody's.
FOREIGN_SERVERS: Final = (
    "DATABASE_URL",
    "VAULT_DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "VAULT_MIGRATION_DATABASE_URL",
    "REDIS_URL",
)
Number = TypeVar("Number", int, float)
KEPT: Final = ROOT / "var" / "chaos"


def some(number: type[Number]) -> Callable[[str], Number]:
    """Numbers above 0: a storm of nothing would find nothing, and prove nothing."""

    def read(text: str) -> Number:
        with suppress(ValueError):
            if 0 < (found := number(text)) < math.inf:
                return found
        raise argparse.ArgumentTypeError(f"{text!r} is not more than 0")

    return read


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of traffic and faults (default: by chance)")
    parser.add_argument("--minutes", type=some(float), default=MINUTES, help="of traffic")
    parser.add_argument(
        "--customers", type=some(int), default=CUSTOMERS, help="who ask side by side"
    )
    parser.add_argument(
        "--schedule", type=Path, metavar="FILE", help="the faults, instead of the seed's"
    )
    parser.add_argument(
        "--shrink",
        type=int,
        default=0,
        metavar="RUNS",
        help="after a failure, look for a shorter schedule that fails, in so many runs",
    )
    return parser.parse_args(arguments)


def planned(options: argparse.Namespace) -> Plan:
    """What the options ask for."""
    seed = options.seed
    if seed is None:
        seed = random.SystemRandom().randrange(LARGEST_SEED)
    seconds = options.minutes * SECONDS_PER_MINUTE
    faults = schedule(seed, seconds)
    if options.schedule is not None:
        faults = read_schedule(options.schedule)
    return Plan(seed, seconds, options.customers, faults)


def report(plan: Plan, outcome: Outcome) -> None:
    """What is wrong, if anything, and one line of figures."""
    diary, findings = outcome.diary, outcome.findings
    for each in findings.all()[:SHOWN]:
        print(each)
    print(
        f"seed {plan.seed}: {diary.operations} operations ({diary.requests} requests),"
        f" {len(outcome.injected)} faults, lost {len(findings.lost)},"
        f" doubled {len(findings.doubled)}, books {len(findings.books)},"
        f" unfinished {len(findings.unfinished)}, wrong answers {len(findings.wrong)};"
        f" all work was done {outcome.settled_after:.1f} s after the last answer"
    )
    if not outcome.good:
        print(f"logs, journal and database of this run: {outcome.directory}")


def keep(plan: Plan, name: str) -> None:
    """Write the schedule down, and say how to run it again."""
    file = KEPT / f"{name}.jsonl"
    write_schedule(file, plan.faults)
    minutes = plan.seconds / SECONDS_PER_MINUTE
    print(
        f"repeat: scripts/chaos --seed {plan.seed} --minutes {minutes:.2f}"
        f" --customers {plan.customers} --schedule {file}"
    )


def shrink(plan: Plan, runs: int, say: Callable[[str], None]) -> Plan:
    """A shorter plan that fails too; the plan itself where none was found."""

    def shorter(faults: list[Fault]) -> Plan:
        faults = moved_forward(faults)
        return replace(plan, faults=faults, seconds=faults[-1].at + AFTER_LAST_FAULT_SECONDS)

    def fails(faults: list[Fault]) -> bool:
        say(f"again with {len(faults)} of the faults")
        outcome = storm(shorter(faults), say)
        shutil.rmtree(outcome.directory, ignore_errors=True)
        return not outcome.good

    found = shrunk(plan.faults, fails, runs)
    return plan if found == plan.faults else shorter(found)


def main(arguments: list[str]) -> int:
    """Run a storm; the exit status."""
    for name in FOREIGN_SERVERS:
        os.environ.pop(name, None)
    # An answer that breaks the document is a 500 then, and found.
    os.environ["PAYMINT_STRICT_ANSWERS"] = "1"
    options = parsed(arguments)
    plan, began = planned(options), time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f}] {text}", flush=True)

    say(f"seed {plan.seed}, {len(plan.faults)} faults in {plan.seconds:.0f} s")
    try:
        outcome = storm(plan, say)
        report(plan, outcome)
        if outcome.good:
            return GOOD
        keep(plan, f"{plan.seed}")
        if options.shrink and plan.faults:
            keep(shrink(plan, options.shrink, say), f"{plan.seed}-short")
    except LaunchError as reason:
        print(f"scripts/chaos: {reason}", file=sys.stderr)
        return NOT_RUN
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
