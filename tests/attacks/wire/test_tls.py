"""TLS of the public doors (PCI DSS 4.0.1 req. 4.2.1; blueprint section 9, "Encryption")."""

import contextlib
import json
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runtime.public_tls import Certified
from scripts.launcher.certificates import Authority, write_certificate, write_key
from scripts.launcher.public_certificates import ensure_public_certificate, sign_server
from tests.attacks.wire.conftest import HEAD_SECONDS
from tests.attacks.wire.logs import logged
from tests.attacks.wire.sockets import address_of, connect, head, read_to_end, statuses
from tests.serving import eventually
from tests.shop import Shop, told

RENEWED_WITHIN_SECONDS = 30.0
LATENESS_SECONDS = 8.0
WEAK = [
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-CCM",
]
STRONG = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
]
# uvloop hangs up on a handshake that fails, without the alert that would say why.
REFUSED = (ssl.SSLError, ConnectionResetError)
OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]


@pytest.fixture(params=["api", "vault"])
def door(request: pytest.FixtureRequest, secured: Shop) -> str:
    """The address of each public door in turn."""
    return secured.base_url if request.param == "api" else secured.vault_url


@pytest.fixture
def kept(secured: Shop) -> Path:
    """Where the public certificate lies."""
    return secured.serving.directory / "public_tls"


def client(kept: Path, version: ssl.TLSVersion | None = None, ciphers: str = "") -> ssl.SSLContext:
    """A client that trusts the stack's authority, and speaks `version` alone."""
    context = ssl.create_default_context(cafile=str(kept / "ca.pem"))
    if ciphers:
        context.set_ciphers(ciphers)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def old_client(kept: Path, version: ssl.TLSVersion) -> ssl.SSLContext:
    """One that OpenSSL still lets speak an old version."""
    with pytest.warns(DeprecationWarning):
        return client(kept, version, "ALL:@SECLEVEL=0")


@contextlib.contextmanager
def permissive(kept: Path) -> Iterator[str]:
    """A server with the door's certificate that speaks whatever OpenSSL can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept / "server.pem", kept / "server.key")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            serving.join(10.0)


def spoken(url: str, context: ssl.SSLContext) -> tuple[str | None, str]:
    """Version and cipher of a handshake; raises ssl.SSLError, ConnectionError."""
    with connect(url, context) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        cipher = connection.cipher()
        assert cipher is not None and connection.compression() is None
        return connection.version(), cipher[0]


@pytest.mark.parametrize("version", OLD, ids=["1.0", "1.1"])
def test_old_versions_are_refused(door: str, kept: Path, version: ssl.TLSVersion) -> None:
    context = old_client(kept, version)
    with permissive(kept) as elsewhere:
        # The client could, had it been let.
        assert spoken(elsewhere, context)[0] == version.name.replace("_", ".")
    with pytest.raises(REFUSED):
        spoken(door, context)


@pytest.mark.parametrize("cipher", WEAK)
def test_weak_ciphers_are_refused(door: str, kept: Path, cipher: str) -> None:
    context = client(kept, ssl.TLSVersion.TLSv1_2, f"{cipher}:@SECLEVEL=0")
    with permissive(kept) as elsewhere:
        assert spoken(elsewhere, context)[1] == cipher
    with pytest.raises(REFUSED):
        spoken(door, context)


@pytest.mark.parametrize("cipher", STRONG)
def test_modern_ciphers_of_1_2_are_spoken(door: str, kept: Path, cipher: str) -> None:
    context = client(kept, ssl.TLSVersion.TLSv1_2, cipher)
    assert spoken(door, context) == ("TLSv1.2", cipher)


def test_1_3_is_preferred(door: str, kept: Path) -> None:
    assert spoken(door, client(kept))[0] == "TLSv1.3"


def test_a_client_that_trusts_others_goes_away(door: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        spoken(door, ssl.create_default_context())


def test_the_certificate_is_for_this_machine(door: str, kept: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        client(kept).wrap_socket(
            socket.create_connection(address_of(door)), server_hostname="api.paymint.com"
        )


def test_every_answer_keeps_browsers_to_tls(door: str, kept: Path) -> None:
    with connect(door, client(kept)) as connection:
        connection.sendall(head("GET /healthz HTTP/1.1") + b"4242\r\n\r\n")
        answer = read_to_end(connection)
    assert statuses(answer) == [200, 400]
    line = b"\r\nstrict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    assert answer.count(line) == 2


def test_plain_http_is_not_answered(door: str) -> None:
    with connect(door) as connection:
        connection.sendall(head("GET /healthz HTTP/1.1"))
        assert b"HTTP/" not in read_to_end(connection)


def test_a_handshake_that_says_nothing_ends(door: str) -> None:
    with connect(door) as connection:
        began = time.monotonic()
        ends = select.select([connection], [], [], HEAD_SECONDS + LATENESS_SECONDS)[0]
        assert ends and connection.recv(100) == b""
        assert time.monotonic() - began > HEAD_SECONDS / 2


def test_a_connection_that_says_nothing_after_its_handshake_ends(door: str, kept: Path) -> None:
    with connect(door, client(kept)) as connection:
        connection.settimeout(HEAD_SECONDS + LATENESS_SECONDS)
        assert read_to_end(connection) == b""


def test_a_payment_over_tls(secured: Shop) -> None:
    """Token, payment, capture, refund with the certificate checked."""
    assert secured.base_url.startswith("https://") and secured.vault_url.startswith("https://")
    merchant = secured.open_account()
    held = merchant.pay(capture=False)["id"]
    told(merchant.act(held, "capture"), 200)
    merchant.refund(held, amount=5_000)
    assert merchant.payment(held)["amount_refunded"] == 5_000


def test_the_printed_lines_work_as_pasted(secured: Shop) -> None:
    output = secured.serving.output
    block = output[output.index("\nAPI=") : output.index("/v1/events?limit=5")]
    ran = subprocess.run(
        ["sh", "-eu"],
        input=block + '/v1/events?limit=5"; echo\n',
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    captured, refund, events = (json.loads(line) for line in ran.stdout.split("\n") if line)
    assert captured["status"] == "captured"
    assert (refund["object"], events["object"]) == ("refund", "list")


def shown_serial(door: str, kept: Path) -> int:
    """The serial number of the certificate that a new connection is shown."""
    with connect(door, client(kept)) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def authority(kept: Path) -> Authority:
    key = serialization.load_pem_private_key((kept / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(x509.load_pem_x509_certificate((kept / "ca.pem").read_bytes()), key)


def not_taken(shop: Shop) -> list[int]:
    """How often each process has found a pair that does not fit."""
    processes = ("paymint-vault", "paymint-api")
    return [logged(shop, p, "files_not_taken", files="public certificate") for p in processes]


def test_a_new_certificate_is_shown_without_a_restart(secured: Shop, kept: Path) -> None:
    doors = (secured.base_url, secured.vault_url)
    before = {door: shown_serial(door, kept) for door in doors}
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = sign_server(authority(kept), key, datetime.now(UTC))
    with httpx.Client(verify=client(kept), base_url=secured.base_url) as earlier:
        assert earlier.get("/healthz").status_code == 200
        refused = not_taken(secured)
        write_certificate(kept / "server.pem", certificate)
        # The key is not there yet: the pair does not fit, and the earlier one is shown.
        assert eventually(
            lambda: all(n > b for n, b in zip(not_taken(secured), refused, strict=True)),
            RENEWED_WITHIN_SECONDS,
        )
        assert {door: shown_serial(door, kept) for door in doors} == before
        write_key(kept / "server.key", key)
        wanted = dict.fromkeys(doors, certificate.serial_number)
        assert eventually(
            lambda: {door: shown_serial(door, kept) for door in doors} == wanted,
            RENEWED_WITHIN_SECONDS,
        )
        # A connection that stands is not disturbed.
        assert earlier.get("/healthz").status_code == 200


def test_the_authority_outlives_the_certificates_it_signs(kept: Path, tmp_path: Path) -> None:
    copy = tmp_path / "kept"
    shutil.copytree(kept, copy)
    now = datetime.now(UTC)
    assert not ensure_public_certificate(copy, now)
    trusted = (copy / "ca.pem").read_bytes()
    (copy / "server.pem").unlink()
    assert ensure_public_certificate(copy, now)
    assert (copy / "ca.pem").read_bytes() == trusted


def test_keys_stay_with_their_owner(kept: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}
    assert kept.stat().st_mode & 0o777 == 0o700


def test_a_certificate_alone_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        Certified.from_environment({"PAYMINT_TLS_CERTIFICATE": str(tmp_path / uuid4().hex)})
