"""Paymint's own processes: their environment, their migrations, their signs of life."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.console import LaunchError
from scripts.launcher.databases import DatabaseUrls
from scripts.launcher.ports import LOOPBACK, Ports
from scripts.launcher.processes import Program
from scripts.launcher.state import StateDirectory

PROCESSES = ("paymint-vault", "paymint-api", "paymint-worker")
# What a child may know of the user's environment: nothing that could hold a credential.
HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
TRUST_STORES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# An answer that breaks the document ends in a 500 instead of a log line: tests set it.
# PAYMINT_READ_CACHE keeps rows in Valkey (docs/decisions/0023-redis-caches.md).
READ_CACHE = "PAYMINT_READ_CACHE"
SWITCHES = ("PAYMINT_STRICT_ANSWERS", READ_CACHE)
HEALTH_SECONDS = 3.0
REQUEST_SECONDS = 30.0
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Options:
    """What the person chose: see `scripts/serve --help`."""

    port: int = 8080
    redis: bool = True
    allow_loopback_webhooks: bool = False
    network_latency: str = "0"


@dataclass(frozen=True)
class House:
    """One installation: the tree it runs from, its state, its ports and its servers."""

    root: Path
    state: StateDirectory
    options: Options
    ports: Ports
    databases: DatabaseUrls
    redis_url: str | None

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.api}"

    @property
    def vault_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.vault}"

    def environments(self) -> dict[str, dict[str, str]]:
        """The whole environment of each process, by its name; each gets what it needs only."""
        common = basic_environment((*TRUST_STORES, *SWITCHES)) | {
            "PYTHONPATH": str(self.root),
            "PAYMINT_STATE_DIR": str(self.state.path),
            "PAYMINT_RELAY_PORT": str(self.ports.relay),
        }
        return {
            "paymint-vault": common | self._vault_environment(),
            "paymint-api": common | self._api_environment(),
            "paymint-worker": common | self._worker_environment(),
        }

    def _vault_environment(self) -> dict[str, str]:
        return {
            "VAULT_DATABASE_URL": self.databases.vault,
            "PAYMINT_VAULT_PORT": str(self.ports.vault),
            "PAYMINT_METRICS_PORT": str(self.ports.vault_metrics),
            "PAYMINT_NETWORK_LATENCY_MS": self.options.network_latency,
        }

    def _main_environment(self) -> dict[str, str]:
        environment = {"DATABASE_URL": self.databases.main}
        if self.options.allow_loopback_webhooks:
            environment["PAYMINT_ALLOW_LOOPBACK_WEBHOOKS"] = "1"
        return environment

    def _api_environment(self) -> dict[str, str]:
        environment = self._main_environment() | {
            "PAYMINT_API_PORT": str(self.ports.api),
            "PAYMINT_PUBLIC_ORIGIN": self.base_url,
            "PAYMINT_METRICS_PORT": str(self.ports.api_metrics),
            "PAYMINT_PROCESS_NUMBER": "0",
        }
        if self.redis_url:
            environment["REDIS_URL"] = self.redis_url
        return environment

    def _worker_environment(self) -> dict[str, str]:
        environment = self._main_environment() | {
            "PAYMINT_METRICS_PORT": str(self.ports.worker_metrics),
            "PAYMINT_PROCESS_NUMBER": "1",
        }
        # What the worker changes must not stay in the cache as it was.
        if self.redis_url and os.environ.get(READ_CACHE) == "1":
            environment["REDIS_URL"] = self.redis_url
        return environment

    def program(self, name: str) -> Program:
        """One process, named in its command line by the path of its entry file."""
        return Program(
            name=name,
            command=(sys.executable, str(self.root / "scripts" / name)),
            environment=self.environments()[name],
            directory=self.root,
            log=self.state.log_file(name),
            patience=GRACE_SECONDS,
        )

    def migrate(self) -> None:
        """Brings both databases to the present shape, side by side."""
        environments = self.environments()
        runs = [
            start_module(self.root, "models.migrate", environments["paymint-api"]),
            start_module(self.root, "vault.migrate", environments["paymint-vault"]),
        ]
        outcomes = [(run.communicate()[0], run) for run in runs]
        for output, run in outcomes:
            if run.returncode != 0:
                raise LaunchError(f"{run.args!r} failed:\n{output.decode(errors='replace')}")

    def ready(self) -> bool:
        """Whether the vault's token door and the API both say so."""
        return answers(self.ports.vault, "/healthz") and answers(self.ports.api, "/readyz")


def basic_environment(more: tuple[str, ...] = ()) -> dict[str, str]:
    """The part of our environment that a child is handed."""
    return {name: os.environ[name] for name in (*HANDED_ON, *more) if name in os.environ}


def start_module(
    root: Path, module: str, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Runs a module of the tree to its end; its output is read by the caller."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        cwd=root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def answers(port: int, path: str) -> bool:
    """Whether a GET on loopback is answered with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def post_json(port: int, path: str, body: Mapping[str, object]) -> dict[str, object]:
    """Posts JSON on loopback and gives the answer's object; LaunchError unless it is 2xx."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=REQUEST_SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as reason:
        raise LaunchError(f"POST {path} failed: {reason}") from reason
    finally:
        connection.close()
    if response.status // 100 != 2:
        raise LaunchError(f"POST {path} answered {response.status}: {content.decode()}")
    answer = json.loads(content)
    assert isinstance(answer, dict)
    return answer
