"""The first merchant: made once, resumed when interrupted, found again under another port."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.launcher.console import LaunchError
from scripts.launcher.databases import DatabaseUrls
from scripts.launcher.house import House, Options
from scripts.launcher.ports import choose_ports
from scripts.launcher.sandbox import ensure_sandbox
from scripts.launcher.state import StateDirectory

# As the real one: the key is given away once.
SETUP_ONCE = """
import json, pathlib
pathlib.Path("given").touch(exist_ok=False)
print(json.dumps({"event": "setup"}))
print(json.dumps({"platform_key": "sk_platform_1"}))
"""
ACCOUNT = {
    "object": "sandbox_account",
    "merchant": {"id": "mch_1"},
    "secret_key": "sk_test_1",
    "publishable_key": "pk_test_1",
    "webhook_secret": "whsec_1",
}


@contextmanager
def api(port: int, status: int) -> Iterator[list[bytes]]:
    """Something that answers POSTs on the API's port; gives the bodies it was sent."""
    bodies: list[bytes] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(ACCOUNT).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", port), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "setup.py").write_text(SETUP_ONCE)
    state = StateDirectory(tmp_path / "var")
    state.prepare()
    return House(
        tmp_path, state, Options(), choose_ports(0, {}), DatabaseUrls("postgresql://a", "b"), None
    )


def test_it_is_made_once_and_kept_under_another_port(house: House) -> None:
    with api(house.ports.api, 201) as bodies:
        first = ensure_sandbox(house)
        assert ensure_sandbox(house) == first
    assert len(bodies) == 1
    assert first == {
        "base_url": house.base_url,
        "vault_url": house.vault_url,
        "merchant_id": "mch_1",
        "secret_key": "sk_test_1",
        "publishable_key": "pk_test_1",
        "platform_key": "sk_platform_1",
        "webhook_secret": "whsec_1",
    }
    moved = replace(house, ports=replace(house.ports, api=1, vault=2))
    later = ensure_sandbox(moved)
    assert later["base_url"] == "http://127.0.0.1:1"
    assert later["vault_url"] == "http://127.0.0.1:2"
    assert later["secret_key"] == "sk_test_1"
    assert house.state.sandbox.stat().st_mode & 0o777 == 0o600
    assert json.loads(house.state.sandbox.read_text()) == later


def test_an_interrupted_start_resumes_with_the_same_platform_key(house: House) -> None:
    with api(house.ports.api, 503), pytest.raises(LaunchError, match="answered 503"):
        ensure_sandbox(house)
    assert not house.state.sandbox.exists()
    with api(house.ports.api, 201):
        assert ensure_sandbox(house)["platform_key"] == "sk_platform_1"
    assert not house.state.setup.exists()
