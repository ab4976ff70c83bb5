"""Disks that are full: under the audit log alone, and under the whole database."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from scripts.launcher.account import server_account
from tests.books import agree, settle
from tests.faults.disks import full, small_disk
from tests.faults.evidence import Evidence
from tests.serving import STRICT, Serving, eventually
from tests.shop import Merchant, Shop, bearer, error, told

NOTICED_SECONDS = 60.0
BACK_SECONDS = 60.0
AUDIT_DISK_MB = 8
DATABASE_DISK_MB = 640
REQUEST_SECONDS = 15.0
_PARTITIONS = """SELECT inhrelid::regclass::text FROM pg_inherits
    WHERE inhparent = 'audit_entries'::regclass"""
_ALERT = "SELECT resolved_at IS NOT NULL FROM alerts WHERE type = 'audit_sink_down'"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="paymint-disks-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def cramped(directory: Path) -> Iterator[tuple[Shop, Path]]:
    """A stack whose servers stand on a disk of their own, and the disk."""
    with small_disk(directory / "servers", DATABASE_DISK_MB) as disk:
        running = Serving(directory, STRICT, ("--port", "0", "--longest-pause", "0.4"))
        try:
            running.wait_until_ready()
            opened = Shop(running)
            yield opened, disk
            settle(opened)
            opened.close()
            assert running.stop() == 0, running.output
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()


@pytest.fixture
def audit_disk(directory: Path, cramped: tuple[Shop, Path]) -> Iterator[Path]:
    """The disk that the audit log alone is on."""
    shop, _ = cramped
    with small_disk(directory / "audit", AUDIT_DISK_MB) as disk:
        place = disk / "space"
        place.mkdir(mode=0o700)
        if account := server_account():
            account.owns(place)
        with shop.superuser_database() as connection:
            connection.execute(f"CREATE TABLESPACE cramped LOCATION '{place}'".encode())
            partitions = [row[0] for row in connection.execute(_PARTITIONS.encode())]
            for name in partitions:
                connection.execute(f"ALTER TABLE {name} SET TABLESPACE cramped".encode())
            yield disk
            for name in partitions:
                connection.execute(f"ALTER TABLE {name} SET TABLESPACE pg_default".encode())
            connection.execute(b"DROP TABLESPACE cramped")


def refused(merchant: Merchant, token: str) -> bool:
    return error(merchant.pay_answer(token))[:2] == (503, "service_unavailable")


def test_a_full_disk_under_the_audit_log(cramped: tuple[Shop, Path], audit_disk: Path) -> None:
    """PCI DSS 4.0.1 req. 10.7.2: it fails closed where cards are, is noticed and alerted."""
    shop, _ = cramped
    merchant = shop.open_account()
    held, token = merchant.pay(capture=False)["id"], merchant.tokenise()

    def closed() -> bool:
        merchant.get("/v1/customers")
        return bool(shop.http.get("/readyz").json()["checks"]["audit"] == "down")

    with full(audit_disk):
        # What fits into the last page is written; then the first request finds out.
        assert eventually(closed, NOTICED_SECONDS)
        assert refused(merchant, token)
        assert error(merchant.act(held, "capture"))[:2] == (503, "service_unavailable")
        assert shop.http.get("/readyz").status_code == 503
        merchant.get(f"/v1/payments/{held}")
        assert shop.decisions(held) == [("authorise", "approved")]
    assert eventually(lambda: shop.http.get("/readyz").status_code == 200, BACK_SECONDS)
    told(merchant.pay_answer(token), 201)
    with shop.superuser_database() as connection:
        alert = _ALERT.encode()
        assert eventually(lambda: connection.execute(alert).fetchone() == (True,), BACK_SECONDS)
    log = (shop.serving.directory / "log" / "paymint-api.log").read_text()
    assert '"event":"audit_write_failed"' in log and '"event":"audit_writes_again"' in log
    agree(shop)


def test_a_full_disk_under_the_database(cramped: tuple[Shop, Path]) -> None:
    """Nothing is taken that cannot be kept, and everything that was answered is there."""
    shop, disk = cramped
    merchant = shop.open_account()
    card = told(merchant.save_card(merchant.customer()["id"]), 201)["id"]
    answered: dict[str, str] = {}
    untold: list[str] = []

    def pay() -> int:
        key = str(uuid4())
        try:
            answer = shop.http.post(
                "/v1/payments",
                json={"amount": 10000, "currency": "usd", "payment_method_id": card},
                headers={**bearer(merchant.secret_key), "Idempotency-Key": key},
                timeout=REQUEST_SECONDS,
            )
        except httpx.TransportError:
            untold.append(key)
            return 0
        if answer.status_code in (201, 202):
            answered[key] = answer.json()["id"]
        else:
            assert error(answer)[:2] == (503, "service_unavailable"), answer.text
            untold.append(key)
        return answer.status_code

    assert pay() == 201
    with full(disk):
        assert eventually(lambda: pay() in (0, 503), BACK_SECONDS), "the disk was never full"
        for _ in range(5):
            pay()
    assert eventually(lambda: shop.takes_payments() and pay() == 201, BACK_SECONDS)
    for key in untold:
        assert eventually(lambda key=key: again(merchant, card, key), BACK_SECONDS), key  # type: ignore[misc]
    evidence = Evidence(shop, merchant)
    evidence.nothing_stays_unfinished()
    stored = {str(row["idempotency_key"]): f"pay_{row['id'].hex}" for row in evidence.payments()}
    assert answered.items() <= stored.items()
    assert set(stored) == {*answered, *untold}
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()
    agree(shop)


def again(merchant: Merchant, card: str, key: str) -> bool:
    """The client's retry: told at last."""
    return merchant.pay_answer(card, key=key).status_code == 201
