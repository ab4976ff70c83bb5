"""Paymint's own processes: their environment, their migrations, their signs of life."""

import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

from scripts.launcher.console import LaunchError
from scripts.launcher.databases import DatabaseUrls
from scripts.launcher.ports import LOOPBACK, Ports, is_free
from scripts.launcher.processes import Program
from scripts.launcher.state import StateDirectory
from vault.networks.behaviours import CARD_NETWORKS

WORKER = "paymint-worker"
NETWORK = "paymint-network"
ISO8583 = "iso8583"
# What a child may know of the user's environment: nothing that could hold a credential.
HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
TRUST_STORES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# An answer that breaks the document ends in a 500 instead of a log line: tests set it.
# PAYMINT_READ_CACHE keeps rows in Valkey (docs/decisions/0023-redis-caches.md).
READ_CACHE = "PAYMINT_READ_CACHE"
SWITCHES = ("PAYMINT_STRICT_ANSWERS", READ_CACHE)
# Limits that a load test or a proxy asks to be other than usual (docs/limits.md).
LIMITS = (
    "PAYMINT_SANDBOX_ACCOUNTS_PER_HOUR",
    "PAYMINT_PUBLIC_REQUESTS_PER_MINUTE",
    "PAYMINT_FAILED_AUTHENTICATIONS_PER_MINUTE",
    "PAYMINT_PUBLISHABLE_KEY_MULTIPLIER",
    "PAYMINT_LIMITER_PROCESSES",
    "PAYMINT_MAX_REQUESTS_IN_FLIGHT",
    "PAYMINT_MAX_REQUESTS_AT_WORK",
    "PAYMINT_TRUSTED_PROXIES",
)
# Where the worker archives sealed audit entries, and how boto3 gets there.
ARCHIVE = (
    "PAYMINT_AUDIT_ARCHIVE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
# How patient the public doors are (contract/patience.py), and who reads them in a browser.
DOORS = (
    "PAYMINT_HEAD_SECONDS",
    "PAYMINT_BODY_SECONDS",
    "PAYMINT_STALL_SECONDS",
    "PAYMINT_ANSWER_SECONDS",
    "PAYMINT_IDLE_SECONDS",
    "PAYMINT_CONNECTIONS_MAX",
    "PAYMINT_DASHBOARD_ORIGIN",
)
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
    tls: bool = False
    workers: int = 1
    # `simulator`: the card networks live in the vault; `iso8583`: they are servers.
    networks: str = "simulator"


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
    def scheme(self) -> str:
        """How the public doors are spoken to."""
        return "https" if self.options.tls else "http"

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{LOOPBACK}:{self.ports.api}"

    @property
    def vault_url(self) -> str:
        return f"{self.scheme}://{LOOPBACK}:{self.ports.vault}"

    def environments(self) -> dict[str, dict[str, str]]:
        """The whole environment of each process, by its name; each gets what it needs only."""
        common = basic_environment((*TRUST_STORES, *SWITCHES, *LIMITS, *DOORS)) | {
            "PYTHONPATH": str(self.root),
            "PAYMINT_STATE_DIR": str(self.state.path),
            "PAYMINT_RELAY_PORT": str(self.ports.relay),
        }
        networks = {NETWORK: common | self._network_environment()} if self.ports.networks else {}
        return {
            **networks,
            "paymint-vault": common | self._tls_environment() | self._vault_environment(),
            "paymint-api": common | self._tls_environment() | self._api_environment(),
            **{
                name: common | self._worker_environment(number)
                for number, name in enumerate(self.workers(), start=1)
            },
        }

    def workers(self) -> list[str]:
        """The workers' names: `paymint-worker`, and `paymint-worker-2` and so on beside it."""
        more = (f"{WORKER}-{number}" for number in range(2, self.options.workers + 1))
        return [WORKER, *more]

    def _tls_environment(self) -> dict[str, str]:
        if not self.options.tls:
            return {}
        return {
            "PAYMINT_TLS_CERTIFICATE": str(self.state.public_tls / "server.pem"),
            "PAYMINT_TLS_KEY": str(self.state.public_tls / "server.key"),
        }

    def _vault_environment(self) -> dict[str, str]:
        return {
            "VAULT_DATABASE_URL": self.databases.vault,
            "PAYMINT_VAULT_PORT": str(self.ports.vault),
            "PAYMINT_METRICS_PORT": str(self.ports.vault_metrics),
            **self._network_environment(),
        }

    def _network_environment(self) -> dict[str, str]:
        """How vault and networks find each other, where the networks are servers."""
        latency = {"PAYMINT_NETWORK_LATENCY_MS": self.options.network_latency}
        if not self.ports.networks:
            return latency
        places = zip(CARD_NETWORKS, self.ports.networks, strict=True)
        addresses = ",".join(f"{network}={LOOPBACK}:{port}" for network, port in places)
        return latency | {"PAYMINT_NETWORK_ADDRESSES": addresses}

    def _main_environment(self) -> dict[str, str]:
        environment = {
            "DATABASE_URL": self.databases.main,
            "PAYMINT_PUBLIC_ORIGIN": os.environ.get("PAYMINT_PUBLIC_ORIGIN", self.base_url),
        }
        if self.options.allow_loopback_webhooks:
            environment["PAYMINT_ALLOW_LOOPBACK_WEBHOOKS"] = "1"
        return environment

    def _api_environment(self) -> dict[str, str]:
        environment = self._main_environment() | {
            "PAYMINT_API_PORT": str(self.ports.api),
            "PAYMINT_METRICS_PORT": str(self.ports.api_metrics),
            "PAYMINT_PROCESS_NUMBER": "0",
        }
        if self.redis_url:
            environment["REDIS_URL"] = self.redis_url
        return environment

    def _worker_environment(self, number: int) -> dict[str, str]:
        """Of the worker with this process number; the API's is 0."""
        metrics = (self.ports.worker_metrics, *self.ports.more_worker_metrics)
        environment = self._main_environment() | {
            "PAYMINT_METRICS_PORT": str(metrics[number - 1]),
            "PAYMINT_PROCESS_NUMBER": str(number),
        }
        environment |= {name: os.environ[name] for name in ARCHIVE if name in os.environ}
        # What the worker changes must not stay in the cache as it was.
        if self.redis_url and os.environ.get(READ_CACHE) == "1":
            environment["REDIS_URL"] = self.redis_url
        return environment

    def program(self, name: str) -> Program:
        """One process, named in its command line by the path of its entry file."""
        entry = WORKER if name.startswith(WORKER) else name
        return Program(
            name=name,
            command=(sys.executable, str(self.root / "scripts" / entry)),
            environment=self.environments()[name],
            directory=self.root,
            log=self.state.log_file(name),
            patience=GRACE_SECONDS,
        )

    def migrations(self) -> dict[str, dict[str, str]]:
        """The environment of each migration, by its module: the owner's URL is only there."""
        environments, urls = self.environments(), self.databases
        main, vault = environments["paymint-api"], environments["paymint-vault"]
        return {
            "flows.migrate": main | {"MIGRATION_DATABASE_URL": urls.main_owner or urls.main},
            "vault.migrate": vault
            | {"VAULT_MIGRATION_DATABASE_URL": urls.vault_owner or urls.vault},
        }

    def migrate(self) -> None:
        """Brings both databases to the present shape, side by side."""
        runs = [
            start_module(self.root, module, environment)
            for module, environment in self.migrations().items()
        ]
        outcomes = [(run.communicate()[0], run) for run in runs]
        for output, run in outcomes:
            if run.returncode != 0:
                raise LaunchError(f"{run.args!r} failed:\n{output.decode(errors='replace')}")

    def networks_listen(self) -> bool:
        """Whether every network that is a server listens."""
        return not any(is_free(port) for port in self.ports.networks)

    def ready(self) -> bool:
        """Whether the vault's token door and the API both say so."""
        trust = self.trust()
        return answers(self.ports.vault, "/healthz", trust) and answers(
            self.ports.api, "/readyz", trust
        )

    def trust(self) -> ssl.SSLContext | None:
        """What the public doors' certificate is checked against; None without TLS."""
        if not self.options.tls:
            return None
        return ssl.create_default_context(cafile=str(self.state.public_authority))


def basic_environment(more: tuple[str, ...] = ()) -> dict[str, str]:
    """The part of our environment that a child is handed."""
    return {name: os.environ[name] for name in (*HANDED_ON, *more) if name in os.environ}


def start_module(
    root: Path, module: str, environment: Mapping[str, str], *arguments: str
) -> "subprocess.Popen[bytes]":
    """Runs a module of the tree to its end; its output is read by the caller."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        cwd=root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def connected(port: int, trust: ssl.SSLContext | None, seconds: float) -> HTTPConnection:
    """A connection to a public door on loopback, over TLS when there is something to trust."""
    if trust is None:
        return HTTPConnection(LOOPBACK, port, timeout=seconds)
    return HTTPSConnection(LOOPBACK, port, timeout=seconds, context=trust)


def answers(port: int, path: str, trust: ssl.SSLContext | None = None) -> bool:
    """Whether a GET on loopback is answered with 200."""
    connection = connected(port, trust, HEALTH_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def post_json(
    port: int, path: str, body: Mapping[str, object], trust: ssl.SSLContext | None = None
) -> dict[str, object]:
    """Posts JSON on loopback and gives the answer's object; LaunchError unless it is 2xx."""
    connection = connected(port, trust, REQUEST_SECONDS)
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
