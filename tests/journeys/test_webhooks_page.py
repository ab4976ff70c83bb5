"""docs/webhooks.md keeps its word: its code verifies its vectors, its lines run as they stand."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.house.tree import ROOT
from tests.receiver import Receiver
from tests.shop import Merchant, Shop

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
README = (ROOT / "README.md").read_text()
RUN_SECONDS = 60.0
LATE_SECONDS = 301


def block(language: str) -> str:
    """The page's only block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


VECTORS: dict[str, Any] = json.loads(block("json"))


@pytest.fixture(scope="module")
def verifying() -> dict[str, Any]:
    """The functions of the page's Python."""
    names: dict[str, Any] = {}
    exec(block("python"), names)
    return names


def fits(names: dict[str, Any], sent: dict[str, Any], secret: str, **changes: Any) -> list[bool]:
    """What both verifiers say to a vector."""
    body = str(changes.get("body", VECTORS["body"])).encode()
    now = changes.get("now", VECTORS["timestamp"])
    headers = {
        "webhook-id": VECTORS["id"],
        "webhook-timestamp": str(VECTORS["timestamp"]),
        "webhook-signature": sent["webhook_signature"],
    }
    return [
        names["paymint_fits"](sent["paymint_signature"], body, secret, now),
        names["standard_fits"](headers, body, secret, now),
    ]


def test_the_pages_python_verifies_the_pages_vectors(verifying: dict[str, Any]) -> None:
    old, rolled = VECTORS["secret"], VECTORS["rolled"]
    assert fits(verifying, VECTORS, old) == [True, True]
    assert fits(verifying, VECTORS, rolled["secret"]) == [False, False]
    for secret in (old, rolled["secret"]):
        assert fits(verifying, rolled, secret) == [True, True]
        assert fits(verifying, rolled, secret, body="{}") == [False, False]
    late = VECTORS["timestamp"] + LATE_SECONDS
    assert fits(verifying, VECTORS, old, now=late) == [False, False]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("vector", [VECTORS, VECTORS["rolled"]], ids=["first", "rolled"])
def test_the_pages_openssl_gives_the_pages_vectors(vector: dict[str, Any]) -> None:
    given = {
        "BODY": VECTORS["body"],
        "TIMESTAMP": str(VECTORS["timestamp"]),
        "ID": VECTORS["id"],
        "WHSEC": vector["secret"],
    }
    hexadecimal, base64 = run("bash", block("bash"), given).split()
    assert vector["paymint_signature"].split(",")[1] == f"v1={hexadecimal}"
    assert vector["webhook_signature"].split(" ")[0] == f"v1,{base64}"


def test_the_pages_lines_run_as_they_stand(
    shop: Shop, merchant: Merchant, receiver: Receiver
) -> None:
    definitions = re.findall(r"^(?:JSON|ask|id_of)(?:=|\(\)).*$", README, re.M)
    assert len(definitions) == 3
    given = {
        "API": shop.base_url,
        "SECRET": merchant.secret_key,
        "PAYMENT": merchant.pay()["id"],
        "HOOK": receiver.url,
    }
    output = run("bash", "\n".join(["set -eu", *definitions, block("sh")]), given)
    answers = [json.loads(line) for line in output.splitlines()]
    assert [answer["object"] for answer in answers] == [
        "webhook_endpoint",
        "webhook_endpoint",
        "list",
        "list",
        "event",
        "list",
        "list",
    ]
    assert answers[0]["enabled_events"] is None and answers[1]["secret"].startswith("whsec_")
    assert len(answers[2]["data"]) == 1
    receiver.wait_for("payment.captured", 5.0)


def run(shell: str, script: str, given: dict[str, str]) -> str:
    """What a script prints; it must succeed."""
    done = subprocess.run(
        [shell, "-c", script],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
