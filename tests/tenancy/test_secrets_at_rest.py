"""No secret is found where it is kept: both databases, Valkey, logs, the state directory.

PCI DSS 4.0.1 req. 3.5.1, 8.3.2.  What is searched is everything that outlives a request, the
database servers' own files included; the files of the master keys hold keys and nothing else.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from psycopg import sql

from tests.marks import new_mark
from tests.shop import Shop
from tests.tenancy.searching import tables
from tests.tenancy.secrets import KINDS

# Longer texts than this are not read at once.
PIECE_BYTES = 16 * 1024 * 1024
LONGEST_MARK_BYTES = 1024
# So many bytes are so many characters; so many of these are sought of a key.
BASE64_BYTES, BASE64_CHARACTERS = 3, 4
PEM_MARK = 24


@pytest.fixture(scope="module")
def made(shop: Shop) -> dict[str, bytes]:
    """Every form of every secret, under a name for it."""
    merchant = shop.open_account()
    found: dict[str, bytes] = {}
    for kind, make in KINDS.items():
        for number, text in enumerate(make(shop, merchant)):
            of = forms(text) if isinstance(text, str) else forms_of_bytes(text)
            for form, mark in of.items():
                found[f"{kind} {number} as {form}"] = mark
    assert len(found) > len(KINDS)
    assert max(len(mark) for mark in found.values()) <= LONGEST_MARK_BYTES
    return found


def forms(text: str) -> dict[str, bytes]:
    """A secret as it would look in a text, a dump of bytes, or an encoded field."""
    plain = text.encode()
    shown = {"text": plain, "hex": plain.hex().encode(), "base64": b64encode(plain).rstrip(b"=")}
    if text.startswith("whsec_"):
        key = b64decode(text.removeprefix("whsec_"))
        shown |= {"key": key, "key in hex": key.hex().encode()}
    # The last characters of base64 depend on what follows.
    return {form: mark[:-2] if form == "base64" else mark for form, mark in shown.items()}


def forms_of_bytes(key: bytes) -> dict[str, bytes]:
    """Bytes of a key as they are, in hexadecimal, and inside of a longer text of base64."""
    shown = {"bytes": key, "hex": key.hex().encode()}
    for shift in range(BASE64_BYTES):
        # The first characters depend on what stands before; of two places a line of PEM ends
        # in one at most.
        inside = b64encode(bytes(shift) + key)[BASE64_CHARACTERS:]
        for place in (0, PEM_MARK):
            shown[f"base64 after {shift} at {place}"] = inside[place : place + PEM_MARK]
    return shown


def held_in(content: bytes, made: dict[str, bytes]) -> list[str]:
    return [name for name, mark in made.items() if mark in content]


@pytest.mark.parametrize("process", ["paymint-api", "paymint-vault"])
def test_no_table_shows_a_secret(shop: Shop, made: dict[str, bytes], process: str) -> None:
    marks = [f"%{mark.decode()}%" for mark in made.values() if mark.isascii()]
    with shop.database(process) as connection:
        found = tables(connection)
        assert "data_keys" in dict(found)
        for table, _ in found:
            query = sql.SQL(
                "SELECT shown FROM (SELECT to_jsonb(t)::text AS shown FROM {} AS t) AS rows"
                " WHERE shown LIKE ANY(%s) LIMIT 1"
            ).format(sql.Identifier(table))
            row = connection.execute(query, [marks]).fetchone()
            assert row is None, f"{table}: {held_in(str(row and row[0]).encode(), made)}"


def test_valkey_holds_no_secret(shop: Shop, made: dict[str, bytes]) -> None:
    client = redis.Redis.from_url(shop.environment["paymint-api"]["REDIS_URL"])
    keys = list(client.scan_iter(count=1000))
    assert keys, "the duplicate check keeps keys there"
    for key in keys:
        assert held_in(key + b" " + (client.dump(key) or b""), made) == [], key
    client.close()


def test_no_file_holds_a_secret(shop: Shop, made: dict[str, bytes]) -> None:
    seen = set()
    for path in files(shop.serving.directory):
        seen.add(path.name)
        for piece in pieces(path):
            assert held_in(piece, made) == [], path
    logs = {"paymint-api.log", "paymint-vault.log", "paymint-worker.log", "postgres.log"}
    assert logs | {"journal.jsonl", "environment.json", "PG_VERSION"} <= seen


def test_the_search_finds_what_is_there(shop: Shop) -> None:
    """Against a search that finds nothing anywhere."""
    merchant = shop.open_account()
    mark = new_mark()
    merchant.customer(metadata={"mark": mark})
    with shop.database() as connection:
        row = connection.execute(
            "SELECT to_jsonb(t)::text FROM customers AS t WHERE to_jsonb(t)::text LIKE ANY(%s)",
            [[f"%{mark}%"]],
        ).fetchone()
    assert row is not None and held_in(row[0].encode(), {"mark": mark.encode()}) == ["mark"]
    whole = b"x" * (PIECE_BYTES - 3) + mark.encode()
    place = shop.serving.directory / "log" / "searched"
    place.write_bytes(whole)
    try:
        assert any(held_in(piece, {"mark": mark.encode()}) for piece in pieces(place))
    finally:
        place.unlink()


def files(directory: Path) -> Iterator[Path]:
    """All that the processes wrote, but for the files of master keys."""
    keys = directory / "keys"
    for path in directory.rglob("*"):
        if path.is_file() and not (path.suffix == ".key" and keys in path.parents):
            yield path


def pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces that overlap by the longest mark; one that is gone has none."""
    try:
        with path.open("rb") as content:
            rest = b""
            while piece := content.read(PIECE_BYTES):
                yield rest + piece
                rest = piece[-LONGEST_MARK_BYTES:]
    except FileNotFoundError:
        return
