"""From test mode to a live payment, and the keys that pass nobody else's hands."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tests.journeys.accounts import (
    HANDED_IN,
    approve,
    new_key,
    operate,
    set_status,
    take_live_keys,
    using,
)
from tests.serving import ROOT
from tests.shop import Merchant, Shop, error, told

AT_ONCE = 5
PASTE_SECONDS = 60.0


def test_from_the_request_to_a_live_payment(shop: Shop, merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}/production_access"
    assert error(merchant.ask("GET", path)) == (404, "resource_missing", "merchant_id")
    early = merchant.ask("POST", f"/v1/merchants/{merchant.id}/live_keys")
    assert error(early) == (422, "merchant_unexpected_state", None)
    key = str(uuid4())
    asked = told(merchant.ask("POST", path, HANDED_IN, key=key), 201)
    assert (asked["status"], asked["approved_at"], asked["kyc_reference"]) == (
        "pending",
        None,
        None,
    )
    assert merchant.ask("POST", path, HANDED_IN, key=key).headers["idempotent-replayed"] == "true"
    better = {**HANDED_IN, "pci_document": "aoc", "kyc_reference": "kyc-2026-0412"}
    assert told(merchant.ask("POST", path, better), 201)["pci_document"] == "aoc"
    assert told(operate(shop, "GET", path), 200)["kyc_reference"] == "kyc-2026-0412"

    told(set_status(shop, merchant, "active"), 200)
    approved = merchant.get(path)
    assert approved["status"] == "approved" and approved["approved_at"] is not None
    assert error(merchant.ask("POST", path, HANDED_IN)) == (422, "merchant_unexpected_state", None)
    live = take_live_keys(merchant)
    assert live.secret_key.startswith("sk_live_") and live.publishable_key.startswith("pk_live_")
    assert merchant.get(path)["live_keys_taken"] is True

    payment = live.pay(capture=False)
    assert (payment["livemode"], payment["status"]) == (True, "authorized")
    assert told(live.act(payment["id"], "capture", {}), 200)["status"] == "captured"
    assert live.refund(payment["id"], amount=500)["livemode"] is True
    assert error(merchant.ask("GET", f"/v1/payments/{payment['id']}"))[0] == 404
    assert {event["livemode"] for event in live.events()} == {True}
    endpoint = live.endpoint("https://hooks.shop.example/")
    assert endpoint["livemode"] is True
    url = {"webhook_url": "https://hooks.shop.example/own"}
    told(live.ask("PATCH", f"/v1/merchants/{merchant.id}", url), 200)


def test_live_keys_are_handed_out_once(shop: Shop, merchant: Merchant) -> None:
    approve(shop, merchant)
    path, key = f"/v1/merchants/{merchant.id}/live_keys", str(uuid4())
    operator = operate(shop, "POST", path)
    assert error(operator) == (403, "insufficient_scope", None)
    reader = using(merchant, new_key(merchant))
    assert error(reader.ask("POST", path)) == (403, "insufficient_scope", None)
    first = told(merchant.ask("POST", path, key=key), 201)
    replay = merchant.ask("POST", path, key=key)
    assert replay.headers["idempotent-replayed"] == "true"
    assert replay.json() == {**first, "secret_key": None, "webhook_secret": None}
    assert error(merchant.ask("POST", path)) == (422, "live_keys_taken", None)
    assert error(merchant.ask("POST", path, key=str(uuid4()))) == (422, "live_keys_taken", None)


def test_live_keys_are_handed_out_once_to_many_at_once(shop: Shop, merchant: Merchant) -> None:
    approve(shop, merchant)
    path = f"/v1/merchants/{merchant.id}/live_keys"
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: merchant.ask("POST", path), range(AT_ONCE)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [422] * (AT_ONCE - 1)


def test_the_guides_lines_work_as_pasted(shop: Shop, merchant: Merchant, tmp_path: Path) -> None:
    """The lines of the README that define names, then those of the guide."""
    kept = {
        "base_url": shop.base_url,
        "vault_url": shop.vault_url,
        "secret_key": merchant.secret_key,
        "publishable_key": merchant.publishable_key,
        "platform_key": shop.platform_key,
        "merchant_id": merchant.id,
    }
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "sandbox.json").write_text(json.dumps(kept))
    definitions = re.search(r"^kept\(\).*?^ORDER=", (ROOT / "README.md").read_text(), re.M | re.S)
    guide = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / "accounts.md").read_text(), re.S)
    assert definitions is not None and guide is not None
    lines = definitions[0].removesuffix("ORDER=") + guide[1]
    ended = subprocess.run(
        ["sh", "-eu"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=PASTE_SECONDS,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    access, active, payment = (json.loads(line) for line in ended.stdout.splitlines() if line)
    assert (access["status"], active["status"]) == ("pending", "active")
    assert (payment["livemode"], payment["status"]) == (True, "captured")


def test_lost_live_keys_are_taken_again_after_the_operator_revoked_them(
    shop: Shop, merchant: Merchant
) -> None:
    approve(shop, merchant)
    lost = take_live_keys(merchant)
    page = told(operate(shop, "GET", "/v1/api_keys", merchant_id=merchant.id, type="secret"), 200)
    (live_key,) = [key for key in page["data"] if key["livemode"]]
    told(operate(shop, "DELETE", f"/v1/api_keys/{live_key['id']}"), 200)
    assert error(lost.ask("GET", "/v1/payments")) == (401, "api_key_revoked", None)
    found = take_live_keys(merchant)
    assert found.secret_key != lost.secret_key
    assert found.pay()["livemode"] is True


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"pci_document": "saq_d"}, (400, "parameter_invalid_enum", "pci_document")),
        ({"file_digest": "00"}, (400, "parameter_invalid_format", "file_digest")),
        ({"legal_entity": ""}, (400, "parameter_too_short", "legal_entity")),
        ({"kyc_reference": "a b"}, (400, "parameter_invalid_format", "kyc_reference")),
    ],
)
def test_what_cannot_be_handed_in(
    merchant: Merchant, change: dict[str, str], refused: tuple[int, str, str]
) -> None:
    path = f"/v1/merchants/{merchant.id}/production_access"
    assert error(merchant.ask("POST", path, {**HANDED_IN, **change})) == refused
