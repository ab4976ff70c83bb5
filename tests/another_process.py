"""One more process of the product beside those of a running stack, over the same servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from tests.cluster import free_port
from tests.serving import ROOT, eventually
from tests.shop import Shop

START_SECONDS = 90.0
STOP_SECONDS = 60.0
# Numbers that no process of a stack has: their counter slots are their own.
API_NUMBER, WORKER_NUMBER = "7", "8"
API = (sys.executable, str(ROOT / "scripts" / "paymint-api"))


def start_another(shop: Shop, port: int, command: Sequence[str] = API) -> "subprocess.Popen[bytes]":
    """One more API process that will listen on `port`."""
    changes = {"PAYMINT_API_PORT": str(port), "PAYMINT_PROCESS_NUMBER": API_NUMBER}
    return _started(shop.environment["paymint-api"] | changes, command)


def start_another_worker(shop: Shop, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """One more worker process."""
    changes = {"PAYMINT_PROCESS_NUMBER": WORKER_NUMBER}
    return _started(shop.environment["paymint-worker"] | changes, command)


def _started(environment: dict[str, str], command: Sequence[str]) -> "subprocess.Popen[bytes]":
    changes = {"PAYMINT_METRICS_PORT": "0", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment, **changes},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def alive(client: httpx.Client) -> bool:
    """Whether a process answers at all."""
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, after which it must end in good order."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_SECONDS) == 0


@contextmanager
def another_api(shop: Shop, command: Sequence[str] = API) -> Iterator[httpx.Client]:
    """A client of one more API process; the stop must be clean."""
    port = free_port()
    process = start_another(shop, port, command)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            assert eventually(lambda: alive(client), START_SECONDS)
            yield client
        stop(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
