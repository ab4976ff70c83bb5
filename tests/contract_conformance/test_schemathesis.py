"""Schemathesis asks every operation of both versions' documents, through its own command.

A disagreement, an error or a warning of the list in schemathesis.toml fails; so does a run that
has asked too little.  The older version is asked for in the midst of its life (midlife.py), from
the document that the product serves.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from contract.versions.registry import DATES
from domain.api_versions import PRESENT
from generated.operations import OPERATIONS
from tests.contract_conformance.amounts import BATCH_AMOUNT
from tests.contract_conformance.stock import Accounts, lay_in, write_dictionaries
from tests.serving import ROOT, eventually, serving
from tests.shop import Merchant, Shop, told

# Some two minutes on two cores that nobody else uses; a busy machine is no finding.
RUN_SECONDS = 560.0
PROGRAM = Path(sys.executable).with_name("schemathesis")
MID_LIFE_STACK = (sys.executable, "-P", "-m", "tests.contract_conformance.midlife")
SHOWN_CHARACTERS = 20_000
TOKEN = "create_token"
STATELESS = ("--phases", "examples,coverage,fuzzing")
STATEFUL = ("--phases", "stateful")
# A live server remembers, so Hypothesis sees an inconsistent replay sooner or later and ends
# the walk: several short walks see more links than a long one.
STATEFUL_SEEDS = (1, 2)
FEWEST_LINKS = 8
FEWEST_LINKED_CASES = 40
FROM_A_BATCH = (
    "create_payment_batch",
    "retrieve_payment",
    "create_refund",
    "retrieve_refund",
    "create_test_dispute",
    "retrieve_dispute",
    "submit_dispute_evidence",
    "close_test_dispute",
)
# What these walks together must have done, as (path, status) of the account's request log.
REACHED = (
    ("/v1/payments/batch", 207),
    ("/v1/payments/{payment_id}/refunds", 201),
    ("/v1/test_helpers/disputes", 201),
    ("/v1/disputes/{dispute_id}/evidence", 200),
)
LOG_SECONDS = 30.0


@dataclass(frozen=True)
class Desk:
    """A directory with configuration, document and dictionaries, and the environment."""

    shop: Shop
    directory: Path
    environment: dict[str, str]
    trading: Merchant

    def run(self, url: str, *options: str) -> str:
        """One run; gives its report, which must be free of findings."""
        configuration = ["--config-file", str(self.directory / "schemathesis.toml")]
        document = str(self.directory / "openapi.json")
        command = [str(PROGRAM), *configuration, "run", document, "--url", url]
        ended = subprocess.run(
            [*command, "--checks", "all", *options],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
        )
        assert ended.returncode == 0, ended.stdout[-SHOWN_CHARACTERS:]
        return ended.stdout


@pytest.fixture(scope="module")
def mid_life() -> Iterator[Shop]:
    """A stack in the midst of the older version's life."""
    with serving(MID_LIFE_STACK, "--port", "0", "--allow-loopback-webhooks") as running:
        opened = Shop(running)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(params=DATES)
def untouched_desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """What a run needs, with accounts of its own, for each version."""
    with furnished(request) as made:
        yield made


@pytest.fixture(scope="module", params=DATES)
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """The same for runs that leave enough to one another."""
    with furnished(request) as made:
        yield made


@contextmanager
def furnished(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk for the version that is the fixture's parameter."""
    version = request.param
    shop = request.getfixturevalue("shop" if version == PRESENT else "mid_life")
    accounts = Accounts.open(shop)
    keys = {
        "PAYMINT_SECRET_KEY": accounts.trading.secret_key,
        "PAYMINT_PUBLISHABLE_KEY": accounts.trading.publishable_key,
        "PAYMINT_SETTINGS_KEY": accounts.settings.secret_key,
        "PAYMINT_CLOCKS_KEY": accounts.clocks.secret_key,
        "PAYMINT_APPROVED_KEY": accounts.approved.secret_key,
        "PAYMINT_PAID_KEY": accounts.paid.secret_key,
        "PAYMINT_OPERATOR_KEY": shop.platform_key,
        "PAYMINT_BASE_URL": shop.base_url,
        "PAYMINT_VERSION_UNDER_TEST": version,
        "PYTHONPATH": str(ROOT),
    }
    with tempfile.TemporaryDirectory(prefix="paymint-schemathesis-") as name:
        directory = Path(name)
        shutil.copy(ROOT / "schemathesis.toml", directory)
        # As the YAML (tests/gateway/test_versions.py), and read in a hundredth of the time.
        served = shop.http.get(f"/openapi/{version}/openapi.json")
        assert served.status_code == 200, served.text
        (directory / "openapi.json").write_bytes(served.content)
        stock = lay_in(shop, accounts)
        write_dictionaries(stock, directory)
        (directory / "stock.json").write_text(json.dumps(stock))
        environment = {**os.environ, **keys, "PAYMINT_STOCK": str(directory / "stock.json")}
        yield Desk(shop, directory, environment, accounts.trading)


def counted(report: str, pattern: str) -> int:
    found = re.search(pattern, report)
    assert found is not None, report
    return int(found[1])


@pytest.mark.timeout(600)
def test_every_operation_of_the_api(untouched_desk: Desk) -> None:
    desk = untouched_desk
    report = desk.run(desk.shop.base_url, *STATELESS, "--exclude-operation-id", TOKEN)
    assert counted(report, r"Tested: (\d+)") == len(OPERATIONS) - 1
    assert counted(report, r"(\d+) generated") > 1500


@pytest.mark.timeout(600)
def test_links_from_answer_to_request(desk: Desk) -> None:
    for seed in STATEFUL_SEEDS:
        only = [*STATEFUL, "--seed", str(seed), "--exclude-operation-id", TOKEN]
        report = desk.run(desk.shop.base_url, *only)
        assert counted(report, r"API Links: +(\d+) covered") >= FEWEST_LINKS
        assert counted(report, r"(\d+) generated") >= FEWEST_LINKED_CASES


def test_walks_from_a_batch_to_its_refunds_and_disputes(untouched_desk: Desk) -> None:
    desk = untouched_desk
    only = [option for name in FROM_A_BATCH for option in ("--include-operation-id", name)]
    for seed in STATEFUL_SEEDS:
        desk.run(desk.shop.base_url, *STATEFUL, "--seed", str(seed), *only)
    assert eventually(partial(all_walked, desk.trading), LOG_SECONDS), REACHED
    # Nothing but the batches took this amount, so what happened to it came by their links.
    newest = told(desk.trading.ask("GET", "/v1/payments", params={"limit": 100}), 200)["data"]
    payments = [payment for payment in newest if payment["amount"] == BATCH_AMOUNT]
    assert any(payment["amount_refunded"] for payment in payments)
    assert any(payment["amount_disputed"] for payment in payments)


def all_walked(merchant: Merchant) -> bool:
    """Whether walks were answered so; what stocked the account says who it is otherwise."""
    return all(walked(merchant, path, status) for path, status in REACHED)


def walked(merchant: Merchant, path: str, status: int) -> bool:
    query = {"path": path, "status_code": status, "method": "POST", "limit": 100}
    logs = told(merchant.ask("GET", "/v1/request_logs", params=query), 200)["data"]
    return any(log["user_agent"].startswith("schemathesis/") for log in logs)


def test_the_vaults_operation(desk: Desk) -> None:
    report = desk.run(desk.shop.vault_url, *STATELESS, "--include-operation-id", TOKEN)
    assert counted(report, r"Tested: (\d+)") == 1
    assert counted(report, r"(\d+) generated") > 200
