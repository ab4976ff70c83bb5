"""The data directory: one launcher at a time, secrets closed, ports kept."""

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.launcher import state as state_module
from scripts.launcher.account import server_account
from scripts.launcher.console import LaunchError, Silence
from scripts.launcher.place import server_place
from scripts.launcher.ports import as_json, choose_ports
from scripts.launcher.state import StateDirectory


def prepared(directory: Path) -> StateDirectory:
    state = StateDirectory(directory)
    state.prepare()
    return state


def test_a_second_launcher_is_refused(tmp_path: Path) -> None:
    state = prepared(tmp_path)
    refused = pytest.raises(LaunchError, match="another scripts/serve is running")
    with state.held(), refused, StateDirectory(tmp_path).held():
        pass
    with StateDirectory(tmp_path).held():
        pass


def test_passwords_are_kept_differ_and_are_private(tmp_path: Path) -> None:
    state = prepared(tmp_path)
    first = state.password("paymint")
    assert StateDirectory(tmp_path).password("paymint") == first
    assert state.password("paymint_vault") != first
    assert len(first) >= 40
    assert state.secrets.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_made_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LaunchError, match="cannot use"):
        prepared(tmp_path / "file" / "var")


def test_a_log_past_its_bound_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "LOG_LIMIT_BYTES", 10)
    state = prepared(tmp_path)
    state.log_file("long").write_text("x" * 11)
    state.log_file("short").write_text("x" * 10)
    state.rotate_logs()
    assert {log.name for log in state.logs.iterdir()} == {"long.log.1", "short.log"}


def test_ports_are_kept_and_distinct() -> None:
    first = choose_ports(0, {})
    ports = as_json(first, {"paymint-api": 1})
    assert choose_ports(0, ports) == first
    assert ports.pop("pids") == {"paymint-api": 1}
    assert ports.pop("more_worker_metrics") == ()
    assert len(set(ports.values())) == len(ports)


def test_more_workers_get_more_ports_and_the_others_stay() -> None:
    first = choose_ports(0, {}, workers=2)
    ports = json.loads(json.dumps(as_json(first, {})))
    assert choose_ports(0, ports, workers=2) == first
    more = choose_ports(0, ports, workers=3)
    assert more.more_worker_metrics[:1] == first.more_worker_metrics
    assert len({more.worker_metrics, *more.more_worker_metrics}) == 3
    assert choose_ports(0, ports) == replace(first, more_worker_metrics=())


def test_a_port_in_use_is_a_plain_sentence_or_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(LaunchError, match=f"port {number} is in use"):
            choose_ports(number, {})
        assert choose_ports(0, {"postgres": number}).postgres != number


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account to the servers")
def test_a_directory_behind_closed_parents_has_its_servers_elsewhere(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    state = prepared(closed / "var")
    account = server_account()
    assert account is not None
    place = server_place(state, account, Silence())
    try:
        assert account.reaches(place.path)
        assert not account.reaches(state.servers)
        assert server_place(state, account, Silence()) == place
        assert (place.path / "belongs-to").read_text() == f"{state.path}\n"
        place.path.chmod(0o777)
        with pytest.raises(LaunchError, match="can be changed by others"):
            server_place(state, account, Silence())
    finally:
        shutil.rmtree(place.path)
