"""No default and no shared secrets: PCI DSS 4.0.1 req. 2.2.2, 8.3.6 and 8.6.2.

Two fresh stacks have nothing secret in common, and no server and no door takes what a
product of its kind is delivered with.
"""

import json
import re
import socket
from base64 import b64encode
from collections.abc import Iterator

import psycopg
import pytest

from domain.ids import from_text
from scripts.launcher.bootstrap import ROOT
from tests.serving import STRICT, serving
from tests.shop import Merchant, Shop
from tests.tenancy.searching import rows_with, tables

# As much chance as nobody can try out.
LEAST_SECRET_CHARACTERS = 40
DEFAULTS = ("", "postgres", "password", "paymint", "admin", "secret", "changeme", "root")
ROLES = ("postgres", "paymint", "paymint_vault")


@pytest.fixture(scope="module")
def other() -> Iterator[Shop]:
    """A second stack, made at the same time on the same machine."""
    with serving(STRICT, "--port", "0") as running:
        opened = Shop(running)
        yield opened
        opened.close()


def key_material(shop: Shop) -> dict[str, str]:
    """Every key and certificate of a stack, by its file."""
    directory = shop.serving.directory
    paths = [path for part in ("tls", "keys") for path in (directory / part).rglob("*")]
    files = [path for path in paths if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes().hex() for path in files}


def secrets(shop: Shop) -> dict[str, str]:
    """Every secret that the start of a stack made, by its name."""
    directory = shop.serving.directory
    passwords = json.loads((directory / "secrets.json").read_text())
    sandbox = shop.serving.state("sandbox")
    keys = {name: value for name, value in sandbox.items() if re.search("key|secret", name)}
    return {**passwords, **keys, **key_material(shop)}


def test_two_fresh_stacks_share_no_secret(shop: Shop, other: Shop) -> None:
    first, second = secrets(shop), secrets(other)
    assert first.keys() == second.keys()
    assert {"postgres", "valkey", "platform_key", "secret_key", "webhook_secret"} <= first.keys()
    assert any(name.startswith("keys/") for name in first)
    assert {"tls/vault.key", "tls/api.key"} <= first.keys()
    assert [name for name in first if first[name] == second[name]] == []
    # Nor do two things within one stack.
    assert len(set(first.values())) == len(first)


def test_every_password_is_long_and_made_by_chance(shop: Shop) -> None:
    passwords = json.loads((shop.serving.directory / "secrets.json").read_text())
    assert min(len(word) for word in passwords.values()) >= LEAST_SECRET_CHARACTERS
    assert len(set(passwords.values())) == len(passwords)


def test_whatever_is_secret_is_its_owners_alone(shop: Shop) -> None:
    directory = shop.serving.directory
    files = [directory / name for name in ("secrets.json", "environment.json", "sandbox.json")]
    files += [directory / name for name in key_material(shop) if not name.endswith(".pem")]
    files += [directory / "keys", directory / "keys" / "house", directory / "tls"]
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in files} == {
        path.name: oct(0) for path in files
    }


@pytest.mark.parametrize("password", DEFAULTS)
@pytest.mark.parametrize("role", ROLES)
def test_the_database_takes_no_default_password(shop: Shop, role: str, password: str) -> None:
    port = shop.serving.state("ports")["postgres"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=role,
            password=password,
            dbname="postgres",
            connect_timeout=10,
            passfile="/dev/null",
        ).close()


@pytest.mark.parametrize("password", DEFAULTS)
def test_valkey_takes_no_default_password(shop: Shop, password: str) -> None:
    port = shop.serving.state("ports")["valkey"]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall((f"AUTH {password}\r\n" if password else "PING\r\n").encode())
        answer = line.recv(200)
    assert answer.startswith((b"-WRONGPASS", b"-NOAUTH")), answer


@pytest.mark.parametrize("word", [*DEFAULTS[1:], "sk_test_", "sk_live_", "sk_platform_"])
def test_no_door_takes_a_default_key(shop: Shop, word: str) -> None:
    for client, path in ((shop.http, "/v1/payments"), (shop.vault, "/v1/tokens")):
        for headers in (
            {"Authorization": f"Bearer {word}"},
            {"Authorization": f"Basic {b64encode(f'admin:{word}'.encode()).decode()}"},
        ):
            method = "GET" if path == "/v1/payments" else "POST"
            answer = client.request(method, path, headers=headers, json=None)
            # 403: the vault's door refuses secret keys by their first letters.
            assert answer.status_code in (400, 401, 403), answer.text


def test_another_stacks_keys_open_nothing_here(shop: Shop, other: Shop) -> None:
    for key in (other.platform_key, other.serving.state("sandbox")["secret_key"]):
        headers = {"Authorization": f"Bearer {key}"}
        assert shop.http.get("/v1/payments", headers=headers).status_code == 401


def test_no_secret_stands_in_the_tree(shop: Shop) -> None:
    """PCI DSS 4.0.1 req. 8.6.2: none is hard-coded, so none of a stack's is in its source."""
    words = [word for word in secrets(shop).values() if len(word) < 200]
    for folder in ("adapters", "flows", "gateway", "runtime", "scripts", "vault", "workers"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            assert not [word for word in words if word in text], path


def test_a_secret_key_is_stored_as_its_hash_only(shop: Shop, merchant: Merchant) -> None:
    """PCI DSS 4.0.1 req. 8.3.2: searched for in every table of both houses."""
    for process in ("paymint-api", "paymint-vault"):
        with shop.database(process) as connection:
            for table, _ in tables(connection):
                found = rows_with(connection, table, merchant.secret_key, without="")
                assert found == 0, table
    with shop.database() as connection:
        hashes = connection.execute(
            "SELECT secret_hash FROM api_keys WHERE merchant_id = %s AND secret_hash IS NOT NULL",
            [from_text("mch", merchant.id)],
        ).fetchall()
    assert hashes
    assert [text for (text,) in hashes if not text.startswith("$argon2id$")] == []
