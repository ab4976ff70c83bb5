"""Figures of a load: percentiles by kind of request, and what each process spent."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from scripts.benchmark.accounting import snapshot
from scripts.benchmark.generator import Load, Run, Told, generate
from scripts.benchmark.mix import Counter as Till
from scripts.launcher.stack import Stack

PERCENTILES: Final = (50, 95, 99)
COLUMNS: Final = ("paymint-api", "paymint-vault", "postgres", "valkey", "paymint-worker")
# A generator that is this busy, of one core, or this late would be measured instead.  Its
# lateness is part of every latency, so it may be a small part of them.
GENERATOR_BUSY_MAX, GENERATOR_LATE_MS_MAX, GENERATOR_LATE_PART_MAX = 0.7, 5.0, 0.05


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` of the values do not exceed; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def succeeded(told: Told) -> bool:
    """Whether the request was accepted and done, or is being done (202)."""
    return 200 <= told.status < 300


def loaded(stack: Stack, till: Till, load: Load) -> tuple[Run, dict[str, float]]:
    """Run a load; CPU seconds that every process spent meanwhile."""
    pids = stack.process_ids()
    before: dict[str, float] = {}
    run = generate(till, load, lambda: before.update(snapshot(pids)))
    after = snapshot(pids)
    return run, {name: after[name] - before[name] for name in before}


def rate_of(run: Run, load: Load) -> float:
    """Successes a second, of those that came while the load went on."""
    within = (each for each in run.told if 0 <= each.answered <= load.seconds)
    return sum(succeeded(each) for each in within) / load.seconds


def statuses(run: Run) -> Counter[str]:
    """How many of each status; what was not answered by why."""
    return Counter(each.failure or str(each.status) for each in run.told)


def spread(values: Sequence[float]) -> str:
    """Three percentiles in three columns."""
    return "".join(f"{percentile(values, each):>8.1f}" for each in PERCENTILES)


def show_cpu(run: Run, cpu: dict[str, float]) -> None:
    """CPU of every process by request, and as a part of what all of them spent."""
    total = sum(cpu.values()) + run.cpu_seconds
    count = max(len(run.told), 1)
    spent = {**{name: cpu.get(name, 0.0) for name in COLUMNS}, "generator": run.cpu_seconds}
    words = (
        f"{name.removeprefix('paymint-')} {seconds * 1e6 / count:,.0f} ({seconds / total:.0%})"
        for name, seconds in spent.items()
    )
    print(f"CPU us a request (part of all): {', '.join(words)}")
    print(f"cores busy: {total / run.seconds:.2f}, neighbours on the machine not counted")


def show_generator(run: Run) -> None:
    """Whether the generator kept up: else the figures are its own."""
    busy = run.cpu_seconds / run.seconds
    late = percentile([(each.sent - each.intended) * 1000 for each in run.told], 99)
    whole = percentile([each.milliseconds for each in run.told], 99)
    late_max = max(GENERATOR_LATE_MS_MAX, GENERATOR_LATE_PART_MAX * whole)
    kept_up = busy <= GENERATOR_BUSY_MAX and late <= late_max
    word = "kept up" if kept_up else "DID NOT KEEP UP"
    print(
        f"generator: {busy:.0%} of a core, sent at most {late:.1f} ms late (p99, of latencies"
        f" of {whole:.1f}), {run.connections} connections: {word}"
    )
