"""A real PostgreSQL and a real Valkey for the tests of the launcher, started by the launcher."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.launcher.account import server_account
from scripts.launcher.binaries import postgres_binaries, valkey_binary
from scripts.launcher.cluster import Cluster
from scripts.launcher.console import Silence
from scripts.launcher.house import basic_environment
from scripts.launcher.place import Place, server_place
from scripts.launcher.ports import Ports, choose_ports
from scripts.launcher.state import StateDirectory
from scripts.launcher.supervision import Supervisor
from scripts.launcher.valkey import Valkey

PATIENCE_SECONDS = 60.0


@dataclass
class Servers:
    """Both servers of one directory, watched as scripts/serve watches them."""

    state: StateDirectory
    place: Place
    ports: Ports
    supervisor: Supervisor
    cluster: Cluster
    valkey: Valkey

    def start_cluster(self) -> None:
        program = self.cluster.program(basic_environment(), self.state.log_file("postgres"))
        self.supervisor.start(program, clear_way=self.cluster.clear_way)
        self.supervisor.wait_until(self.cluster.ready, "PostgreSQL is late", PATIENCE_SECONDS)

    def start_valkey(self) -> None:
        program = self.valkey.program(basic_environment(), self.state.log_file("valkey"))
        self.supervisor.start(program)
        self.supervisor.wait_until(self.valkey.ready, "Valkey is late", PATIENCE_SECONDS)


@contextmanager
def prepared_servers(directory: Path) -> Iterator[Servers]:
    state = StateDirectory(directory)
    state.prepare()
    place = server_place(state, server_account(), Silence())
    ports = choose_ports(0, {})
    cluster = Cluster(postgres_binaries(place), place, ports.postgres, state.password("postgres"))
    valkey = Valkey(valkey_binary(place), place, ports.valkey, state.password("valkey"))
    supervisor = Supervisor(Silence(), lambda: None)
    cluster.create(basic_environment())
    try:
        yield Servers(state, place, ports, supervisor, cluster, valkey)
    finally:
        supervisor.stop()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Both servers, running; in a directory that an unprivileged account can reach."""
    directory = Path(tempfile.mkdtemp(prefix="paymint-test-"))
    try:
        with prepared_servers(directory) as made:
            made.start_cluster()
            made.start_valkey()
            yield made
    finally:
        shutil.rmtree(directory)
