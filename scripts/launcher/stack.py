"""The whole of Paymint on one machine: `with Stack(directory) as stack:` starts it and stops it.

After the start: `stack.base_url`, `stack.vault_url`, `stack.keys` (the content of sandbox.json),
`stack.databases` (connection URLs), `stack.redis_url`, `stack.ports`, `stack.process_ids()`,
`stack.postgres_binaries`.  `stack.tend()` restarts what has died; scripts/serve calls it for ever.
"""

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.launcher.account import server_account
from scripts.launcher.binaries import postgres_binaries, valkey_binary
from scripts.launcher.bootstrap import ROOT
from scripts.launcher.certificates import ensure_certificates, utc_now
from scripts.launcher.cluster import Cluster
from scripts.launcher.console import Console, Silence
from scripts.launcher.databases import DatabaseUrls, embedded_databases, external_databases
from scripts.launcher.house import ISO8583, NETWORK, House, Options, basic_environment
from scripts.launcher.leftovers import await_leftovers
from scripts.launcher.place import Place, server_place
from scripts.launcher.ports import Ports, as_json, choose_ports
from scripts.launcher.private_files import read_json, write_json
from scripts.launcher.public_certificates import ensure_public_certificate
from scripts.launcher.renewal import LOOK_SECONDS, Renewing
from scripts.launcher.sandbox import ensure_sandbox
from scripts.launcher.state import StateDirectory
from scripts.launcher.supervision import LONGEST_PAUSE_SECONDS, Supervisor
from scripts.launcher.valkey import Valkey
from vault.networks.behaviours import CARD_NETWORKS

SERVER_PATIENCE_SECONDS = 60.0
VAULT_AND_OWNERS = (
    "VAULT_DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "VAULT_MIGRATION_DATABASE_URL",
)
HOUSE_PATIENCE_SECONDS = 60.0


class Stack:
    """Servers and processes of one data directory, from start to stop.

    `root` is the tree whose entry files are started; tests hand in a tree of stand-ins.
    `longest_pause`: seconds before a child that dies again and again is started anew.
    """

    keys: dict[str, Any]
    databases: DatabaseUrls
    redis_url: str | None
    postgres_binaries: Path | None = None
    _renewing: Renewing
    _public_looked_at: float

    def __init__(
        self,
        directory: Path,
        options: Options | None = None,
        console: Console | None = None,
        root: Path = ROOT,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self.state = StateDirectory(directory)
        self.options = options or Options(port=0)
        self._console = console or Silence()
        self._root = root
        self._supervisor = Supervisor(self._console, self._write_ports, longest_pause)
        self._ports: Ports | None = None
        self._place: Place | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def ports(self) -> Ports:
        assert self._ports is not None, "the stack is not started"
        return self._ports

    @property
    def base_url(self) -> str:
        return str(self.keys["base_url"])

    @property
    def vault_url(self) -> str:
        return str(self.keys["vault_url"])

    def process_ids(self) -> dict[str, int]:
        """Process ids by name: postgres, valkey, paymint-vault, paymint-api, paymint-worker, …"""
        return self._supervisor.process_ids()

    def tend(self) -> None:
        """Looks after every child once, and after the certificates once an hour."""
        self._supervisor.tend()
        monotonic = time.monotonic()
        self._renewing.tend(monotonic, utc_now())
        if monotonic - self._public_looked_at > LOOK_SECONDS:
            self._ensure_public_certificate()

    def stop(self) -> None:
        """API and worker first, then the vault, Valkey, and PostgreSQL last."""
        self._supervisor.stop()
        self._open.close()

    def _start(self) -> None:
        self.state.prepare()
        self._open.enter_context(self.state.held())
        self.state.rotate_logs()
        earlier = read_json(self.state.ports)
        await_leftovers(earlier.get("pids", {}), self._console)
        servers = len(CARD_NETWORKS) if self.options.networks == ISO8583 else 0
        self._ports = choose_ports(self.options.port, earlier, self.options.workers, servers)
        if ensure_certificates(self.state.tls, utc_now()):
            self._console.say("made the certificates of the private door")
        self._ensure_public_certificate()
        self._renewing = Renewing(self.state.tls, self._console.say)
        self.databases = self._start_databases()
        self.redis_url = self._start_redis()
        house = self._house()
        self._start_house(house)
        self.keys = ensure_sandbox(house)

    def _ensure_public_certificate(self) -> None:
        self._public_looked_at = time.monotonic()
        if self.options.tls and ensure_public_certificate(self.state.public_tls, utc_now()):
            self._console.say("made the certificate of the public doors")

    def _server_place(self) -> Place:
        if self._place is None:
            self._place = server_place(self.state, server_account(), self._console)
        return self._place

    def _start_databases(self) -> DatabaseUrls:
        if url := os.environ.get("DATABASE_URL"):
            self._console.say("using the database of DATABASE_URL")
            vault, *owners = (os.environ.get(name, "") for name in VAULT_AND_OWNERS)
            return external_databases(url, vault, self.state, (owners[0], owners[1]))
        place = self._server_place()
        self.postgres_binaries = postgres_binaries(place)
        password = self.state.password("postgres")
        cluster = Cluster(self.postgres_binaries, place, self.ports.postgres, password)
        if not cluster.exists():
            self._console.say("creating the database cluster")
            cluster.create(basic_environment())
        program = cluster.program(basic_environment(), self.state.log_file("postgres"))
        self._supervisor.start(program, clear_way=cluster.clear_way)
        late = "PostgreSQL is not ready"
        self._supervisor.wait_until(cluster.ready, late, SERVER_PATIENCE_SECONDS)
        self._console.say(f"PostgreSQL is ready on port {self.ports.postgres}")
        return embedded_databases(cluster, self.state)

    def _start_redis(self) -> str | None:
        if not self.options.redis:
            self._console.say(
                "no Redis: degraded mode, the database's unique constraint alone refuses "
                "duplicates (slower, but correct)"
            )
            return None
        if url := os.environ.get("REDIS_URL"):
            self._console.say("using the Redis of REDIS_URL")
            return url
        place = self._server_place()
        password = self.state.password("valkey")
        valkey = Valkey(valkey_binary(place), place, self.ports.valkey, password)
        self._supervisor.start(valkey.program(basic_environment(), self.state.log_file("valkey")))
        self._supervisor.wait_until(valkey.ready, "Valkey is not ready", SERVER_PATIENCE_SECONDS)
        self._console.say(f"Valkey is ready on port {self.ports.valkey}")
        return valkey.url()

    def _house(self) -> House:
        house = House(
            self._root, self.state, self.options, self.ports, self.databases, self.redis_url
        )
        binaries = str(self.postgres_binaries) if self.postgres_binaries else None
        told = {**house.environments(), **house.migrations(), "postgres_binaries": binaries}
        write_json(self.state.environment, told)
        return house

    def _start_house(self, house: House) -> None:
        house.migrate()
        self._console.say("databases are migrated; starting vault, API and worker")
        workers = [house.program(name) for name in house.workers()]
        if self.ports.networks:
            self._supervisor.start(house.program(NETWORK))
            late = "the card networks do not listen"
            self._supervisor.wait_until(house.networks_listen, late, HOUSE_PATIENCE_SECONDS)
        self._supervisor.start(house.program("paymint-vault"))
        self._supervisor.start(house.program("paymint-api"), *workers)
        late = "vault and API are not ready"
        self._supervisor.wait_until(house.ready, late, HOUSE_PATIENCE_SECONDS)

    def _write_ports(self) -> None:
        if self._ports is not None:
            write_json(self.state.ports, as_json(self._ports, self.process_ids()))
