"""The country of an address: what is known, what is not, and what it costs in memory."""

import gzip
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from geoip2fast import GeoIP2Fast  # type: ignore[import-untyped]

from adapters.countries import DATA_FILE, Countries, CountriesUnreadable
from tests.document import DOCUMENT

SEED = 20260411
ADDRESSES = 3000
# A remembered address costs less than a tenth of this on the machine it was measured on.
REMEMBERED_SECONDS = 1e-6
TABLES_MEGABYTES = 60

_MEMORY = """
import sys
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
from adapters.countries import Countries
from tests.document import DOCUMENT
before = held()
countries = Countries()
countries.load()
print(held() - before, "geoip2fast" in sys.modules, "socket" in sys.modules)
"""


@pytest.fixture(scope="module")
def countries() -> Countries:
    loaded = Countries()
    loaded.load()
    return loaded


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("8.8.8.8", "US"),
        ("193.99.144.80", "DE"),
        ("81.2.69.142", "GB"),
        ("::ffff:8.8.8.8", "US"),
        ("2001:4860:4860::8888", "US"),
        ("2a00:1450:4001:81b::200e", "DE"),
    ],
)
def test_addresses_of_both_families_have_a_country(
    countries: Countries, address: str, country: str
) -> None:
    assert countries.of(address) == country


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.9.9",
        "100.64.0.1",
        "169.254.169.254",
        "203.0.113.42",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
        "",
        "unknown",
        "8.8.8",
        "8.8.8.8:443",
        "010.8.8.8",
    ],
)
def test_what_is_no_public_address_has_none(countries: Countries, address: str) -> None:
    assert countries.of(address) is None


def test_every_country_is_one_that_the_document_knows(countries: Countries) -> None:
    known = DOCUMENT["components"]["schemas"]["Country"]["enum"]
    chance = random.Random(SEED)
    found = {countries.of(_any_address(chance)) for _ in range(ADDRESSES)}
    assert len(found) > 30, SEED
    assert found - {None} <= set(known)


def test_the_answers_are_those_of_the_packages_own_search(countries: Countries) -> None:
    """Held to the file's author: the same country, wherever he names one."""
    theirs = GeoIP2Fast(geoip2fast_data_file=DATA_FILE)
    chance = random.Random(SEED)
    for _ in range(ADDRESSES):
        address = _any_address(chance)
        code = theirs.lookup(address).country_code
        expected = code if code.isalpha() and len(code) == 2 and code not in ("EU", "XK") else None
        assert countries.of(address) == expected, (address, SEED)


def _any_address(chance: random.Random) -> str:
    """Any public address, of version 4 or of a part of version 6 that is given out."""
    if chance.random() < 0.5:
        return ".".join(str(chance.randrange(1, 224 if n == 0 else 256)) for n in range(4))
    block = chance.choice(["2001:4", "2400:c", "2600:1", "2804:1", "2a00:1", "2a02:2", "2c0f:f"])
    return f"{block}{chance.randrange(0x1000):03x}:{chance.randrange(0x10000):x}::1"


def test_before_it_is_loaded_no_country_is_known() -> None:
    assert Countries().of("8.8.8.8") is None


def test_a_remembered_address_costs_next_to_nothing(countries: Countries) -> None:
    rounds = 20_000
    countries.of("8.8.8.8")
    best = min(_seconds(countries, rounds) for _ in range(5))
    assert best / rounds < REMEMBERED_SECONDS


def _seconds(countries: Countries, rounds: int) -> float:
    began = time.perf_counter()
    for _ in range(rounds):
        countries.of("8.8.8.8")
    return time.perf_counter() - began


def test_the_tables_are_small_and_the_packages_code_is_not_run() -> None:
    command = (sys.executable, "-c", _MEMORY)
    root = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    held, package, socket = run.stdout.split()
    assert int(held) < TABLES_MEGABYTES * 1024 * 1024
    assert (package, socket) == ("False", "False")


class _Command:
    def __reduce__(self) -> Any:
        return (print, ("run",))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"no pickle", mtime=0), b""])
def test_a_file_of_another_kind_is_told_plainly(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "countries.gz"
    path.write_bytes(content)
    with pytest.raises(CountriesUnreadable):
        Countries().load(path)
    with pytest.raises(CountriesUnreadable):
        Countries().load(tmp_path / "missing.gz")


def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "countries.gz"
    path.write_bytes(gzip.compress(pickle.dumps(_Command())))
    with pytest.raises(CountriesUnreadable):
        Countries().load(path)
    assert "run" not in capsys.readouterr().out
