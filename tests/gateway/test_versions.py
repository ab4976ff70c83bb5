"""Which version a request is answered in, and what happens to those on their way out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
import yaml

from contract.document import DOCUMENT_PATH
from contract.versions.registry import DATES
from domain.api_versions import PRESENT
from generated.operations import OPERATIONS, OperationRow
from runtime.clock import SystemClock
from tests.gateway.door import KEY, MERCHANT, Door, Keys, caller

OLD = "2025-09-15"
GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"pm_4f2e8a9b"}'
MID_LIFE = datetime(2026, 10, 1, tzinfo=UTC)
BROWNOUT = datetime(2027, 2, 1, 15, tzinfo=UTC)
SUNSET = datetime(2027, 4, 1, tzinfo=UTC)
A_MILLISECOND = timedelta(milliseconds=1)
GATEWAY = [row for row in OPERATIONS if row.house == "gateway"]


@dataclass
class StandingClock(SystemClock):
    """A clock that stands where it was put."""

    moment: datetime = MID_LIFE

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock(door: Door) -> StandingClock:
    """The house's clock, in the middle of the older version's life."""
    standing = StandingClock()
    door.house.clock = standing
    return standing


def in_version(door: Door, version: str, path: str = "/v1/payments/pay_1", **more: Any) -> Any:
    return door.ask("GET", path, headers={"Paymint-Version": version}, **more)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


def test_the_header_chooses(door: Door, clock: StandingClock) -> None:
    now, old = in_version(door, PRESENT), in_version(door, OLD)
    assert now.headers["paymint-version"] == PRESENT and "amount" in now.json()
    assert old.headers["paymint-version"] == OLD and "amount" in old.json()["data"]
    assert "Paymint-Version" in old.headers["vary"]


def test_without_a_header_the_pin_chooses(door: Door, clock: StandingClock) -> None:
    door.house.keys.callers[KEY] = caller(api_version=OLD)
    assert "data" in door.ask("GET", "/v1/payments/pay_1").json()
    assert "amount" in in_version(door, PRESENT).json()


def test_a_pin_that_this_process_does_not_have_yet_is_answered_in_the_newest(door: Door) -> None:
    door.house.keys.callers[KEY] = caller(api_version="2199-01-01")
    assert door.ask("GET", "/v1/payments/pay_1").headers["paymint-version"] == PRESENT


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-02",
        "2999-01-01",
        "latest",
        "",
        "2026-4-1",
        "4242424242424242",
        "é",
        "2026-04-01, 2025-09-15",
    ],
)
def test_a_version_that_is_none_is_400(door: Door, text: str) -> None:
    answer = door.ask(
        "GET", "/v1/payments/pay_1", headers={"Paymint-Version": text.encode("latin-1")}
    )
    assert refused(answer) == (400, "api_version_unknown")
    assert answer.json()["error"]["param"] == "Paymint-Version"
    assert answer.headers["paymint-version"] == PRESENT
    assert door.requests == []


def test_two_versions_at_once_are_400(door: Door) -> None:
    headers = [("Paymint-Version", OLD), ("Paymint-Version", PRESENT)]
    answer = door.ask("GET", "/v1/payments/pay_1", headers=headers)
    assert refused(answer) == (400, "header_invalid")


@pytest.mark.parametrize("row", GATEWAY, ids=lambda row: row.operation_id)
def test_every_operation_knows_every_version(
    door: Door, clock: StandingClock, row: OperationRow
) -> None:
    # Some operations are the merchant's, some the operator's.
    both = frozenset({"merchant:admin", "platform:admin"})
    door.house.keys = Keys({KEY: caller(scopes=both)})
    path = row.path.replace("{", "").replace("}", "")
    answer = door.ask(row.method, path, headers={"Paymint-Version": "2000-01-01"})
    assert answer.status_code in (400, 415)
    answer = door.ask(row.method, path, headers={"Paymint-Version": OLD})
    assert answer.headers["paymint-version"] == OLD
    assert answer.headers["deprecation"] == "@1775001600"
    assert answer.status_code < 500
    clock.moment = SUNSET
    answer = door.ask(row.method, path, headers={"Paymint-Version": OLD})
    assert answer.status_code in (410, 400, 415)


def test_a_deprecated_version_says_so_and_the_present_one_does_not(
    door: Door, clock: StandingClock
) -> None:
    old = in_version(door, OLD)
    assert old.headers["deprecation"] == "@1775001600"
    assert parsedate_to_datetime(old.headers["sunset"]) == SUNSET
    assert old.headers["sunset"] == "Thu, 01 Apr 2027 00:00:00 GMT"
    assert 'rel="deprecation"' in old.headers["link"] and 'rel="sunset"' in old.headers["link"]
    assert not {"deprecation", "sunset", "link"} & in_version(door, PRESENT).headers.keys()
    clock.moment = datetime(2026, 4, 1, tzinfo=UTC) - A_MILLISECOND
    assert "deprecation" not in in_version(door, OLD).headers


def test_errors_of_a_deprecated_version_say_so_and_look_as_ever(
    door: Door, clock: StandingClock
) -> None:
    for answer in (
        in_version(door, OLD, key=None),
        in_version(door, OLD, path="/v1/nothing"),
        in_version(door, OLD, path="/v1/payments?zz=1"),
    ):
        assert answer.status_code >= 400 and answer.json().keys() == {"error"}
        assert answer.headers["paymint-version"] == OLD and "sunset" in answer.headers


@pytest.mark.parametrize(
    ("moment", "status", "code"),
    [
        (BROWNOUT - A_MILLISECOND, 200, ""),
        (BROWNOUT, 410, "api_version_brownout"),
        (BROWNOUT + timedelta(hours=1) - A_MILLISECOND, 410, "api_version_brownout"),
        (BROWNOUT + timedelta(hours=1), 200, ""),
        (SUNSET - A_MILLISECOND, 200, ""),
        (SUNSET, 410, "api_version_removed"),
    ],
)
def test_the_end_of_a_version(
    door: Door, clock: StandingClock, moment: datetime, status: int, code: str
) -> None:
    clock.moment = moment
    answer = in_version(door, OLD)
    assert answer.status_code == status
    assert answer.headers["deprecation"] == "@1775001600"
    assert in_version(door, PRESENT).status_code == 200
    if status == 410:
        assert answer.json()["error"]["code"] == code
        assert answer.headers["cache-control"] == "no-store"
        assert len(door.requests) == 1


def test_nothing_is_done_in_a_brownout(door: Door, clock: StandingClock) -> None:
    clock.moment = BROWNOUT
    answer = door.pay(GOOD, headers={"Paymint-Version": OLD})
    assert refused(answer) == (410, "api_version_brownout")
    assert door.requests == []


def test_a_test_clock_moves_the_end(door: Door, clock: StandingClock) -> None:
    door.house.keys.callers[KEY] = caller(frozen_time=SUNSET)
    assert refused(in_version(door, OLD)) == (410, "api_version_removed")
    door.house.keys.callers[KEY] = caller(frozen_time=MID_LIFE)
    clock.moment = SUNSET
    assert in_version(door, OLD).status_code == 200
    assert refused(in_version(door, OLD, path="/healthz", key=None)) == (410, "api_version_removed")


def test_a_merchant_pinned_to_a_removed_version_can_still_leave_it(
    door: Door, clock: StandingClock
) -> None:
    clock.moment = SUNSET
    door.house.keys.callers[KEY] = caller(api_version=OLD)
    body = {"api_version": PRESENT}
    assert refused(door.ask("PATCH", "/v1/merchants/mch_1", json=body)) == (
        410,
        "api_version_removed",
    )
    newer = {"Paymint-Version": PRESENT}
    assert door.ask("PATCH", "/v1/merchants/mch_1", json=body, headers=newer).status_code == 200


def test_the_use_of_a_deprecated_version_is_noted(door: Door, clock: StandingClock) -> None:
    in_version(door, PRESENT)
    in_version(door, OLD, path="/healthz", key=None)
    assert door.house.deprecated_use.noted == []
    in_version(door, OLD)
    assert door.house.deprecated_use.noted == [(MERCHANT, OLD)]


def test_one_key_and_digest_for_every_version(door: Door, clock: StandingClock) -> None:
    for version in DATES:
        assert door.pay(GOOD, headers={"Paymint-Version": version}).status_code == 201
    onces = [request.asking.once for request in door.requests if request.asking]
    assert onces[0] == onces[1] is not None


def test_a_head_request_is_answered_in_its_version(door: Door, clock: StandingClock) -> None:
    whole = in_version(door, OLD)
    head = door.ask("HEAD", "/v1/payments/pay_1", headers={"Paymint-Version": OLD})
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["paymint-version"] == OLD


def test_the_documents_are_served(door: Door) -> None:
    text = door.ask("GET", "/openapi.yaml", key=None)
    assert text.content == DOCUMENT_PATH.read_bytes()
    assert text.headers["content-type"] == "application/yaml"
    assert text.headers["cache-control"] == "public, max-age=86400"
    whole = door.ask("GET", "/openapi.json", key=None)
    assert whole.json() == yaml.safe_load(text.content)
    assert whole.headers["content-type"] == "application/json"
    for version in DATES:
        in_json = door.ask("GET", f"/openapi/{version}/openapi.json", key=None).json()
        in_yaml = door.ask("GET", f"/openapi/{version}/openapi.yaml", key=None)
        assert in_json["info"]["version"] == version
        assert yaml.safe_load(in_yaml.content) == in_json
    assert in_json == whole.json()


def test_a_document_of_no_version_is_404(door: Door) -> None:
    answer = door.ask("GET", "/openapi/2000-01-01/openapi.json", key=None)
    assert refused(answer) == (404, "resource_missing")
    assert answer.headers["cache-control"] == "no-store"
    assert refused(door.ask("GET", "/openapi.yaml?x=1", key=None)) == (400, "parameter_unknown")
