"""What scripts/serve prints, pasted into a shell, on a stack without Redis: the degraded mode."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.receiver import receiving
from tests.serving import GENUINE, Serving, serving

PASTE_SECONDS = 60.0
SECOND_START_SECONDS = 5.0
KEYS = {
    "base_url",
    "vault_url",
    "merchant_id",
    "secret_key",
    "publishable_key",
    "platform_key",
    "webhook_secret",
}


@pytest.fixture(scope="module")
def degraded() -> Iterator[Serving]:
    """The command itself, as a newcomer starts it, without Redis."""
    options = ("--port", "0", "--no-redis", "--allow-loopback-webhooks")
    with serving(GENUINE, *options) as running:
        yield running


def printed_lines(output: str) -> tuple[str, str]:
    """The pasted block and the line about webhooks, cut out of what was printed."""
    block = re.search(r"^API=.*?^ask [^\n]*/v1/events[^\n]*$", output, re.M | re.S)
    webhook = re.search(r"^ask [^\n]*/v1/webhook_endpoints[^\n]*$", output, re.M)
    assert block is not None and webhook is not None, output
    return block[0], webhook[0]


def paste(lines: str) -> list[dict[str, Any]]:
    """Runs lines in a shell; the JSON objects that they print."""
    ended = subprocess.run(
        ["sh", "-eu"], input=lines, capture_output=True, text=True, timeout=PASTE_SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines() if line.strip()]


def test_the_printed_lines_work_as_pasted(degraded: Serving) -> None:
    block, webhook = printed_lines(degraded.output)
    with receiving() as receiver:
        pasted = webhook.replace("http://127.0.0.1:9000/hook", receiver.url)
        assert pasted != webhook
        first_lines = block.split("\n\n")[0]
        endpoint = paste(f"{first_lines}\n{pasted}\n")[0]
        captured, refund, events = paste(block + "\n")
        receiver.wait_for("refund.succeeded", 10.0)
    assert (endpoint["object"], endpoint["url"]) == ("webhook_endpoint", receiver.url)
    assert (captured["status"], captured["amount_captured"]) == ("captured", 15000)
    assert (refund["payment_id"], refund["amount"]) == (captured["id"], 5000)
    wanted = {"payment.authorized", "payment.captured", "refund.created"}
    assert wanted <= {event["type"] for event in events["data"]}


def test_sandbox_json_has_the_keys_and_is_private(degraded: Serving) -> None:
    assert degraded.state("sandbox").keys() == KEYS
    assert (degraded.directory / "sandbox.json").stat().st_mode & 0o777 == 0o600
    for key in ("secret_key", "publishable_key"):
        assert str(degraded.state("sandbox")[key]) in degraded.output


def test_without_redis_it_is_ready_and_says_degraded(degraded: Serving) -> None:
    assert "degraded mode" in degraded.output
    answer = httpx.get(f"{degraded.state('sandbox')['base_url']}/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    checks = answer.json()["checks"]
    assert checks.pop("redis") == "degraded"
    assert set(checks.values()) == {"ok"}


def test_without_redis_a_key_still_pays_once(degraded: Serving) -> None:
    keys = degraded.state("sandbox")
    headers = {"Authorization": f"Bearer {keys['secret_key']}"}
    headers["Idempotency-Key"] = "6f1d7f9c-20a4-4b44-9f35-3d6a6a2f0a11"
    secret = {"Authorization": f"Bearer {keys['publishable_key']}"}
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    with httpx.Client(timeout=30) as http:
        sent = http.post(
            f"{keys['vault_url']}/v1/tokens", json={"type": "card", "card": card}, headers=secret
        )
        assert sent.status_code == 201, sent.text
        body = {"amount": 700, "currency": "eur", "payment_method_id": sent.json()["id"]}
        url = f"{keys['base_url']}/v1/payments"
        first, second = (http.post(url, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["idempotent-replayed"] == "true"
    assert first.json() == second.json()


def test_every_child_is_named_and_bound_to_loopback_only(degraded: Serving) -> None:
    for name in ("paymint-api", "paymint-vault", "paymint-worker"):
        pid = degraded.process_id(name)
        with open(f"/proc/{pid}/cmdline") as line:
            assert name in line.read()
    ports = degraded.state("ports")
    del ports["pids"]
    lists = [port for port in ports.values() if isinstance(port, list)]
    chosen = {port for port in ports.values() if isinstance(port, int)}.union(*lists)
    with open("/proc/net/tcp") as table:
        listening = [line.split()[1] for line in table if " 0A " in line]
    bound = {int(place.split(":")[1], 16): place.split(":")[0] for place in listening}
    for port in chosen & bound.keys():
        assert bound[port] == "0100007F", f"port {port} is bound to {bound[port]}"
    assert {ports["api"], ports["vault"]} <= bound.keys()
