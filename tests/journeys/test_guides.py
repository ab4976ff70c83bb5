"""The lines of the guides run as they stand, after those of the README that define names."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.house.tree import ROOT
from tests.shop import Merchant, Shop

PASTE_SECONDS = 60.0
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
DEFINITIONS = re.compile(r"^kept\(\).*?(?=^ORDER=)", re.M | re.S)
# What a guide says happens within seconds takes longer on a machine that is busy.
PATIENTLY = "sleep() { command sleep $(($1 * 2)); }\n"
# The guides whose lines another test pastes, with more than a shell.
ELSEWHERE = {
    "accounts.md": "tests/journeys/test_production_access.py",
    "adding-an-endpoint.md": "the commands of CONTRIBUTING.md, for those who change the code",
    "disputes.md": "tests/journeys/test_disputes.py",
    "keys.md": "tests/journeys/test_key_rotation.py, on a stack whose keys no other test uses",
    "reading.md": "tests/journeys/test_reading.py",
    "webhooks.md": "tests/journeys/test_webhooks_page.py",
}
HERE = {
    "balance.md",
    "batches.md",
    "holds.md",
    "limits.md",
    "oauth.md",
    "outages.md",
    "people.md",
    "test-clocks.md",
    "versioning.md",
}


def lines_of(guide: str) -> str:
    return "\n".join(SHELL.findall((ROOT / "docs" / guide).read_text()))


@pytest.fixture
def home(shop: Shop, merchant: Merchant, tmp_path: Path) -> Path:
    """A folder with the sandbox's keys where the README's lines look for them."""
    kept = {
        "base_url": shop.base_url,
        "vault_url": shop.vault_url,
        "secret_key": merchant.secret_key,
        "publishable_key": merchant.publishable_key,
        "merchant_id": merchant.id,
        "platform_key": shop.platform_key,
    }
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "sandbox.json").write_text(json.dumps(kept))
    return tmp_path


def paste(home: Path, guide: str, **given: str) -> list[dict[str, Any]]:
    """Runs a guide's lines; the JSON objects that they print, one a line."""
    definitions = DEFINITIONS.search((ROOT / "README.md").read_text())
    assert definitions is not None
    names = "".join(f"{name}='{value}'\n" for name, value in given.items())
    ended = subprocess.run(
        ["sh", "-eu"],
        input=definitions[0] + PATIENTLY + names + lines_of(guide),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PASTE_SECONDS,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]


def test_every_guide_with_lines_is_pasted_by_a_test() -> None:
    with_lines = {path.name for path in (ROOT / "docs").glob("*.md") if lines_of(path.name)}
    assert with_lines == HERE | ELSEWHERE.keys()


def test_the_lines_about_batches(home: Path) -> None:
    (batch,) = paste(home, "batches.md")
    assert [item["status"] for item in batch["data"]] == [201, 400]
    assert batch["data"][1]["error"]["code"] == "amount_too_small"


def test_the_lines_about_holds(home: Path) -> None:
    drawn, topped_up, payments, released = paste(home, "holds.md")
    assert (drawn["status"], drawn["amount_captured"]) == ("captured", 5_000)
    assert (topped_up["amount"], topped_up["amount_remaining"]) == (23_000, 18_000)
    assert [payment["id"] for payment in payments["data"]] == [drawn["id"]]
    assert (released["id"], released["status"]) == (drawn["hold_id"], "released")


def test_the_lines_about_outages(home: Path) -> None:
    waiting, told, cancelled = paste(home, "outages.md")
    assert (waiting["status"], waiting["pending_reason"]) == ("pending", "network_unavailable")
    assert [event["type"] for event in told["data"]] == ["payment.queued"]
    assert (cancelled["id"], cancelled["status"]) == (waiting["id"], "cancelled")


def test_the_lines_about_people(home: Path) -> None:
    users, sessions, deleted = paste(home, "people.md")
    assert [user["status"] for user in users["data"]] == ["invited"]
    assert sessions["data"] == []
    assert deleted == {"id": users["data"][0]["id"], "object": "user", "deleted": True}


def test_the_lines_about_test_clocks(home: Path, merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    advanced, held, deleted, sample, told_again = paste(home, "test-clocks.md", PAYMENT=payment)
    assert advanced["object"] == "test_clock"
    assert (held["capture"], held["status"]) == (False, "cancelled")
    assert deleted == {"id": advanced["id"], "object": "test_clock", "deleted": True}
    assert sample["type"] == "dispute.created"
    assert told_again["data"]["object"]["id"] == payment


def test_the_lines_about_the_balance(home: Path, merchant: Merchant) -> None:
    merchant.pay()
    balance, transactions, paid_out, report, deleted = paste(home, "balance.md")
    assert balance["pending"] == [{"currency": "usd", "amount": 9680}]
    assert [each["net"] for each in transactions["data"]] == [9680]
    assert [each["amount"] for each in paid_out["data"]] == [9680]
    assert report["payout"] == paid_out["data"][0]
    assert (home / "payout.csv").read_bytes().count(b"\r\n") == 2
    assert deleted["deleted"]


def test_the_lines_about_upgrading(home: Path, merchant: Merchant) -> None:
    listed, endpoint, account = paste(home, "versioning.md")
    assert (listed["object"], endpoint["api_version"]) == ("list", "2026-04-01")
    assert (account["id"], account["api_version"]) == (merchant.id, "2026-04-01")


def test_the_lines_about_limits(home: Path) -> None:
    definitions = DEFINITIONS.search((ROOT / "README.md").read_text())
    assert definitions is not None
    ended = subprocess.run(
        ["sh", "-eu"],
        input=definitions[0] + lines_of("limits.md"),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PASTE_SECONDS,
    )
    assert ended.returncode == 0, ended.stderr
    assert "x-ratelimit-remaining: " in ended.stdout.lower()


def test_the_lines_about_oauth(home: Path, shop: Shop) -> None:
    """The address that they print asks for consent: whoever follows it is told to sign in."""
    (client,) = paste(home, "oauth.md")
    assert (client["name"], client["type"], client["secret"]) == ("Ledger Sync", "public", None)
