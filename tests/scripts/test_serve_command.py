"""What scripts/serve accepts, and what it hands to its children."""

import json
import os
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from scripts.launcher.databases import DatabaseUrls
from scripts.launcher.house import House, Options
from scripts.launcher.ports import Ports
from scripts.launcher.quickstart import LINES, quickstart
from scripts.launcher.serve import options, parsed
from scripts.launcher.state import StateDirectory

PORTS = Ports(1, 2, 3, 4, 5, 6, 7, 8)


def a_house(chosen: Options, redis_url: str | None) -> House:
    databases = DatabaseUrls("postgresql://main", "postgresql://vault")
    return House(
        Path("/root-of-it"), StateDirectory(Path("/dir")), chosen, PORTS, databases, redis_url
    )


def test_the_defaults() -> None:
    assert options(parsed([])) == Options(8080, True, False, "0")


@pytest.mark.parametrize("text", ["-1", "70000", "http", "80.0"])
def test_a_port_is_a_port(text: str) -> None:
    with pytest.raises(SystemExit):
        parsed([f"--port={text}"])


def test_networks_are_simulated_within_the_vault_or_are_servers() -> None:
    assert options(parsed([])).networks == "simulator"
    assert options(parsed(["--networks", "iso8583"])).networks == "iso8583"
    with pytest.raises(SystemExit):
        parsed(["--networks", "telex"])


@pytest.mark.parametrize("text", ["0", "80", "40-120"])
def test_a_latency_is_a_number_or_a_range(text: str) -> None:
    assert options(parsed(["--network-latency", text])).network_latency == text


@pytest.mark.parametrize("text", ["fast", "-5", "40-", "1.5", "120-40"])
def test_other_latencies_are_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        parsed([f"--network-latency={text}"])


def test_each_house_gets_its_own_database_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SOME_CREDENTIAL", "secret")
    environments = a_house(Options(), "redis://r").environments()
    assert "DATABASE_URL" not in environments["paymint-vault"]
    assert "REDIS_URL" not in environments["paymint-vault"]
    for name in ("paymint-api", "paymint-worker"):
        assert "VAULT_DATABASE_URL" not in environments[name]
    assert not any("SOME_CREDENTIAL" in given for given in environments.values())


def test_switches_reach_the_processes_that_read_them() -> None:
    chosen = Options(allow_loopback_webhooks=True, network_latency="40-120")
    environments = a_house(chosen, None).environments()
    assert environments["paymint-vault"]["PAYMINT_NETWORK_LATENCY_MS"] == "40-120"
    for name in ("paymint-api", "paymint-worker"):
        assert environments[name]["PAYMINT_ALLOW_LOOPBACK_WEBHOOKS"] == "1"
        assert "REDIS_URL" not in environments[name]
    numbers = {
        environments[name]["PAYMINT_PROCESS_NUMBER"] for name in ("paymint-api", "paymint-worker")
    }
    assert len(numbers) == 2


@pytest.mark.parametrize("text", ["0", "33", "two", "-1"])
def test_the_number_of_workers_is_bounded(text: str) -> None:
    with pytest.raises(SystemExit):
        parsed([f"--workers={text}"])


def test_each_worker_has_a_number_and_a_metrics_port_of_its_own() -> None:
    ports = replace(PORTS, more_worker_metrics=(9, 10))
    house = replace(a_house(options(parsed(["--workers", "3"])), None), ports=ports)
    assert house.workers() == ["paymint-worker", "paymint-worker-2", "paymint-worker-3"]
    given = house.environments()
    told = [
        (given[name]["PAYMINT_PROCESS_NUMBER"], given[name]["PAYMINT_METRICS_PORT"])
        for name in house.workers()
    ]
    assert told == [("1", "8"), ("2", "9"), ("3", "10")]
    programs = [house.program(name) for name in house.workers()]
    assert {program.command[-1] for program in programs} == {"/root-of-it/scripts/paymint-worker"}
    assert len({program.log for program in programs}) == len(programs)


def test_all_processes_know_one_public_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forms are compared with it, and links of invitations lead there."""

    def known(chosen: Options) -> set[str]:
        environments = a_house(chosen, None).environments()
        return {
            environments[name]["PAYMINT_PUBLIC_ORIGIN"]
            for name in ("paymint-api", "paymint-worker")
        }

    monkeypatch.delenv("PAYMINT_PUBLIC_ORIGIN", raising=False)
    assert known(Options(tls=True)) == {"https://127.0.0.1:1"}
    monkeypatch.setenv("PAYMINT_PUBLIC_ORIGIN", "https://api.example.com")
    assert known(Options()) == {"https://api.example.com"}


KEYS = {
    "base_url": "http://127.0.0.1:1",
    "vault_url": "http://127.0.0.1:2",
    "secret_key": "sk_test_1",
    "publishable_key": "pk_test_1",
}
# Stands for curl: shows what would be sent, as the object that curl would have been answered.
STAND_IN = """
curl() {
  python3 -c 'import json, sys; print(json.dumps({"id": "got", "sent": sys.argv[1:]}))' "$@"
}
"""


def test_the_quickstart_carries_the_keys() -> None:
    text = quickstart(KEYS, loopback_webhooks=True, today=date(2026, 11, 22))
    assert "SECRET=sk_test_1" in text
    assert '"exp_year":2029' in text
    assert "webhook_endpoints" in text


def test_its_lines_run_as_pasted() -> None:
    text = LINES.format(year=2029, trust="", **KEYS)
    answer = subprocess.run(
        ["/bin/sh", "-eu"], input=STAND_IN + text, capture_output=True, text=True, check=True
    )
    calls = [json.loads(line)["sent"] for line in answer.stdout.splitlines() if line]
    assert [next(word for word in call if "://" in word) for call in calls] == [
        "http://127.0.0.1:1/v1/payments/got/capture",
        "http://127.0.0.1:1/v1/payments/got/refunds",
        "http://127.0.0.1:1/v1/events?limit=5",
    ]
    assert all("Authorization: Bearer sk_test_1" in call for call in calls)
    assert json.loads(calls[1][-1]) == {"amount": 5000}
