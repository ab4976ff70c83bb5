"""The report on a payout adds up to it, as JSON and as a file that no spreadsheet runs."""

import csv
import io
from typing import Any

from tests.business_clock import Frozen
from tests.journeys.test_payouts import paid_out
from tests.shop import Merchant, error, told

FORMULA = '=HYPERLINK("http://evil.example","Refund")'


def report_of(merchant: Merchant, payout: str, **query: Any) -> dict[str, Any]:
    return merchant.get(f"/v1/payouts/{payout}/report", **query)


def traded(merchant: Merchant) -> dict[str, Any]:
    """A payout of two currencies, with refunds; its payments have descriptions."""
    clock = Frozen(merchant)
    for number, description in enumerate((FORMULA, "Order, with comma", None)):
        more = {} if description is None else {"description": description}
        paid = merchant.pay(amount=10000 + number, **more)
        merchant.refund(paid["id"], amount=1000)
        merchant.pay(amount=5000, currency="eur")
    return paid_out(merchant, clock)


def test_the_lines_add_up_to_the_payout(merchant: Merchant, rival: Merchant) -> None:
    payout = traded(merchant)
    answer = merchant.ask("GET", f"/v1/payouts/{payout['id']}/report")
    report = told(answer, 200)
    assert answer.headers["cache-control"] == "no-store" and "link" not in answer.headers
    assert (report["object"], report["payout"]) == ("payout_report", payout)
    assert (report["has_more"], report["next_cursor"]) == (False, None)
    lines = report["data"]
    assert len(lines) == payout["transaction_count"] == 9
    for part, total in zip(payout["parts"], report["totals"], strict=True):
        mine = [line for line in lines if line["currency"] == part["currency"]]
        assert total["currency"] == part["currency"]
        for name in ("gross", "fee", "net"):
            assert total[name] == sum(line[name] for line in mine)
        assert total["transaction_count"] == len(mine)
        assert total["net"] == part["amount"]
    for line in lines:
        assert line["net"] == line["gross"] - line["fee"]
        shown = merchant.get(f"/v1/balance_transactions/{line['balance_transaction_id']}")
        assert {name: shown[name] for name in ("type", "source", "net")} == {
            name: line[name] for name in ("type", "source", "net")
        }
        assert line["description"] == merchant.payment(line["payment_id"])["description"]

    # The same, two lines a page.
    walked, path = [], f"/v1/payouts/{payout['id']}/report?limit=2"
    while path:
        page = merchant.ask("GET", path)
        walked += told(page, 200)["data"]
        path = page.headers.get("link", "").partition(">")[0].removeprefix("<")
        assert bool(path) == page.json()["has_more"]
    assert walked == lines
    foreign = rival.ask("GET", f"/v1/payouts/{payout['id']}/report")
    assert error(foreign) == (404, "resource_missing", "payout_id")
    cursor = report_of(merchant, payout["id"], limit=1)["next_cursor"]
    other = merchant.ask("GET", "/v1/payouts", params={"starting_after": cursor})
    assert error(other) == (400, "invalid_cursor", "starting_after")
    short = report_of(merchant, payout["id"], fields="totals")
    assert short == {"object": "payout_report", "totals": report["totals"]}


def test_the_file_says_the_same_and_runs_nothing(merchant: Merchant) -> None:
    payout = traded(merchant)
    path = f"/v1/payouts/{payout['id']}/report"
    answer = merchant.ask("GET", path, params={"format": "csv"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{payout["id"]}.csv"'
    assert answer.content.count(b"\r\n") == payout["transaction_count"] + 1
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    lines = merchant.get(path)["data"]
    assert [row["balance_transaction_id"] for row in rows] == [
        line["balance_transaction_id"] for line in lines
    ]
    for row, line in zip(rows, lines, strict=True):
        # Amounts are whole numbers as they are, negative ones too.
        assert (int(row["gross"]), int(row["fee"]), int(row["net"])) == (
            line["gross"],
            line["fee"],
            line["net"],
        )
        text = line["description"] or ""
        assert row["description"] == ("'" + text if text == FORMULA else text)
    assert {row["gross"] for row in rows if row["type"] == "refund"} == {"-1000"}
    assert FORMULA in {line["description"] for line in lines}
    # The first page of several leads to the next, as JSON does.
    first = merchant.ask("GET", path, params={"format": "csv", "limit": 4})
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    second = merchant.ask("GET", following)
    assert second.headers["content-type"].startswith("text/csv")
    assert len(second.content.splitlines()) == 5
    wrong = merchant.ask("GET", path, params={"format": "xml"})
    assert error(wrong) == (400, "parameter_invalid_enum", "format")
