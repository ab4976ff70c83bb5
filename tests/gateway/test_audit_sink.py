"""Before anything is done: 503 where a card is used unseen, or where no entry can be kept."""

from dataclasses import dataclass

import pytest

from tests.gateway.door import Audit, Door

CARD_DATA = ("/v1/payments", "/v1/payments/batch", "/v1/payments/pay_" + "0" * 32 + "/capture")


@dataclass
class Sink(Audit):
    """Does not store at present; `full`: keeps no more."""

    full: bool = False

    def refuses(self, *, uses_a_card: bool) -> bool:
        return uses_a_card or self.full


@pytest.mark.parametrize("path", CARD_DATA)
def test_what_uses_a_card_is_refused(door: Door, path: str) -> None:
    door.house.audit = Sink()
    answer = door.ask("POST", path, content=b"{not even JSON")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
    assert answer.headers["retry-after"]
    assert door.requests == []
    assert [entry["status_code"] for _, entry in door.house.audit.entries] == [503]


def test_the_rest_goes_on_until_no_more_can_be_kept(door: Door) -> None:
    door.house.audit = sink = Sink()
    assert door.ask("GET", "/v1/payments").status_code == 200
    sink.full = True
    assert door.ask("GET", "/v1/payments").status_code == 503
    assert door.ask("GET", "/healthz", key=None).status_code == 200
    assert door.ask("GET", "/openapi.json", key=None).status_code == 200


def test_who_may_not_is_told_so_first(door: Door) -> None:
    door.house.audit = Sink()
    assert door.ask("POST", "/v1/payments", key="sk_test_unknown").status_code == 401
