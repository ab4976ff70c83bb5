"""Notices cards that are tried, and merchants whose cards are declined, unusually often.

It tells and refuses nothing.  All of it is in this process's memory: nothing is written,
the window is minutes, and the key of the digests is made at the start and never leaves
(PCI DSS 4.0.1 req. 3.5.1.1), so no two merchants' cards can be compared by anybody else.
Each vault process counts what it was asked; docs/decisions/0033 says what follows.
"""

import hmac
import os
from collections import OrderedDict, deque
from uuid import UUID

from runtime.clock import Clock
from vault.instruments import Card, Secret, fingerprint_text

# A person who tries again after a decline stops well before; a script does not.
WINDOW_SECONDS = 600.0
CARD_ATTEMPTS = 10
# Card testing: half of the merchant's last cards declined, all within the window.
MERCHANT_ATTEMPTS = 40
MERCHANT_DECLINED_CARDS = 20
# Bounds of memory.  What is tried often stays, what was tried once leaves first.
REMEMBERED_CARDS = 50_000
REMEMBERED_MERCHANTS = 5_000

_KEY_BYTES = 32
_DIGEST_BYTES = 16

# A merchant in one mode.
_Scope = tuple[UUID, bool]


class Velocity:
    """Counts authorisations by card across merchants, and declined cards by merchant."""

    def __init__(self, clock: Clock, shared_numbers: frozenset[str] = frozenset()) -> None:
        self._clock = clock
        self._key = os.urandom(_KEY_BYTES)
        # The sandbox's published cards are everybody's: tried by one merchant, they say
        # nothing of another.
        self._shared = frozenset(f"card {number}" for number in shared_numbers)
        self._cards: OrderedDict[bytes, tuple[float, ...]] = OrderedDict()
        self._merchants: OrderedDict[_Scope, _LastCards] = OrderedDict()

    def tried(self, merchant_id: UUID, livemode: bool, secret: Secret) -> "Try":
        """Count one authorisation that is put to the network."""
        now = self._clock.monotonic()
        card = self._digest(merchant_id, livemode, secret)
        earlier = self._cards.pop(card, ())
        # Of a card that comes often, the last ten moments say all that is asked.
        self._cards[card] = (*earlier[1 - CARD_ATTEMPTS :], now)
        if len(self._cards) > REMEMBERED_CARDS:
            self._cards.popitem(last=False)
        often = len(earlier) >= CARD_ATTEMPTS and now - earlier[0] <= WINDOW_SECONDS
        return Try((merchant_id, livemode), card, now, often)

    def not_asked(self, attempt: "Try") -> None:
        """Take back one that was not put to the network after all."""
        left = tuple(at for at in self._cards.pop(attempt.card, ()) if at != attempt.at)
        if left:
            self._cards[attempt.card] = left

    def answered(self, attempt: "Try", declined: bool) -> bool:
        """Count the network's answer; True when the card or the merchant stands out."""
        last = self._merchants.pop(attempt.scope, None) or _LastCards()
        self._merchants[attempt.scope] = last
        if len(self._merchants) > REMEMBERED_MERCHANTS:
            self._merchants.popitem(last=False)
        last.add(attempt.card, attempt.at, declined)
        return attempt.often or last.stand_out(attempt.at)

    def _digest(self, merchant_id: UUID, livemode: bool, secret: Secret) -> bytes:
        text = fingerprint_text(secret)
        where = "live" if livemode else "test"
        everybodys = not livemode and text in self._shared
        if everybodys or not isinstance(secret, Card):
            where = f"{where} {merchant_id.hex}"
        message = f"{where} {text}".encode()
        return hmac.digest(self._key, message, "sha256")[:_DIGEST_BYTES]


class Try:
    """An authorisation under way; `often`: its card has come too often already."""

    __slots__ = ("at", "card", "often", "scope")

    def __init__(self, scope: _Scope, card: bytes, at: float, often: bool) -> None:
        self.scope = scope
        self.card = card
        self.at = at
        self.often = often


class _LastCards:
    """The last authorisations of one merchant."""

    __slots__ = ("_answers", "_declines")

    def __init__(self) -> None:
        self._answers: deque[tuple[float, bytes | None]] = deque()
        self._declines = 0

    def add(self, card: bytes, at: float, declined: bool) -> None:
        """Count one answer; the card is kept only where it was declined."""
        self._answers.append((at, card if declined else None))
        self._declines += declined
        if len(self._answers) > MERCHANT_ATTEMPTS:
            _, left = self._answers.popleft()
            self._declines -= left is not None

    def stand_out(self, now: float) -> bool:
        """Whether enough different cards were declined within the window."""
        if self._declines < MERCHANT_DECLINED_CARDS:
            return False
        since = now - WINDOW_SECONDS
        cards = {card for at, card in self._answers if card is not None and at >= since}
        return len(cards) >= MERCHANT_DECLINED_CARDS
