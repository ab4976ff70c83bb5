"""The token and revocation endpoints: RFC 6749 sections 4.1.3 and 6, RFC 7009.

Code and refresh token are each good once, which the row lock of PostgreSQL decides.  Shown a
second time, either betrays that two have it: the grant is revoked with every token that came of
it (RFC 9700 sections 2.1.1 and 4.14.2).  There is no grace for a client whose answer was lost
(docs/decisions, OAuth).
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from domain import oauth
from domain.oauth import Holder, ProtocolError, invalid_grant
from flows.access_tokens import make_access_token
from flows.house import House
from flows.signing_keys import SigningKey
from models import oauth_grants as rows
from models.announcing import announce_merchant
from models.oauth_clients import find_client
from runtime.database import Row, Transaction

Form = Mapping[str, str]


class Asker(NamedTuple):
    """Who asks: the header that may name the client, and the address it comes from."""

    authorization: str | None
    address: str


async def issue_token(house: House, form: Form, asker: Asker) -> dict[str, Any]:
    """The answer of `POST /oauth/token`; raises ProtocolError, 429, 503."""
    client = await _proven_client(house, form, asker)
    kind = form.get("grant_type")
    if kind == "authorization_code":
        return await _by_code(house, client, form)
    if kind == "refresh_token":
        return await _by_refresh_token(house, client, form)
    told = "grant_type must be authorization_code or refresh_token."
    raise ProtocolError("unsupported_grant_type", told)


async def revoke_token(house: House, form: Form, asker: Asker) -> None:
    """Revoke the grant behind a refresh or access token (RFC 7009).

    What is unknown, or another client's, is answered alike.  Raises ProtocolError, 429, 503.
    """
    client = await _proven_client(house, form, asker)
    text = form.get("token")
    if text is None:
        raise ProtocolError("invalid_request", "token is missing.")
    holder = oauth.parse(oauth.REFRESH_PREFIX, text)
    known = holder is not None
    if holder is None:
        holder = await house.tokens.holder(text)
    if holder is None:
        return
    async with house.database.transaction() as transaction:
        grant = await rows.lock_grant(transaction, *holder)
        if grant is None or grant["client_id"] != client["id"]:
            return
        if known and await _token_row(transaction, grant, text) is None:
            return
        await _revoke(house, transaction, holder)


async def _by_code(house: House, client: Row, form: Form) -> dict[str, Any]:
    text, verifier = _field(form, "code"), _field(form, "code_verifier")
    redirect_uri = _field(form, "redirect_uri")
    holder = oauth.parse(oauth.CODE_PREFIX, text)
    if holder is None:
        raise invalid_grant()
    key, now = await house.signing_keys.current(), house.clock.now()
    async with house.database.transaction() as transaction:
        code = await rows.lock_code(transaction, *holder)
        good = (
            code is not None
            and code["digest"] == oauth.digest_of(text)
            and code["client_id"] == client["id"]
        )
        answer = None
        if code is not None and good and code["used_at"] is not None:
            # Two have this code: whatever was made of it is not to be trusted.
            await _revoke(house, transaction, holder)
        elif (
            code is not None
            and good
            and code["expires_at"] > now
            and code["redirect_uri"] == redirect_uri
            and oauth.proves(verifier, code["challenge"])
        ):
            grant = await rows.use_code(transaction, code, now)
            answer = await _issue(house, transaction, key, grant, tuple(grant["scopes"]))
    if answer is None:
        raise invalid_grant()
    return answer


async def _by_refresh_token(house: House, client: Row, form: Form) -> dict[str, Any]:
    text = _field(form, "refresh_token")
    holder = oauth.parse(oauth.REFRESH_PREFIX, text)
    if holder is None:
        raise invalid_grant()
    key, now = await house.signing_keys.current(), house.clock.now()
    async with house.database.transaction() as transaction:
        grant = await rows.lock_grant(transaction, *holder)
        if grant is None or grant["client_id"] != client["id"]:
            raise invalid_grant()
        token = await _token_row(transaction, grant, text)
        if token is None or grant["revoked_at"] is not None or token["expires_at"] <= now:
            raise invalid_grant()
        answer = None
        if token["used_at"] is not None:
            await _revoke(house, transaction, holder)
        else:
            # Narrowed for this access token alone (RFC 6749 section 6).
            scopes = oauth.scopes_asked(form.get("scope"), grant["scopes"])
            await rows.use_refresh_token(
                transaction, holder.merchant_id, bytes(token["digest"]), now
            )
            answer = await _issue(house, transaction, key, grant, scopes)
    if answer is None:
        raise invalid_grant()
    return answer


async def _issue(
    house: House, transaction: Transaction, key: SigningKey, grant: Row, scopes: tuple[str, ...]
) -> dict[str, Any]:
    now = house.clock.now()
    holder = Holder(grant["merchant_id"], grant["id"])
    refresh = oauth.compose(oauth.REFRESH_PREFIX, holder, os.urandom(oauth.SECRET_BYTES))
    await rows.insert_refresh_token(
        transaction,
        merchant_id=grant["merchant_id"],
        livemode=grant["livemode"],
        digest=oauth.digest_of(refresh),
        grant_id=grant["id"],
        created_at=now,
        expires_at=now + oauth.REFRESH_TOKEN_LIFE,
    )
    issuer = house.settings.origin
    return {
        "access_token": make_access_token(key, issuer, grant, scopes, now, house.new_id()),
        "token_type": "Bearer",  # nosec B105  # a kind, no token
        "expires_in": oauth.ACCESS_TOKEN_SECONDS,
        "refresh_token": refresh,
        "scope": " ".join(scopes),
        "livemode": grant["livemode"],
    }


async def _token_row(transaction: Transaction, grant: Row, text: str) -> Row | None:
    found = await rows.find_refresh_token(transaction, grant["merchant_id"], oauth.digest_of(text))
    return found if found is not None and found["grant_id"] == grant["id"] else None


async def _revoke(house: House, transaction: Transaction, holder: Holder) -> None:
    if await rows.revoke_grant(transaction, *holder, house.clock.now()):
        await announce_merchant(transaction, holder.merchant_id)


async def _proven_client(house: House, form: Form, asker: Asker) -> Row:
    """The client, which has proven itself where it has a secret; raises ProtocolError."""
    said = oauth.credentials(form, asker.authorization)
    async with house.database.reading() as transaction:
        client = await find_client(transaction, said.client_id)
    refused = oauth.unknown_client(by_header=said.by_header)
    if client is None or (client["secret_hash"] is None) != (said.secret is None):
        raise refused
    if said.secret is not None and not await house.client_secrets.proves(
        client["id"], client["secret_hash"], said.secret, asker.address
    ):
        raise refused
    return client


def _field(form: Form, name: str) -> str:
    value = form.get(name)
    if not value:
        raise ProtocolError("invalid_request", f"{name} is missing.")
    return value
