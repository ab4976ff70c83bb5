"""The audit trail under faults: a sink that is down, killed processes, and who tampers with it."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.books import settle
from tests.serving import ROOT, STRICT, eventually, serving
from tests.shop import Shop, error

BACK_SECONDS = 60.0
KILLS = 5
FAIL = """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"""
BREAK = "CREATE TRIGGER broken BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION fail()"
MEND = "DROP TRIGGER broken ON audit_entries"
SEALED = """SELECT (SELECT coalesce(max(number), 0) FROM audit_roots),
    (SELECT coalesce(max(root), 0) FROM audit_exports),
    (SELECT coalesce(max(root), 0) FROM audit_heads WHERE house = 'vault')"""
ENTRY = "SELECT entry FROM audit_entries WHERE id = %s"
# The last sequences but a few of a chain of the API, so that there are entries around them.
TARGETS = """SELECT chain, sequence, id FROM audit_entries
    WHERE chain = (SELECT chain FROM audit_entries GROUP BY chain ORDER BY count(*) DESC LIMIT 1)
    ORDER BY sequence"""


@pytest.fixture(scope="module")
def audited_shop() -> Iterator[Shop]:
    """A stack of its own, whose audit trail may be broken and changed."""
    with serving(STRICT, "--port", "0") as running:
        opened = Shop(running)
        for process in ("paymint-api", "paymint-vault"):
            with opened.superuser_database(process) as connection:
                connection.execute(FAIL)
        try:
            yield opened
            settle(opened)
        finally:
            opened.close()


@contextmanager
def broken_sink(shop: Shop, process: str = "paymint-api") -> Iterator[None]:
    """Nothing can be added to the audit trail of this process's database."""
    with shop.superuser_database(process) as connection:
        connection.execute(BREAK)
        try:
            yield
        finally:
            connection.execute(MEND)


def entry(shop: Shop, answer: httpx.Response, process: str = "paymint-api") -> dict[str, Any]:
    """The entry of an answered request, which must be there now."""
    with shop.superuser_database(process) as connection:
        name = UUID(hex=answer.headers["x-request-id"].removeprefix("req_"))
        row = connection.execute(ENTRY, (name,)).fetchone()
    assert row is not None, "an answer was read whose entry is not stored"
    found: dict[str, Any] = row[0]
    return found


def ready(shop: Shop) -> tuple[int, str]:
    answer = shop.http.get("/readyz")
    return answer.status_code, answer.json()["checks"]["audit"]


def test_card_data_paths_fail_closed(audited_shop: Shop) -> None:
    merchant = audited_shop.open_account()
    customer, token = merchant.customer()["id"], merchant.tokenise()
    held = merchant.pay(capture=False)["id"]
    with audited_shop.superuser_database() as connection:
        paid = "SELECT count(*) FROM payments"
        before = connection.execute(paid).fetchone()
        with broken_sink(audited_shop):
            # The first finds out; what it did is done, and it is answered as it is.
            first = merchant.ask("POST", "/v1/customers", {"name": "Ada"})
            assert first.status_code == 201
            assert ready(audited_shop) == (503, "down")
            path = f"/v1/customers/{customer}/payment_methods"
            refused = [
                merchant.pay_answer(token),
                merchant.ask("POST", path, {"type": "card", "token": token}),
                merchant.act(held, "capture"),
                merchant.ask("POST", "/v1/payments/batch", {"payments": [{}]}),
            ]
            for answer in refused:
                assert error(answer)[:2] == (503, "service_unavailable")
                assert answer.headers["retry-after"]
            assert connection.execute(paid).fetchone() == before
            kept = merchant.ask("GET", "/v1/customers")
            assert kept.status_code == 200
        assert eventually(lambda: ready(audited_shop) == (200, "ok"), BACK_SECONDS)
        for answer in (first, *refused, kept):
            assert entry(audited_shop, answer)["status_code"] == answer.status_code
        alert = "SELECT resolved_at IS NOT NULL FROM alerts WHERE type = 'audit_sink_down'"
        assert eventually(lambda: connection.execute(alert).fetchone() == (True,), BACK_SECONDS)
    log = (audited_shop.serving.directory / "log" / "paymint-api.log").read_text()
    assert '"event":"audit_write_failed"' in log and '"event":"audit_writes_again"' in log
    # The token was not used up by what was refused.
    assert merchant.pay_answer(token).status_code == 201


def test_the_token_door_fails_closed(audited_shop: Shop) -> None:
    merchant = audited_shop.open_account()
    body = {"type": "card", "card": {"number": "4242424242424242"}}
    with broken_sink(audited_shop, "paymint-vault"):
        finding_out = merchant.token_answer(body)
        assert finding_out.status_code == 400
        refused = merchant.token_answer(body)
        assert error(refused)[:2] == (503, "service_unavailable")

    def taken() -> bool:
        return merchant.token_answer(body).status_code == 400

    assert eventually(taken, BACK_SECONDS)
    for answer in (finding_out, refused):
        found = entry(audited_shop, answer, "paymint-vault")
        assert found["status_code"] == answer.status_code
        assert found["merchant_id"] == merchant.id


def test_an_answered_request_is_on_record_though_the_process_is_killed(audited_shop: Shop) -> None:
    merchant = audited_shop.open_account()
    for _ in range(KILLS):
        answer = merchant.ask("POST", "/v1/customers", {"name": "Ada"})
        os.kill(audited_shop.serving.process_id("paymint-api"), signal.SIGKILL)
        assert entry(audited_shop, answer)["resource_id"] == answer.json()["id"]
        assert eventually(audited_shop.takes_payments, BACK_SECONDS)


def audit(shop: Shop, *arguments: str) -> tuple[int, str]:
    """Exit status and output of scripts/audit."""
    answer = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "scripts.auditing.main",
            "--data",
            str(shop.serving.directory),
            *arguments,
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return answer.returncode, answer.stdout + answer.stderr


def seal(shop: Shop) -> None:
    """Have everything sealed and archived: a worker that starts does so at once."""
    with shop.superuser_database() as connection:
        before = connection.execute(SEALED).fetchone()
        assert before is not None
        os.kill(shop.serving.process_id("paymint-worker"), signal.SIGKILL)

        def done() -> bool:
            row = connection.execute(SEALED).fetchone()
            assert row is not None
            number, exported, vault = row
            return bool(number > before[0] and exported == number and vault > before[2])

        assert eventually(done, BACK_SECONDS)


@pytest.fixture(scope="module")
def sealed_shop(audited_shop: Shop) -> Shop:
    """The same stack with some traffic, sealed."""
    merchant = audited_shop.open_account()
    for _ in range(8):
        merchant.get("/v1/customers")
    merchant.pay()
    audited_shop.http.get("/v1/nothing")
    seal(audited_shop)
    return audited_shop


@contextmanager
def tampering(shop: Shop, process: str, *statements: tuple[str, Any]) -> Iterator[None]:
    """What one who owns the server can do, with all triggers off; undone afterwards."""
    keys = {"audit_entries": "id"}
    if process == "paymint-api":
        keys["audit_roots"] = "number"
    with shop.superuser_database(process) as connection:
        connection.execute("SET session_replication_role = replica")
        for table in keys:
            connection.execute(f"CREATE TEMP TABLE {table}_kept AS TABLE {table}".encode())
        try:
            for statement, values in statements:
                assert connection.execute(statement.encode(), values).rowcount > 0
            yield
        finally:
            for table, key in keys.items():
                known = f"SELECT {key} FROM {table}_kept"
                connection.execute(f"DELETE FROM {table} WHERE {key} IN ({known})".encode())
                connection.execute(f"INSERT INTO {table} TABLE {table}_kept".encode())


def targets(shop: Shop, process: str = "paymint-api") -> list[tuple[UUID, int, UUID]]:
    """chain, sequence and id of the entries of the longest chain."""
    with shop.superuser_database(process) as connection:
        found: list[tuple[UUID, int, UUID]] = connection.execute(TARGETS).fetchall()
    return found


def found(shop: Shop, kind: str, chain: UUID, sequence: int, identifier: UUID | None) -> None:
    """scripts/audit verify finds this, by its names."""
    status, output = audit(shop, "verify")
    name = "unknown" if identifier is None else f"req_{identifier.hex}"
    line = f"{kind} chain={chain} sequence={sequence} request={name} "
    assert line in output, output
    assert status == 1


def test_an_untouched_trail_is_sound(sealed_shop: Shop) -> None:
    status, output = audit(sealed_shop, "verify", "--archive")
    assert (status, "; 0 findings" in output) == (0, True), output
    assert "archive: " in output
    months = audit(sealed_shop, "verify", "--from", "2020-01", "--to", "2020-02")
    assert months[0] == 0 and months[1].startswith("0 entries"), months
    shown = audit(sealed_shop, "public-keys")[1].split()[1]
    assert audit(sealed_shop, "verify", "--public-key", shown)[0] == 0
    status, output = audit(sealed_shop, "verify", "--public-key", "00" * 32)
    assert status == 1 and "ROOT 1 (main): is not signed by a known key" in output


@pytest.mark.parametrize("process", ["paymint-api", "paymint-vault"])
def test_a_changed_field_is_found(sealed_shop: Shop, process: str) -> None:
    chain, sequence, identifier = targets(sealed_shop, process)[1]
    change = (
        "UPDATE audit_entries SET entry = replace(entry::text, '127.0.0.1', '10.0.0.1')::json"
        " WHERE id = %s",
        (identifier,),
    )
    with tampering(sealed_shop, process, change):
        found(sealed_shop, "CHANGED", chain, sequence, identifier)


def test_a_changed_column_is_found(sealed_shop: Shop) -> None:
    chain, sequence, identifier = targets(sealed_shop)[2]
    for column in ("created_at = created_at - interval '1 day'", "livemode = true"):
        change = (f"UPDATE audit_entries SET {column} WHERE id = %s", (identifier,))
        with tampering(sealed_shop, "paymint-api", change):
            found(sealed_shop, "CHANGED", chain, sequence, identifier)


def test_a_deleted_entry_is_found(sealed_shop: Shop) -> None:
    chain, sequence, identifier = targets(sealed_shop)[3]
    deletion = ("DELETE FROM audit_entries WHERE id = %s", (identifier,))
    with tampering(sealed_shop, "paymint-api", deletion):
        found(sealed_shop, "MISSING", chain, sequence, None)


def test_a_truncated_tail_is_found(sealed_shop: Shop) -> None:
    chain = targets(sealed_shop)[0][0]
    with sealed_shop.superuser_database() as connection:
        row = connection.execute(
            "SELECT max(sequence) FROM audit_heads WHERE chain = %s", (chain,)
        ).fetchone()
    assert row is not None
    deletion = (
        "DELETE FROM audit_entries WHERE chain = %s AND sequence >= %s",
        (chain, row[0]),
    )
    with tampering(sealed_shop, "paymint-api", deletion):
        found(sealed_shop, "MISSING", chain, row[0], None)


def test_a_whole_chain_that_is_gone_is_found(sealed_shop: Shop) -> None:
    chain = targets(sealed_shop)[0][0]
    deletion = ("DELETE FROM audit_entries WHERE chain = %s", (chain,))
    with tampering(sealed_shop, "paymint-api", deletion):
        found(sealed_shop, "MISSING", chain, 1, None)


def test_exchanged_entries_are_found(sealed_shop: Shop) -> None:
    first, second = targets(sealed_shop)[2:4]
    places = (
        "UPDATE audit_entries SET sequence = %s - sequence WHERE id = ANY(%s)",
        (first[1] + second[1], [first[2], second[2]]),
    )
    with tampering(sealed_shop, "paymint-api", places):
        found(sealed_shop, "REORDERED", first[0], second[1], first[2])
        found(sealed_shop, "REORDERED", first[0], first[1], second[2])


def test_an_entry_in_another_chain_is_found(sealed_shop: Shop) -> None:
    chain, sequence, identifier = targets(sealed_shop)[2]
    with sealed_shop.superuser_database() as connection:
        row = connection.execute(
            "SELECT chain FROM audit_entries WHERE chain <> %s LIMIT 1", (chain,)
        ).fetchone()
    assert row is not None, "every start of the process has a chain of its own"
    move = ("UPDATE audit_entries SET chain = %s WHERE id = %s", (row[0], identifier))
    with tampering(sealed_shop, "paymint-api", move):
        found(sealed_shop, "MOVED", row[0], sequence, identifier)


def test_a_chain_written_anew_is_found(sealed_shop: Shop) -> None:
    """Who knows the form can make a chain fit again; not the roots."""
    chain, sequence, identifier = targets(sealed_shop)[0]
    unchain = (
        "UPDATE audit_entries SET hash = sha256(hash), previous = sha256(previous)"
        " WHERE chain = %s",
        (chain,),
    )
    with tampering(sealed_shop, "paymint-api", unchain):
        found(sealed_shop, "CHANGED", chain, sequence, identifier)


def test_an_entry_put_in_is_found(sealed_shop: Shop) -> None:
    insertion = (
        "INSERT INTO audit_entries (id, merchant_id, entry, created_at)"
        " SELECT '019d7cd4-575e-7d13-b09a-4c8e2f6d1b75', merchant_id, entry, now()"
        " FROM audit_entries LIMIT 1",
        None,
    )
    with sealed_shop.superuser_database() as connection:
        connection.execute(insertion[0].encode())
        try:
            status, output = audit(sealed_shop, "verify")
            assert status == 1
            assert "UNCHAINED" in output and "req_019d7cd4575e7d13b09a4c8e2f6d1b75" in output
        finally:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "DELETE FROM audit_entries WHERE id = '019d7cd4-575e-7d13-b09a-4c8e2f6d1b75'"
            )


def test_an_altered_root_is_found(sealed_shop: Shop) -> None:
    change = ("UPDATE audit_roots SET hash = sha256(hash) WHERE number = 1", None)
    with tampering(sealed_shop, "paymint-api", change):
        status, output = audit(sealed_shop, "verify")
        assert status == 1 and "ROOT 1 (main): was changed, or its heads were" in output


def test_a_root_that_is_gone_is_found_by_the_archive(sealed_shop: Shop) -> None:
    newest = ("DELETE FROM audit_roots WHERE number = (SELECT max(number) FROM audit_roots)", None)
    with tampering(sealed_shop, "paymint-api", newest):
        status, output = audit(sealed_shop, "verify", "--archive")
        assert status == 1 and "is not the one in the archive" in output


def test_a_changed_archive_is_found(sealed_shop: Shop) -> None:
    archive = Path(sealed_shop.serving.directory) / "audit-archive"
    assert archive.stat().st_mode & 0o777 == 0o700
    path = sorted(archive.rglob("*.jsonl.gz"))[0]
    assert path.stat().st_mode & 0o777 == 0o400
    whole = path.read_bytes()
    lines = gzip.decompress(whole).splitlines()
    first = json.loads(lines[0])
    first["entry"] = first["entry"].replace("127.0.0.1", "10.0.0.1")
    path.unlink()
    path.write_bytes(gzip.compress(b"\n".join([json.dumps(first).encode(), *lines[1:]])))
    try:
        status, output = audit(sealed_shop, "verify", "--archive")
        assert status == 1 and "its entries were changed" in output
        chain = UUID(hex=first["chain"])
        name = f"chain={chain} sequence={first['sequence']} request=req_{first['id']} (archive)"
        assert name in output, output
        assert audit(sealed_shop, "verify")[0] == 0
    finally:
        path.unlink()
        path.write_bytes(whole)
        path.chmod(0o400)


def test_looking_is_written_down(sealed_shop: Shop) -> None:
    assert audit(sealed_shop, "verify")[0] == 0
    with sealed_shop.superuser_database() as connection:
        row = connection.execute(
            "SELECT entry->>'path', entry->>'user_agent' FROM audit_entries"
            " WHERE entry->>'method' = 'CLI' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    assert row is not None and row[0] == "scripts/audit verify"
    assert row[1].startswith("os-user:")
