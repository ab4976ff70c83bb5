"""Three times what the stack can do: refusals and successes, and nothing else.

A short form of `scripts/bench --overload`, whose parts it uses; how fast anything is depends
on the machine, what is answered does not.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from scripts.benchmark.figures import percentile, rate_of, succeeded
from scripts.benchmark.generator import Load, Run, generate
from scripts.benchmark.latency import network_waits
from scripts.benchmark.mix import NETWORKED, SHARES, Counter
from scripts.benchmark.overload import TIMES, disallowed
from scripts.benchmark.reckoning import reckon
from tests import books
from tests.serving import STRICT, serving
from tests.shop import Merchant, Shop, told

FULL = Load(seconds=2.0, connections=64)
OVERLOAD_SECONDS = 5.0
CONNECTIONS = 1500
NETWORK_MS = "40-120"
# Whoever is let in is answered before its client gives up, on the slowest machine.
ACCEPTED_P95_MS = 10_000.0
SEED = 20_261_130


@pytest.fixture(scope="module")
def busy() -> Iterator[Shop]:
    with serving(STRICT, "--port", "0", "--network-latency", NETWORK_MS) as running:
        opened = Shop(running)
        try:
            yield opened
        finally:
            opened.close()


def counter(shop: Shop, merchant: Merchant, series: int) -> Counter:
    customer = merchant.customer()["id"]
    url = urlsplit(shop.base_url)
    return Counter(
        host=str(url.hostname),
        port=int(url.port or 0),
        key=merchant.secret_key,
        method=str(told(merchant.save_card(customer), 201)["id"]),
        paths=(),
        balance=True,
        seed=SEED,
        series=series,
    )


def overloaded(shop: Shop, merchant: Merchant) -> Run:
    full = generate(counter(shop, merchant, 1), FULL)
    rate = rate_of(full, FULL)
    assert rate > 0
    assert not disallowed(full.told)
    load = Load(OVERLOAD_SECONDS, CONNECTIONS, TIMES * rate)
    return generate(counter(shop, merchant, 2), load)


def test_an_overload_is_refused_and_nothing_is_lost(busy: Shop) -> None:
    merchant = busy.open_account()
    run = overloaded(busy, merchant)
    assert not disallowed(run.told), f"seed {SEED}"
    refused = [each for each in run.told if not succeeded(each)]
    accepted = [each for each in run.told if succeeded(each)]
    assert refused, "it was no overload"
    assert {each.kind for each in accepted} == set(SHARES)
    assert percentile([each.milliseconds for each in accepted], 95) < ACCEPTED_P95_MS
    # The time of the network is known for each request that asked one.
    waited = network_waits(busy.serving.directory / "log" / "paymint-vault.log")
    asked = [each for each in accepted if each.kind in NETWORKED and each.status != 202]
    least, _, _ = NETWORK_MS.partition("-")
    assert all(float(least) - 1 <= waited[each.request_id] < each.milliseconds for each in asked)
    books.settle(busy)
    url = busy.environment["paymint-worker"]["DATABASE_URL"]
    found = reckon(url, busy.serving.directory / "simulator" / "journal.jsonl", run.told)
    assert (found.lost, found.doubled, found.undone) == ([], [], [])
    assert found.kept == sum(each.kind in NETWORKED for each in accepted)
