"""`scripts/bench --latency`: what callers wait for at 70 % of the saturation rate.

The card network takes 40 to 120 ms.  The time that the vault waited for it stands in the
vault's log line of each call; joined to the answer by its `X-Request-Id` and taken from its
latency, it leaves our own share, request by request.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from scripts.benchmark.figures import (
    loaded,
    percentile,
    rate_of,
    show_cpu,
    show_generator,
    spread,
    statuses,
    succeeded,
)
from scripts.benchmark.generator import Load, Told
from scripts.benchmark.mix import AUTHORISE, NETWORKED, READS, SALE, SHARES
from scripts.benchmark.saturation import NETWORK_MS, Traffic, saturation
from scripts.benchmark.shop import Shop
from scripts.launcher.stack import Stack

PART: Final = 0.7
SECONDS: Final = 25
CONNECTIONS: Final = 1000
ROWS: Final = 10_000
# Issue "Money is never lost and never doubled": p95 in milliseconds.
AUTHORISATION_P95_MS, READ_P95_MS = 350, 120
_GROUPS: Final = {"authorisations": (SALE, AUTHORISE), "reads": READS}


def show_latency(stack: Stack, seconds: int) -> None:
    """Find the saturation rate, then load the stack with a part of it and print the table."""
    shop = Shop(stack.keys)
    shop.fill(stack.databases.main_owner or stack.databases.main, 1, ROWS)
    traffic = Traffic(stack, shop, tuple(shop.payment_paths(stack.databases.main)))
    rate = saturation(traffic) * PART
    load = Load(seconds, CONNECTIONS, rate)
    log = stack.state.log_file("paymint-vault")
    read_from = log.stat().st_size
    run, cpu = loaded(stack, traffic.next_series(), load)
    print(
        f"open loop, {rate:,.0f} arrivals/s meant ({PART:.0%}) for {seconds} s:"
        f" {rate_of(run, load):,.0f} successes/s, {dict(statuses(run))}"
    )
    waited = network_waits(log, read_from)
    _show_table([each for each in run.told if succeeded(each)], waited)
    show_cpu(run, cpu)
    show_generator(run)


def network_waits(log: Path, read_from: int = 0) -> dict[str, float]:
    """Milliseconds that the vault waited for a network, by the request's id."""
    return {
        line["request_id"]: line["network_ms"]
        for line in _lines(log, read_from)
        if line.get("event") == "relay_call" and line.get("network_ms") is not None
    }


def _lines(log: Path, read_from: int) -> Iterator[dict[str, Any]]:
    with log.open("rb") as lines:
        lines.seek(read_from)
        for text in lines:
            # The last line may not be whole yet.
            if text.startswith(b"{") and text.endswith(b"}\n"):
                yield json.loads(text)


def _show_table(told: list[Told], waited: dict[str, float]) -> None:
    groups = {kind: (kind,) for kind in SHARES} | _GROUPS
    heads = "".join(f"{name:>24}" for name in ("caller's ms", "the network's", "our own share"))
    print(f"{'':22}{heads}\n{'':14}{'count':>8}{'     p50     p95     p99' * 3}")
    for name, kinds in groups.items():
        some = [each for each in told if each.kind in kinds]
        if not some:
            continue
        asked = kinds[0] in NETWORKED
        network = [waited[each.request_id] for each in some if each.request_id in waited]
        own = [each.milliseconds - waited.get(each.request_id, 0.0) for each in some]
        middle = spread(network) if asked else f"{'':24}"
        whole = spread([each.milliseconds for each in some])
        print(f"{name:14}{len(some):>8}{whole}{middle}{spread(own)}")
    _show_network(told, waited)
    for (name, kinds), wanted in zip(
        _GROUPS.items(), (AUTHORISATION_P95_MS, READ_P95_MS), strict=True
    ):
        p95 = percentile([each.milliseconds for each in told if each.kind in kinds], 95)
        print(f"{name}: p95 {p95:.1f} ms, wanted < {wanted}: {'yes' if p95 < wanted else 'NO'}")


def _show_network(told: list[Told], waited: dict[str, float]) -> None:
    """How far the vault's measure of the network can be believed."""
    asked = [each for each in told if each.kind in NETWORKED]
    found = [waited[each.request_id] for each in asked if each.request_id in waited]
    if found:
        drawn = fmean(NETWORK_MS)
        print(
            f"the network took {fmean(found):.1f} ms on average as the vault saw it, and"
            f" {drawn:.1f} as it was told to: {fmean(found) - drawn:.1f} ms of its column are"
            f" ours; {len(asked) - len(found)} of {len(asked)} calls found no line"
        )
