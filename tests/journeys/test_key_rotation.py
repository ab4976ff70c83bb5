"""Keys are rotated beside a shop that goes on selling; a rotation may be killed anywhere.

PCI DSS 4.0.1 req. 3.7.4 and 3.7.5: old data stays readable, the old key is retired.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.house.tree import ROOT
from tests.journeys.signatures import verify_paymint
from tests.receiver import Receiver
from tests.serving import STRICT, serving
from tests.shop import ACCOUNT, Merchant, Shop, card, error, told

COMMAND_SECONDS = 120.0
ARRIVAL_SECONDS = 10.0
_MODULE = (sys.executable, "-P", "-m")
PERSON = {"email": "ada@example.com", "name": "Ada"}
SAVED = "5555555555554444"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A stack whose keys no other test uses."""
    with serving(STRICT, "--port", "0", "--allow-loopback-webhooks") as running:
        opened = Shop(running)
        try:
            yield opened
        finally:
            opened.close()


class Kept:
    """A merchant with something under every seal, made before a rotation."""

    def __init__(self, shop: Shop, receiver: Receiver) -> None:
        self.merchant: Merchant = shop.open_account()
        self.customer = self.merchant.customer(**PERSON)
        self.method = told(self.merchant.save_card(self.customer["id"], SAVED), 201)
        self.endpoint = self.merchant.endpoint(receiver.url)

    def check(self, receiver: Receiver) -> None:
        """All of it is there, and does its work."""
        merchant, customer = self.merchant, self.customer
        assert merchant.get(f"/v1/customers/{customer['id']}") == customer
        found = merchant.get("/v1/customers", email=PERSON["email"])["data"]
        assert found == [customer]
        paid = merchant.pay(self.method["id"])
        assert paid["status"] == "captured"
        arrived = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
        verify_paymint(arrived[-1], str(self.endpoint["secret"]))
        # The same card is the same: fingerprints outlive every rotation.
        again = merchant.save_card(customer["id"], SAVED)
        assert told(again, 200)["fingerprint"] == self.method["fingerprint"]


class Traffic:
    """A shop that does not pause; remembers each answer that is no success."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failures: list[str] = []
        self.rounds = 0

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        merchant, customer = self._kept.merchant, self._kept.customer["id"]
        path = f"/v1/customers/{customer}"
        while not self._stop.is_set():
            fresh = merchant.customer(name=f"Round {self.rounds}")["id"]
            answers = [
                merchant.pay_answer(merchant.tokenise()),
                merchant.pay_answer(self._kept.method["id"]),
                merchant.save_card(fresh),
                merchant.ask("PATCH", f"/v1/customers/{fresh}", {"name": f"Now {self.rounds}"}),
                merchant.ask("GET", path),
            ]
            self.failures += [each.text for each in answers if each.status_code not in (200, 201)]
            shown = told(merchant.ask("GET", f"/v1/customers/{fresh}"), 200)
            if shown["name"] != f"Now {self.rounds}":
                self.failures.append(f"lost a change: {shown['name']}")
            self.rounds += 1


def keys(shop: Shop, command: str) -> str:
    """scripts/keys, without the installation; what it said."""
    run = subprocess.run(
        [*_MODULE, "scripts.launcher.keys", command, "--data", str(shop.serving.directory)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def masters(shop: Shop, process: str) -> list[tuple[Any, ...]]:
    """(name, retired?, data keys under it), the oldest first."""
    with shop.database(process) as connection:
        return connection.execute(
            "SELECT name, retired_at IS NOT NULL, (SELECT count(*) FROM data_keys"
            " WHERE master_key = master_keys.name) FROM master_keys ORDER BY created_at, name"
        ).fetchall()


def key_files(shop: Shop, house: str) -> set[str]:
    place = shop.serving.directory / "keys"
    directory = place if house == "paymint-vault" else place / "house"
    return {path.name for path in directory.glob("*.key")}


def test_a_rotation_beside_running_traffic_loses_nothing(shop: Shop, receiver: Receiver) -> None:
    kept = Kept(shop, receiver)
    with Traffic(kept) as traffic:
        said = keys(shop, "rotate")
    assert traffic.failures == []
    assert traffic.rounds > 0
    for line in ("new master key file:2", "data keys wrapped again", "sealed values looked at"):
        assert f"vault: {line}" in said or line in said
    assert said.count("retired master key file:master") == 2
    for process in ("paymint-vault", "paymint-api"):
        (old, new) = masters(shop, process)
        assert old == ("file:master", True, 0)
        assert new[1:2] == (False,) and new[2] > 0
        assert key_files(shop, process) == {new[0].removeprefix("file:") + ".key"}
    kept.check(receiver)
    status = keys(shop, "status")
    assert status.count(", 0 of them by an older key") == 2, status
    assert "file:master" in status and "retired" in status
    with shop.database("paymint-vault") as connection:
        versions = connection.execute(
            "SELECT DISTINCT key_version FROM instruments WHERE ciphertext IS NOT NULL"
            " AND merchant_id = %s",
            [kept.merchant.id.removeprefix("mch_")],
        ).fetchall()
    assert versions == [(2,)]


@pytest.mark.parametrize(
    ("process", "place"),
    [
        ("paymint-vault", "new master key"),
        ("paymint-vault", "new sealing keys"),
        ("paymint-worker", "data keys wrapped"),
        ("paymint-worker", "new sealing keys"),
    ],
)
def test_a_rotation_that_was_killed_goes_on(
    shop: Shop, receiver: Receiver, process: str, place: str
) -> None:
    kept = Kept(shop, receiver)
    before = {name for name, retired, _ in masters(shop, process) if not retired}
    kill_at(shop, process, place)
    kept.check(receiver)
    made = {name for name, retired, _ in masters(shop, process) if not retired} - before
    said = rotation(shop, process).communicate(timeout=COMMAND_SECONDS)[0]
    assert f"going on with the rotation to {made.pop()}" in said
    left = [(retired, count > 0) for _, retired, count in masters(shop, process)]
    assert left == [(True, False)] * (len(left) - 1) + [(False, True)]
    kept.check(receiver)


def rotation(shop: Shop, process: str) -> "subprocess.Popen[str]":
    """A rotation of the keys of one house."""
    module = "vault.key_rotation" if process == "paymint-vault" else "flows.key_rotation"
    return subprocess.Popen(
        [*_MODULE, module, "rotate"],
        cwd=ROOT,
        env=shop.environment[process],
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_at(shop: Shop, process: str, place: str) -> None:
    """Begin a rotation and kill it once it has said these words."""
    run = rotation(shop, process)
    assert run.stdout is not None
    heard = next((line for line in run.stdout if place in line), None)
    run.kill()
    run.wait(COMMAND_SECONDS)
    assert heard is not None
    run.stdout.close()


@contextmanager
def without_master_keys(shop: Shop) -> Iterator[None]:
    """Take the files of both houses away, as a holder that is out of reach."""
    place = shop.serving.directory / "keys"
    moved = {path: path.with_suffix(".away") for path in place.rglob("*.key")}
    for path, away in moved.items():
        path.rename(away)
    try:
        yield
    finally:
        for path, away in moved.items():
            away.rename(path)


def test_a_holder_that_is_away_stops_only_who_is_new(shop: Shop, receiver: Receiver) -> None:
    kept, fresh = Kept(shop, receiver), shop.open_account()
    # Every process opens the keys of the one merchant now, none those of the other.
    kept.check(receiver)
    with without_master_keys(shop):
        kept.check(receiver)
        refused = shop.http.post("/v1/sandbox_accounts", json=ACCOUNT)
        assert error(refused)[:2] == (503, "service_unavailable")
        # This merchant's keys of the vault were never opened.
        assert error(fresh.token_answer(card()))[:2] == (503, "service_unavailable")
        assert shop.takes_payments()
    told(shop.http.post("/v1/sandbox_accounts", json=ACCOUNT), 201)
    assert fresh.pay()["status"] == "captured"
    assert masters(shop, "paymint-vault")[-1][1] is False


def test_two_rotations_do_not_run_at_once(shop: Shop) -> None:
    environment = shop.environment["paymint-worker"]
    with shop.database() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [0x7061_796D_6B65_7973])
        run = subprocess.run(
            [*_MODULE, "flows.key_rotation", "rotate"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    assert (run.returncode, run.stdout) == (
        1,
        "stopped: another rotation of this database is running\n",
    )


def test_keys_of_no_stack_are_a_plain_sentence(tmp_path: Path) -> None:
    run = subprocess.run(
        [*_MODULE, "scripts.launcher.keys", "status", "--data", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"scripts/keys: no stack was started in {tmp_path}\n"
