"""What a shop's traffic is made of, as bytes that are ready to be sent.

Sales and authorisations, captures of what was authorised, and reads: a payment, the first
page of the list, the balance.  What is asked for is drawn from a seeded source; every create
has an idempotency key and an amount of its own.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

SALE, AUTHORISE, CAPTURE = "sale", "authorise", "capture"
RETRIEVE, LIST, BALANCE = "retrieve", "list", "balance"
CREATES: Final = (SALE, AUTHORISE)
# What waits for a card network.
NETWORKED: Final = (SALE, AUTHORISE, CAPTURE)
READS: Final = (RETRIEVE, LIST, BALANCE)
BALANCE_PATH: Final = "/v1/balance"
# Of a hundred requests.  A capture needs an authorisation before it; where none is left to
# capture, one is made instead.
SHARES: Final = {SALE: 24, AUTHORISE: 14, CAPTURE: 12, RETRIEVE: 38, LIST: 8, BALANCE: 4}
# Payments that may be asked for again, the newest of them.
REMEMBERED: Final = 2000
FIRST_AMOUNT, AMOUNTS = 100_000, 900_000
_ID: Final = b'"id":"pay_'
_ID_BYTES: Final = len("pay_") + 32


@dataclass(frozen=True)
class Counter:
    """Where is asked, and as whom: all that is the same in every request.

    `method` is a saved card; `paths` are payments that are there already; without `balance`
    its share goes to the other reads.  `series` tells the keys of one load from another's.
    """

    host: str
    port: int
    key: str
    method: str
    paths: tuple[str, ...]
    balance: bool
    seed: int
    series: int


@dataclass(slots=True, eq=False)
class Request:
    """One request; `payment` is the one it names or, once answered, the one it made."""

    kind: str
    data: bytes
    key: str = ""
    payment: str = ""
    intended: float = 0.0
    sent: float = 0.0


class Mix:
    """Makes one request after another, and learns from the answers."""

    def __init__(self, counter: Counter) -> None:
        self._random = random.Random(counter.seed * 1000 + counter.series)  # nosec B311  # no secret
        shares = {kind: n for kind, n in SHARES.items() if kind != BALANCE or counter.balance}
        self._kinds, self._bounds = tuple(shares), tuple(accumulate(shares.values()))
        self._key_start = f"{counter.seed % 2**32:08x}-{counter.series:04x}-4000-8000-"
        self._numbers = iter(range(1, 2**48))
        self._shared = (
            f"Host: {counter.host}:{counter.port}\r\nAuthorization: Bearer {counter.key}\r\n"
        ).encode()
        self._method = counter.method
        self._known = deque((path.encode() for path in counter.paths), REMEMBERED)
        self._authorised: deque[str] = deque(maxlen=REMEMBERED)
        self._reads = {LIST: self._get(b"/v1/payments"), BALANCE: self._get(BALANCE_PATH.encode())}
        self._tails = {kind: self._body(kind == SALE) for kind in CREATES}

    def __iter__(self) -> Iterator[Request]:
        while True:
            yield self.next()

    def next(self) -> Request:
        """The next request of the mix."""
        (kind,) = self._random.choices(self._kinds, cum_weights=self._bounds)
        if kind == CAPTURE and self._authorised:
            payment = self._authorised.popleft()
            head = f"POST /v1/payments/{payment}/capture HTTP/1.1\r\n".encode()
            return Request(kind, head + self._shared + b"Content-Length: 0\r\n\r\n", "", payment)
        if kind in NETWORKED or not self._known:
            return self._create(SALE if kind == SALE else AUTHORISE)
        if kind == RETRIEVE:
            return Request(kind, self._get(self._known[self._random.randrange(len(self._known))]))
        return Request(kind, self._reads[kind])

    def learn(self, request: Request, status: int, body: bytes) -> None:
        """Note what an answer makes possible: a payment to read, an approval to capture."""
        place = body.find(_ID) if request.kind in CREATES else -1
        if place < 0 or status not in (201, 202):
            return
        start = place + len(_ID) - len("pay_")
        request.payment = body[start : start + _ID_BYTES].decode()
        self._known.append(f"/v1/payments/{request.payment}".encode())
        if request.kind == AUTHORISE and status == 201:
            self._authorised.append(request.payment)

    def _get(self, path: bytes) -> bytes:
        return b"GET " + path + b" HTTP/1.1\r\n" + self._shared + b"\r\n"

    def _create(self, kind: str) -> Request:
        number = next(self._numbers)
        key = f"{self._key_start}{number:012x}"
        before, after = self._tails[kind]
        amount = b"%d" % (FIRST_AMOUNT + number % AMOUNTS)
        return Request(kind, b"".join((before, key.encode(), after, amount, b"}")), key)

    def _body(self, sale: bool) -> tuple[bytes, bytes]:
        """Head and body of a create, around the key and before the amount."""
        body = (
            f'{{"currency": "usd", "payment_method_id": "{self._method}",'
            f' "capture": {"true" if sale else "false"}, "description": "Order #9281",'
            ' "metadata": {"order_id": "9281", "sku": "WIDGET-PRO"}, "amount": '
        )
        # Amounts have six digits, so that the length is the same for all.
        length = len(body) + len(str(FIRST_AMOUNT)) + len("}")
        head = b"POST /v1/payments HTTP/1.1\r\n" + self._shared
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % length
        return head + b"Idempotency-Key: ", b"\r\n\r\n" + body.encode()
