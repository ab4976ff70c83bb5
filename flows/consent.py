"""Asking a person whether an application may act for their merchant.

RFC 6749 section 4.1.1 as RFC 9700 tightens it: nothing is sent to a redirect URI that the client
has not registered, and no code is made without a challenge.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from domain import oauth, oauth_clients
from domain.ids import from_text
from domain.oauth import Holder, ProtocolError, Wanted
from domain.people import SignedIn
from domain.refusals import Malformed
from flows.house import House
from models.merchants import read_merchant
from models.oauth_clients import find_client
from models.oauth_grants import insert_code
from runtime.database import Row

Query = Mapping[str, str]


class Question(NamedTuple):
    """What the page asks: which application wants what, of which merchant, in which mode."""

    client_name: str
    merchant_name: str
    scopes: tuple[str, ...]
    livemode: bool


async def proven_client(house: House, query: Query) -> Row:
    """The client, whose redirect URI may be answered from now on.

    Raises 400 `oauth_client_unknown`, `redirect_uri_mismatch`, to be shown on a page.
    """
    client_id = from_text("clt", query.get("client_id", ""))
    client = None
    if client_id is not None:
        async with house.database.reading() as transaction:
            client = await find_client(transaction, client_id)
    if client is None:
        raise Malformed("oauth_client_unknown", "client_id")
    if not oauth_clients.names(client, query.get("redirect_uri", "")):
        raise Malformed("redirect_uri_mismatch", "redirect_uri")
    return client


async def ask_for_consent(house: House, client: Row, query: Query, person: SignedIn) -> Question:
    """What a person is to be asked; raises ProtocolError, which goes to the redirect URI."""
    wanted = oauth.wanted(query, client["scopes"])
    async with house.database.reading() as transaction:
        merchant = await read_merchant(transaction, person.merchant_id)
    name = "" if merchant is None else merchant["business_name"]
    return Question(client["name"], name, wanted.scopes, _mode(wanted, person))


async def give_code(house: House, client: Row, query: Query, person: SignedIn) -> str:
    """The text of a code for what the person has approved; raises ProtocolError."""
    wanted = oauth.wanted(query, client["scopes"])
    holder = Holder(person.merchant_id, house.new_id())
    text = oauth.compose(oauth.CODE_PREFIX, holder, os.urandom(oauth.SECRET_BYTES))
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        await insert_code(
            transaction,
            id=holder.grant_id,
            merchant_id=holder.merchant_id,
            livemode=_mode(wanted, person),
            client_id=client["id"],
            user_id=person.user_id,
            scopes=list(wanted.scopes),
            second_factor_at=person.second_factor_at,
            digest=oauth.digest_of(text),
            redirect_uri=wanted.redirect_uri,
            challenge=wanted.challenge,
            created_at=now,
            expires_at=now + oauth.CODE_LIFE,
        )
    return text


def _mode(wanted: Wanted, person: SignedIn) -> bool:
    """The mode asked for; left open, live where the merchant takes live payments."""
    active = person.merchant_status == "active"
    if wanted.livemode and not active:
        raise ProtocolError("access_denied", "The merchant is not in live mode.")
    return active if wanted.livemode is None else wanted.livemode
