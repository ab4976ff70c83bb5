"""From the text of an access token to its caller, and the making of such a token.

A token is a JWT (RFC 9068), signed with RS256 by a key of ours.  Its signature is verified once
per process and then remembered as a keyed digest, as the proof of a key is
(flows/authentication.py).  Whether its grant still stands is read again at most every 60
seconds, and at once when a change was announced: revoked means refused within a second.
"""

import hmac
import math
import os
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import jwt

from adapters.token_records import TokenRecords
from domain import oauth
from domain.callers import Caller
from domain.ids import from_text, to_text
from domain.refusals import Unauthenticated
from flows.signing_keys import SigningKey, SigningKeys
from models.oauth_grants import read_standing
from runtime.clock import Clock
from runtime.database import Database, Row

REMEMBERED_TOKENS = 10_000
ROW_FRESH_SECONDS = 60.0
CLOCK_LEEWAY_SECONDS = 60
_STALE = -math.inf
_TYPE: Final = "at+jwt"
# A header that names anything else (`jku`, `x5u`, `jwk`, `crit`) is not one of ours.
_HEADER: Final = frozenset({"alg", "kid", "typ"})
_ALGORITHMS: Final = ["RS256"]
_CLAIMS: Final = ["iss", "aud", "sub", "client_id", "merchant", "grant", "livemode", "scope"]
_TIMES: Final = ["iat", "exp", "jti"]
_SHOWN_END: Final = 4


@dataclass(slots=True)
class _Known:
    """A token whose signature was verified, and what its grant's row said."""

    merchant_id: UUID
    grant_id: UUID
    livemode: bool
    scopes: frozenset[str]
    second_factor_at: datetime | None
    expires_at: datetime
    display: str
    caller: Caller | None = None
    read_at: float = _STALE


class TokenRing:
    """Authenticates callers by their access tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        signing_keys: SigningKeys,
        records: TokenRecords,
        issuer: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._signing_keys = signing_keys
        self._records = records
        self._issuer = issuer
        self._pepper = os.urandom(32)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._of_merchant: dict[UUID, set[bytes]] = {}
        # Counts announcements: a row whose reading one overtook may be the old one.
        self._announcements = 0

    async def authenticate(self, text: str) -> Caller:
        """The caller behind a token.

        Raises 401 `access_token_invalid`, `access_token_expired`, `access_token_revoked`.
        """
        digest = hmac.digest(self._pepper, text.encode(), "sha256")
        known = self._known.get(digest)
        if known is None:
            known = await self._verified(text)
            self._remember(digest, known)
        else:
            self._known.move_to_end(digest)
        if known.expires_at <= self._clock.now():
            self._drop(digest)
            raise Unauthenticated("access_token_expired")
        if self._clock.monotonic() - known.read_at >= ROW_FRESH_SECONDS:
            await self._read_again(known)
        if known.caller is None:
            raise Unauthenticated("access_token_revoked")
        return known.caller

    async def holder(self, text: str) -> oauth.Holder | None:
        """Whose grant a token of ours is of, one that has ended too; None where it is none."""
        try:
            known = await self._verified(text)
        except Unauthenticated:
            return None
        return oauth.Holder(known.merchant_id, known.grant_id)

    def forget(self, merchant_id: UUID) -> None:
        """Read the grants of this merchant again before their tokens are believed."""
        self._announcements += 1
        self._records.forget(merchant_id)
        for digest in self._of_merchant.get(merchant_id, ()):
            self._known[digest].read_at = _STALE

    def forget_all(self) -> None:
        """Read every grant and every signing key again: announcements may have been missed."""
        self._announcements += 1
        self._records.forget_all()
        self._signing_keys.forget()
        for known in self._known.values():
            known.read_at = _STALE

    async def _verified(self, text: str) -> _Known:
        """RFC 9068 section 4 and RFC 8725: nothing of the token chooses how it is verified."""
        try:
            header = jwt.get_unverified_header(text)
            if header.keys() != _HEADER or header["typ"] != _TYPE or header["alg"] != "RS256":
                raise Unauthenticated("access_token_invalid")
            public = await self._signing_keys.public(str(header["kid"]))
            if public is None:
                raise Unauthenticated("access_token_invalid")
            claims = jwt.decode(
                text,
                public,
                algorithms=_ALGORITHMS,
                audience=oauth.audience_of(self._issuer),
                issuer=self._issuer,
                # Times are compared with our own clock.
                options={
                    "require": [*_CLAIMS, *_TIMES],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": True,
                },
            )
            known = _read(claims, text)
            starts = max(claims["iat"], claims.get("nbf", 0))
        except (jwt.InvalidTokenError, ValueError, TypeError, KeyError, OverflowError):
            raise Unauthenticated("access_token_invalid") from None
        if starts > self._clock.now().timestamp() + CLOCK_LEEWAY_SECONDS:
            raise Unauthenticated("access_token_invalid")
        return known

    async def _read_again(self, known: _Known) -> None:
        announcements, read_at = self._announcements, self._clock.now()
        row = await self._records.read(known.merchant_id, known.grant_id)
        if row is None:
            async with self._database.reading() as transaction:
                row = await read_standing(transaction, known.merchant_id, known.grant_id)
            if row is not None:
                await self._records.write(row, read_at)
        known.caller = None if row is None else _caller(known, row)
        overtaken = announcements != self._announcements
        known.read_at = _STALE if overtaken else self._clock.monotonic()

    def _remember(self, digest: bytes, known: _Known) -> None:
        self._known[digest] = known
        self._of_merchant.setdefault(known.merchant_id, set()).add(digest)
        while len(self._known) > REMEMBERED_TOKENS:
            self._drop(next(iter(self._known)))

    def _drop(self, digest: bytes) -> None:
        known = self._known.pop(digest, None)
        if known is None:
            return
        of_merchant = self._of_merchant[known.merchant_id]
        of_merchant.discard(digest)
        if not of_merchant:
            del self._of_merchant[known.merchant_id]


def make_access_token(
    key: SigningKey, issuer: str, grant: Row, scopes: tuple[str, ...], now: datetime, token_id: UUID
) -> str:
    """The text of a token of this grant; `token_id` is its `jti`."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": oauth.audience_of(issuer),
        "sub": grant["user_id"].hex,
        "client_id": to_text("clt", grant["client_id"]),
        "merchant": to_text("mch", grant["merchant_id"]),
        "grant": to_text("grt", grant["id"]),
        "livemode": grant["livemode"],
        "scope": " ".join(scopes),
        "jti": token_id.hex,
        "iat": issued,
        "exp": issued + oauth.ACCESS_TOKEN_SECONDS,
    }
    if grant["second_factor_at"] is not None:
        claims["second_factor_at"] = int(grant["second_factor_at"].timestamp())
    return jwt.encode(claims, key.private, "RS256", {"kid": key.kid, "typ": _TYPE})


def _read(claims: dict[str, Any], text: str) -> _Known:
    merchant_id = from_text("mch", claims["merchant"])
    grant_id = from_text("grt", claims["grant"])
    of_type = isinstance(claims["livemode"], bool) and isinstance(claims["scope"], str)
    if merchant_id is None or grant_id is None or not of_type:
        raise ValueError("a claim is not ours")
    given = claims.get("second_factor_at")
    return _Known(
        merchant_id=merchant_id,
        grant_id=grant_id,
        livemode=claims["livemode"],
        scopes=frozenset(claims["scope"].split(" ")),
        second_factor_at=None if given is None else datetime.fromtimestamp(given, UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        display=f"oauth_...{text[-_SHOWN_END:]}",
    )


def _caller(known: _Known, row: Row) -> Caller | None:
    """The caller, None where grant or client have ended."""
    ended = row["revoked_at"] is not None or row["client_deleted_at"] is not None
    if ended or row["livemode"] != known.livemode:
        return None
    return Caller(
        merchant_id=row["merchant_id"],
        livemode=row["livemode"],
        key_id=row["id"],
        key_display=known.display,
        scopes=known.scopes,
        merchant_status=row["merchant_status"],
        terminated_at=row["merchant_terminated_at"],
        api_version=row["api_version"],
        frozen_time=row["frozen_time"],
        rate_limit_multiplier=row["rate_limit_multiplier"],
        kind="oauth",
        client_id=row["client_id"],
        person_id=row["user_id"],
        second_factor_at=known.second_factor_at,
    )
