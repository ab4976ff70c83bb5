"""How much the stack can do: a closed loop over more and more connections."""

from typing import Final

import httpx

from scripts.benchmark.figures import loaded, percentile, rate_of, show_cpu, statuses
from scripts.benchmark.generator import Load
from scripts.benchmark.mix import BALANCE_PATH, Counter
from scripts.benchmark.shop import Shop
from scripts.launcher.stack import Stack

SEED: Final = 20_261_130
# More of them than a process works on at once (decision 0041) are refused, not served.
STEPS: Final = (32, 64, 96, 128)
SECONDS: Final = 5.0
WARM_UP: Final = Load(3.0, 64)
# The network's simulated time, milliseconds, evenly spread.
NETWORK_MS: Final = (40, 120)


class Traffic:
    """A merchant's mix of requests to one stack; every load of it has keys of its own."""

    def __init__(self, stack: Stack, shop: Shop, paths: tuple[str, ...] = ()) -> None:
        self.stack = stack
        self.shop = shop
        self._paths = paths
        self._series = 0
        headers = {"Authorization": f"Bearer {shop.key}"}
        answer = httpx.get(stack.base_url + BALANCE_PATH, headers=headers)
        self._balance = answer.status_code == httpx.codes.OK

    def next_series(self) -> Counter:
        """Where the next load asks, and with which keys."""
        self._series += 1
        url = httpx.URL(self.stack.base_url)
        return Counter(
            host=url.host,
            port=url.port or 0,
            key=self.shop.key,
            method=self.shop.method,
            paths=self._paths,
            balance=self._balance,
            seed=SEED,
            series=self._series,
        )


def saturation(traffic: Traffic) -> float:
    """Requests a second at the best of the steps; every step is printed."""
    loaded(traffic.stack, traffic.next_series(), WARM_UP)
    best = 0.0
    for connections in STEPS:
        load = Load(SECONDS, connections)
        run, cpu = loaded(traffic.stack, traffic.next_series(), load)
        rate = rate_of(run, load)
        median = percentile([each.milliseconds for each in run.told], 50)
        print(
            f"closed loop, {connections} connections: {rate:,.0f} successes/s,"
            f" p50 {median:.0f} ms, {dict(statuses(run))}",
            flush=True,
        )
        show_cpu(run, cpu)
        best = max(best, rate)
    print(f"saturation: {best:,.0f} requests/s (seed {SEED})", flush=True)
    return best
