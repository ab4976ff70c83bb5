"""The certificates of the private door change while payments are under way: no call is lost."""

import shutil
import socket
import ssl
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.vault_door.door import client_tls
from runtime.frames import Kind, encode_frame
from scripts.launcher.certificates import ENDS, ensure_certificates, is_good
from scripts.launcher.renewal import LOOK_SECONDS, STEP_SECONDS, Renewal, Renewing
from tests.attacks.wire.logs import logged
from tests.serving import eventually
from tests.shop import Merchant, Shop

TAKEN_WITHIN_SECONDS = 30.0
ANSWER_SECONDS = 5.0
BUYERS = 3
RENEWALS = 2
PAYMENTS_BETWEEN = 5
PROCESSES = ("paymint-vault", "paymint-api", "paymint-worker")


@pytest.fixture
def tls(secured: Shop) -> Path:
    """Where the private door's certificates lie."""
    return secured.serving.directory / "tls"


class Buyers:
    """Threads that pay without a pause; what they were answered, by status and state."""

    def __init__(self, shop: Shop) -> None:
        self._merchants = [shop.open_account() for _ in range(BUYERS)]
        self._stop = threading.Event()
        self.outcomes: Counter[tuple[int, str]] = Counter()
        self._threads = [threading.Thread(target=self._pay, args=(m,)) for m in self._merchants]

    def __enter__(self) -> "Buyers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, number: int) -> None:
        """Until so many more payments are answered."""
        wanted = self.outcomes.total() + number
        assert eventually(lambda: self.outcomes.total() >= wanted, TAKEN_WITHIN_SECONDS)

    def _pay(self, merchant: Merchant) -> None:
        while not self._stop.is_set():
            answer = merchant.pay_answer()
            self.outcomes[answer.status_code, answer.json().get("status", answer.text)] += 1


def taken(shop: Shop) -> list[int]:
    """How often each process has taken the private door's files."""
    return [logged(shop, p, "files_taken", files="private certificates") for p in PROCESSES]


def await_taken(shop: Shop, before: list[int]) -> None:
    """Until every process has taken the files once more."""
    assert eventually(
        lambda: all(now > then for now, then in zip(taken(shop), before, strict=True)),
        TAKEN_WITHIN_SECONDS,
    )


def renew(shop: Shop, tls: Path, buyers: Buyers) -> None:
    """All three steps, each taken by every process, with payments between them."""
    renewal = Renewal.made(tls, datetime.now(UTC))
    for step in (renewal.trust_both, renewal.show_new, renewal.trust_new):
        before = taken(shop)
        step()
        await_taken(shop, before)
        buyers.await_more(PAYMENTS_BETWEEN)


def is_served(shop: Shop, context: ssl.SSLContext) -> bool:
    """Whether the vault answers a ping to somebody with this certificate."""
    port = int(shop.serving.state("ports")["relay"])
    try:
        with (
            socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as raw,
            context.wrap_socket(raw, server_hostname="paymint-vault") as connection,
        ):
            connection.sendall(encode_frame(Kind.PING, 7))
            return connection.recv(100) == encode_frame(Kind.PONG, 7)
    except OSError:
        return False


def test_no_call_is_lost_while_certificates_are_replaced_twice(
    secured: Shop, tls: Path, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier"
    shutil.copytree(tls, earlier)
    assert is_served(secured, client_tls(earlier))
    links = logged(secured, "paymint-api", "vault_link_renewed")
    with Buyers(secured) as buyers:
        for _ in range(RENEWALS):
            renew(secured, tls, buyers)
    assert set(buyers.outcomes) == {(201, "captured")}, buyers.outcomes
    # The links were replaced: nobody went on with the certificate that he had.
    assert eventually(
        lambda: logged(secured, "paymint-api", "vault_link_renewed") >= links + 2 * RENEWALS,
        TAKEN_WITHIN_SECONDS,
    )
    assert is_served(secured, client_tls(tls))
    # After the overlap the earlier certificate opens nothing, whomever its holder trusts.
    shutil.copy(tls / "ca.pem", earlier / "ca.pem")
    assert not is_served(secured, client_tls(earlier))


def test_files_that_do_not_fit_change_nothing(secured: Shop, tls: Path, tmp_path: Path) -> None:
    sound = {path: path.read_bytes() for path in tls.iterdir()}
    refused = logged(secured, "paymint-api", "files_not_taken")
    ensure_certificates(tmp_path, datetime.now(UTC))
    try:
        for name in ("api.key", "vault.key"):
            write_bytes(tls / name, (tmp_path / name).read_bytes())
        assert eventually(
            lambda: logged(secured, "paymint-api", "files_not_taken") > refused,
            TAKEN_WITHIN_SECONDS,
        )
        assert secured.open_account().pay()["status"] == "captured"
    finally:
        before = taken(secured)
        for path, content in sound.items():
            write_bytes(path, content)
        await_taken(secured, before)
    assert secured.open_account().pay()["status"] == "captured"


def write_bytes(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    fresh.replace(path)


def test_a_foreign_certificate_opens_nothing(secured: Shop, tls: Path, tmp_path: Path) -> None:
    ensure_certificates(tmp_path, datetime.now(UTC))
    shutil.copy(tls / "ca.pem", tmp_path / "ca.pem")
    assert not is_served(secured, client_tls(tmp_path))
    assert is_served(secured, client_tls(tls))


def test_the_launcher_renews_before_the_end_a_step_at_a_time(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ensure_certificates(tmp_path, now)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    said: list[str] = []
    renewing = Renewing(tmp_path, said.append)

    def changed() -> set[str]:
        return {name for name, old in before.items() if (tmp_path / name).read_bytes() != old}

    renewing.tend(1.0, now)
    assert changed() == set()
    late = now + timedelta(days=340)
    renewing.tend(2.0, late)
    assert changed() == set(), "looked at too early"
    began = 1.0 + LOOK_SECONDS
    renewing.tend(began, late)
    assert changed() == {"ca.pem"}
    assert (tmp_path / "ca.pem").read_bytes().endswith(before["ca.pem"])
    renewing.tend(began + STEP_SECONDS / 2, late)
    assert changed() == {"ca.pem"}
    renewing.tend(began + STEP_SECONDS, late)
    assert changed() == set(before)
    assert not said
    renewing.tend(began + 2 * STEP_SECONDS, late)
    assert before["ca.pem"] not in (tmp_path / "ca.pem").read_bytes()
    assert all(is_good(tmp_path, end, late) for end in ENDS)
    assert said == ["renewed the certificates of the private door"]
