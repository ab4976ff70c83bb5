"""People: signing in with two factors, what a session's cookie is worth, signing out.

Whatever is wrong, the answer is one and the same, and comes no sooner than after
FAILURE_SECONDS: neither words nor time tell whether somebody has an account, or is locked out.
"""

import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from adapters.keys import PLATFORM
from domain import people
from domain.ids import from_text, to_text
from domain.people import SignedIn, SignInFailed
from domain.refusals import Missing
from flows.house import House
from models import people as users
from models import sessions
from runtime.database import Row
from runtime.log import log
from runtime.masked import Masked

# Longer than a password takes to be looked at on a machine that is not overloaded.
FAILURE_SECONDS: Final = 0.4
SESSIONS_SHOWN: Final = 50
SESSIONS_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in from: the address, and the cleaned name of the browser."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A new session: the value of its cookie, which is not stored, and whose it is."""

    cookie: Masked
    person: SignedIn


async def signed_in(house: House, cookie_value: str | None) -> SignedIn | None:
    """The person behind a session's cookie, or None; notes that the session is used."""
    named = people.parse(cookie_value)
    if named is None:
        return None
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        row = await sessions.see_session(
            transaction,
            named,
            now,
            now - people.IDLE_AFTER,
            now - people.SESSION_LASTS,
        )
    if row is None:
        return None
    name = await house.seals.open(row["merchant_id"], people.NAME, row["name_sealed"])
    return SignedIn(
        user_id=row["user_id"],
        merchant_id=row["merchant_id"],
        session_id=row["id"],
        name=name.decode(),
        second_factor_at=row["second_factor_at"],
        merchant_status=row["merchant_status"],
    )


async def sign_in(
    house: House, form: dict[str, str], place: Place, earlier_cookie: str | None
) -> Begun:
    """A new session for whoever knows address, password and code.

    Raises SignInFailed, and 503 while too many passwords wait to be looked at.  The session
    that the browser had before ends, so that no cookie of another's making is ever good.
    """
    # Failures are answered at this moment, not after what was done for them.
    answered_at = house.clock.monotonic() + FAILURE_SECONDS
    try:
        user, step = await _proven(house, form)
        return await _begin(house, user, step, place, earlier_cookie)
    except SignInFailed as failure:
        merchant = None if failure.whose is None else to_text("mch", failure.whose[0])
        log("sign_in_failed", merchant_id=merchant, ip_address=place.address)
        await asyncio.sleep(max(0.0, answered_at - house.clock.monotonic()))
        raise


async def sign_out(house: House, person: SignedIn) -> None:
    """End the person's present session."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        await sessions.end_session(
            transaction, person.merchant_id, person.user_id, person.session_id, now
        )
    _log_end(person, person.session_id)


async def own_sessions(house: House, person: SignedIn) -> list[dict[str, Any]]:
    """The person's good sessions, newest first, as the API shows them."""
    now = house.clock.now()
    async with house.database.reading() as transaction:
        rows = await sessions.open_sessions(
            transaction,
            (person.merchant_id, person.user_id),
            now - people.IDLE_AFTER,
            now - people.SESSION_LASTS,
            SESSIONS_SHOWN,
        )
    return [people.session_resource(row, now, person.whose[1]) for row in rows]


async def end_own_session(house: House, person: SignedIn, session_id: str) -> None:
    """End one of the person's sessions; 404 for any other."""
    identifier, ended = from_text("ses", session_id), False
    if identifier is not None:
        async with house.database.transaction() as transaction:
            ended = await sessions.end_session(
                transaction, person.merchant_id, person.user_id, identifier, house.clock.now()
            )
    if identifier is None or not ended:
        raise Missing("resource_missing", "session_id")
    _log_end(person, identifier)


async def _proven(house: House, form: dict[str, str]) -> tuple[Row, int]:
    """The user that both factors prove, and the step of the code; raises SignInFailed."""
    index = await house.seals.index(PLATFORM, people.EMAIL, people.canonical_email(form["email"]))
    async with house.database.reading() as transaction:
        found = await users.find_user_named(transaction, index)
    with house.keys.room_for_a_password():
        attempted = None if found is None else await _attempted(house, found)
        stored = None if attempted is None else attempted["password_hash"]
        # Somebody who is not there, or locked, is looked at as long as anybody.
        right = await house.keys.verify_password(stored, form["password"])
    whose = None
    if found is not None:
        whose = (found["merchant_id"], people.logged_live(found["merchant_status"]))
    if found is None or attempted is None or not right:
        raise SignInFailed(whose)
    seed = await house.seals.open(found["merchant_id"], people.SEED, attempted["totp_seed_sealed"])
    step = people.matching_step(seed, form["code"], house.clock.now())
    if step is None:
        raise SignInFailed(whose)
    return found, step


async def _attempted(house: House, user: Row) -> Row | None:
    """The user with one attempt more; None while there may be none."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        row = await users.count_attempt(
            transaction, user, people.FAILED_ATTEMPTS_MAX, now, now + people.LOCKED_FOR
        )
    if row is not None and people.is_locked(row, now):
        log("user_locked", user_id=to_text("usr", user["id"]))
    return row


async def _begin(
    house: House, user: Row, step: int, place: Place, earlier_cookie: str | None
) -> Begun:
    now, session_id, merchant_id = house.clock.now(), house.new_id(), user["merchant_id"]
    cookie = people.compose(merchant_id, session_id, os.urandom(people.SECRET_BYTES))
    earlier = people.parse(earlier_cookie)
    name = await house.seals.open(merchant_id, people.NAME, user["name_sealed"])
    async with house.database.transaction() as transaction:
        if not await users.admit(transaction, user, step):
            raise SignInFailed((merchant_id, people.logged_live(user["merchant_status"])))
        if earlier is not None:
            await sessions.end_session_of_cookie(transaction, earlier, now)
        await sessions.forget_sessions(transaction, merchant_id, user["id"], now - SESSIONS_KEPT)
        await sessions.insert_session(
            transaction,
            id=session_id,
            merchant_id=merchant_id,
            user_id=user["id"],
            digest=people.digest(cookie),
            address=place.address,
            user_agent=place.user_agent,
            created_at=now,
            last_seen_at=now,
            second_factor_at=now,
        )
    log("signed_in", user_id=to_text("usr", user["id"]), session_id=to_text("ses", session_id))
    person = SignedIn(
        user["id"], merchant_id, session_id, name.decode(), now, user["merchant_status"]
    )
    return Begun(Masked(cookie), person)


def _log_end(person: SignedIn, session_id: UUID) -> None:
    user, session = to_text("usr", person.user_id), to_text("ses", session_id)
    log("session_ended", user_id=user, session_id=session)
