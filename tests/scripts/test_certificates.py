"""The certificates of the private door, proved by handshakes."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.launcher.certificates import ENDS, ensure_certificates

NOW = datetime.now(UTC)
FILES = {"ca.pem", *(f"{end}.{kind}" for end in ENDS for kind in ("pem", "key"))}


def contexts(server: Path, client: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The vault's and the API's TLS settings, each with the certificates of its directory."""
    made = []
    for directory, end, purpose in (
        (server, "vault", ssl.Purpose.CLIENT_AUTH),
        (client, "api", ssl.Purpose.SERVER_AUTH),
    ):
        context = ssl.create_default_context(purpose, cafile=str(directory / "ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(directory / f"{end}.pem", directory / f"{end}.key")
        made.append(context)
    return made[0], made[1]


def handshake(server: Path, client: Path, name: str) -> object:
    """The common name that the vault sees, after both ends have proved themselves."""
    inside, outside = contexts(server, client)
    left, right = socket.socketpair()
    left.settimeout(5)
    right.settimeout(5)
    errors: list[Exception] = []

    def call() -> None:
        try:
            with outside.wrap_socket(right, server_hostname=name) as connection:
                connection.recv(1)
        except (ssl.SSLError, OSError) as error:
            errors.append(error)
            right.close()

    caller = threading.Thread(target=call)
    caller.start()
    try:
        with inside.wrap_socket(left, server_side=True) as connection:
            certificate = connection.getpeercert()
            connection.sendall(b".")
    finally:
        caller.join()
    assert not errors
    assert certificate is not None
    subject: object = certificate["subject"]
    return subject


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "paymint-vault"])
def test_both_ends_prove_themselves(tmp_path: Path, name: str) -> None:
    assert ensure_certificates(tmp_path, NOW)
    assert handshake(tmp_path, tmp_path, name) == ((("commonName", "paymint-api"),),)


def test_another_authoritys_caller_is_refused(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        ensure_certificates(tmp_path / name, NOW)
    with pytest.raises((ssl.SSLError, OSError, AssertionError)):
        handshake(tmp_path / "ours", tmp_path / "theirs", "localhost")


def test_they_are_kept_until_thirty_days_before_their_end(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    first = (tmp_path / "api.pem").read_bytes()
    assert not ensure_certificates(tmp_path, NOW + timedelta(days=334))
    assert (tmp_path / "api.pem").read_bytes() == first
    assert ensure_certificates(tmp_path, NOW + timedelta(days=336))
    assert (tmp_path / "api.pem").read_bytes() != first


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_or_spoilt_file_has_all_made_anew(tmp_path: Path, name: str) -> None:
    ensure_certificates(tmp_path, NOW)
    (tmp_path / name).write_text("spoilt")
    assert ensure_certificates(tmp_path, NOW)
    (tmp_path / name).unlink()
    assert ensure_certificates(tmp_path, NOW)
    assert handshake(tmp_path, tmp_path, "localhost")


def test_the_authoritys_key_is_kept_nowhere_and_all_else_is_private(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    assert {file.name for file in tmp_path.iterdir()} == FILES
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())
