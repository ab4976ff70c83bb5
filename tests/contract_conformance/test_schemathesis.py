"""Schemathesis asks every operation of the document, through its own command (notes, section 6).

A disagreement, an error or a warning of the list in schemathesis.toml fails; so does a run that
has asked too little.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from generated.operations import OPERATIONS
from tests.contract_conformance.stock import lay_in, write_dictionaries
from tests.serving import ROOT
from tests.shop import Shop

RUN_SECONDS = 280.0
PROGRAM = Path(sys.executable).with_name("schemathesis")
SHOWN_CHARACTERS = 20_000
TOKEN = "create_token"
STATELESS = ("--phases", "examples,coverage,fuzzing")
# A live server remembers, so Hypothesis sees an inconsistent replay sooner or later and ends
# the walk: several short walks see more links than a long one.
STATEFUL_SEEDS = (1, 2, 3, 4)
FEWEST_LINKS = 8
FEWEST_LINKED_CASES = 40


@pytest.fixture
def desk(shop: Shop) -> Iterator[tuple[Path, dict[str, str]]]:
    """A directory with configuration and dictionaries, and the environment with the keys."""
    merchant = shop.open_account()
    keys = {
        "PAYMINT_SECRET_KEY": merchant.secret_key,
        "PAYMINT_PUBLISHABLE_KEY": merchant.publishable_key,
        "PYTHONPATH": str(ROOT),
    }
    with tempfile.TemporaryDirectory(prefix="paymint-schemathesis-") as name:
        directory = Path(name)
        shutil.copy(ROOT / "schemathesis.toml", directory)
        stock = lay_in(merchant)
        write_dictionaries(stock, directory)
        (directory / "stock.json").write_text(json.dumps(stock))
        yield directory, {**os.environ, **keys, "PAYMINT_STOCK": str(directory / "stock.json")}


def run(desk: tuple[Path, dict[str, str]], url: str, *options: str) -> str:
    """One run; gives its report, which must be free of findings."""
    directory, environment = desk
    configuration = ["--config-file", str(directory / "schemathesis.toml")]
    document = str(ROOT / "openapi.yaml")
    command = [str(PROGRAM), *configuration, "run", document, "--url", url, "--checks", "all"]
    ended = subprocess.run(
        [*command, *options],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout[-SHOWN_CHARACTERS:]
    return ended.stdout


def counted(report: str, pattern: str) -> int:
    found = re.search(pattern, report)
    assert found is not None, report
    return int(found[1])


@pytest.mark.timeout(300)
def test_every_operation_of_the_api(shop: Shop, desk: tuple[Path, dict[str, str]]) -> None:
    report = run(desk, shop.base_url, *STATELESS, "--exclude-operation-id", TOKEN)
    assert counted(report, r"Tested: (\d+)") == len(OPERATIONS) - 1
    assert counted(report, r"(\d+) generated") > 1500


@pytest.mark.parametrize("seed", STATEFUL_SEEDS)
def test_links_from_answer_to_request(
    shop: Shop, desk: tuple[Path, dict[str, str]], seed: int
) -> None:
    only = ["--phases", "stateful", "--seed", str(seed), "--exclude-operation-id", TOKEN]
    report = run(desk, shop.base_url, *only)
    assert counted(report, r"API Links: +(\d+) covered") >= FEWEST_LINKS
    assert counted(report, r"(\d+) generated") >= FEWEST_LINKED_CASES


def test_the_vaults_operation(shop: Shop, desk: tuple[Path, dict[str, str]]) -> None:
    report = run(desk, shop.vault_url, *STATELESS, "--include-operation-id", TOKEN)
    assert counted(report, r"Tested: (\d+)") == 1
    assert counted(report, r"(\d+) generated") > 200
