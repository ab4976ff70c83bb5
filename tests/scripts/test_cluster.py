"""The embedded PostgreSQL: unprivileged, behind a password, durable, and back after a crash."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from scripts.launcher.databases import embedded_databases
from tests.scripts.conftest import Servers, prepared_servers

RESTART_SECONDS = 30.0


def scalar(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_it_does_not_run_as_root(servers: Servers) -> None:
    pid = servers.supervisor.process_ids()["postgres"]
    owner = Path(f"/proc/{pid}").stat().st_uid
    assert owner != 0
    assert owner == (servers.place.account.uid if servers.place.account else os.geteuid())


def test_a_wrong_or_missing_password_is_refused(servers: Servers) -> None:
    right = servers.cluster.url()
    assert scalar(right, "SELECT 1") == 1
    for wrong in ("wrong", ""):
        url = right.replace(servers.state.password("postgres"), wrong)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url)


def test_it_listens_on_loopback_only(servers: Servers) -> None:
    assert scalar(servers.cluster.url(), "SHOW listen_addresses") == "127.0.0.1"
    assert scalar(servers.cluster.url(), "SHOW unix_socket_directories") == ""


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_durability_is_not_traded(servers: Servers, setting: str) -> None:
    assert scalar(servers.cluster.url(), f"SHOW {setting}") == "on"


def test_text_is_utf8_and_sorted_by_code_point(servers: Servers) -> None:
    assert scalar(servers.cluster.url(), "SHOW server_encoding") == "UTF8"
    assert scalar(servers.cluster.url(), "SELECT 'Z' < 'a'") is True


def test_neither_house_opens_the_other_ones_database(servers: Servers) -> None:
    urls = embedded_databases(servers.cluster, servers.state)
    again = embedded_databases(servers.cluster, servers.state)
    assert again == urls
    for url, database in ((urls.main, "paymint"), (urls.vault, "paymint_vault")):
        assert scalar(url, "SELECT current_database()") == database
        assert scalar(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    for url, other in (
        (urls.main, "paymint_vault"),
        (urls.vault, "paymint"),
        (urls.main, "postgres"),
    ):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url.rpartition("/")[0] + f"/{other}")


def test_the_data_is_closed_to_others(servers: Servers) -> None:
    assert servers.cluster.data.stat().st_mode & 0o077 == 0
    assert servers.state.secrets.stat().st_mode & 0o777 == 0o600
    assert not (servers.place.path / "initdb-password").exists()


@pytest.fixture
def own_servers() -> Iterator[Servers]:
    directory = Path(tempfile.mkdtemp(prefix="paymint-test-"))
    try:
        with prepared_servers(directory) as made:
            yield made
    finally:
        shutil.rmtree(directory)


def test_it_comes_back_after_kill_9_with_what_was_committed(own_servers: Servers) -> None:
    own_servers.start_cluster()
    url = own_servers.cluster.url()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    killed = own_servers.supervisor.process_ids()["postgres"]
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + RESTART_SECONDS
    while own_servers.supervisor.process_ids()["postgres"] == killed:
        assert time.monotonic() < deadline
        own_servers.supervisor.tend()
        time.sleep(0.05)
    own_servers.supervisor.wait_until(own_servers.cluster.ready, "late", RESTART_SECONDS)
    assert scalar(url, "SELECT value FROM kept") == 7


def test_a_pid_file_that_names_a_stranger_is_no_hindrance(own_servers: Servers) -> None:
    account = own_servers.place.account
    with subprocess.Popen(
        ["sleep", "60"], user=account.uid if account else None, cwd="/"
    ) as stranger:
        pid_file = own_servers.cluster.data / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{own_servers.cluster.data}\n0\n1\n\n127.0.0.1\n0\n")
        own_servers.start_cluster()
        assert scalar(own_servers.cluster.url(), "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_it_stops_cleanly_while_a_client_is_connected(own_servers: Servers) -> None:
    own_servers.start_cluster()
    with psycopg.connect(own_servers.cluster.url()):
        began = time.monotonic()
        own_servers.supervisor.stop()
        assert time.monotonic() - began < 10
    control = subprocess.run(
        [own_servers.cluster.binaries / "pg_controldata", own_servers.cluster.data],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Database cluster state:               shut down\n" in control.stdout
