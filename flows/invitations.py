"""Invitations: what the invited person sees, and does: a password, and a second factor.

`python -m flows.invitations MERCHANT EMAIL NAME` invites from the command line (scripts/users)
and prints the link.
"""

import asyncio
import base64
import binascii
import os
import sys
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from adapters.keys import SealBroken
from adapters.settings import Settings
from domain import people
from domain.ids import from_text, to_text
from domain.refusals import Missing, Refusal, Unprocessable
from flows.house import House, open_house
from flows.inviting import prepare_invitation, store_invitation
from models import people as users
from runtime.database import DatabaseUnavailable, Row
from runtime.log import log

EXIT_REFUSED: Final = 2
EXIT_OUT_OF_REACH: Final = 3
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the page of an invitation shows: for whom, and the secret of the second factor.

    `carried` is the same secret, sealed, for the form to bring back.
    """

    email: str
    seed: bytes
    carried: str
    whose: tuple[UUID, bool]


async def show_invitation(house: House, token: str, carried: str | None = None) -> Enrolment:
    """What the invited person is shown; 404 for a link that is not good.

    The second factor is a new one, or the one that a form carried: who has looked at the link
    before knows nothing of what the person enrols.
    """
    user = await _invited(house, token)
    seed = None if carried is None else await _opened(house, user, carried)
    if seed is None:
        seed = os.urandom(people.SEED_BYTES)
        sealed = await house.seals.seal(
            user["merchant_id"], people.ENROLMENT, user["id"].bytes + seed
        )
        carried = base64.urlsafe_b64encode(sealed).decode()
    email = await house.seals.open(user["merchant_id"], people.EMAIL, user["email_sealed"])
    whose = user["merchant_id"], people.logged_live(user["merchant_status"])
    return Enrolment(email.decode(), seed, carried or "", whose)


async def accept_invitation(house: House, token: str, form: dict[str, str]) -> tuple[UUID, bool]:
    """Store password and second factor of the invited person; the link is used up.

    Raises 404 for a link that is not good, 422 `password_unacceptable`, `code_incorrect`, 503.
    Answers merchant and mode for the audit entry.
    """
    user, now = await _invited(house, token), house.clock.now()
    owner = user["merchant_id"]
    email = (await house.seals.open(owner, people.EMAIL, user["email_sealed"])).decode()
    name = (await house.seals.open(owner, people.NAME, user["name_sealed"])).decode()
    people.check_password(form["password"], email, name)
    seed = await _opened(house, user, form["enrolment"])
    step = None if seed is None else people.matching_step(seed, form["code"], now)
    if seed is None or step is None:
        raise Unprocessable("code_incorrect", "code")
    with house.keys.room_for_a_password():
        password_hash = await house.keys.hash_secret(form["password"])
    factors = {
        "password_hash": password_hash,
        "totp_seed_sealed": await house.seals.seal(owner, people.SEED, seed),
        "step": step,
    }
    async with house.database.transaction() as transaction:
        if not await users.enrol(transaction, user, now, **factors):
            raise Missing("resource_missing", "invitation_token")
    log("password_set", user_id=to_text("usr", user["id"]))
    return owner, people.logged_live(user["merchant_status"])


async def invite(house: House, merchant_id: str, email: str, name: str) -> dict[str, str]:
    """Invite somebody for a merchant, as the operator; answers user and link.

    Raises 404 for a merchant that is not there, 422 `user_limit`, `user_email_taken`.
    """
    merchant = from_text("mch", merchant_id)
    if merchant is None:
        raise Missing("resource_missing", "merchant_id")
    invitation = await prepare_invitation(house, merchant, email, name)
    async with house.database.transaction() as transaction:
        row = await store_invitation(transaction, merchant, invitation)
    return {"user_id": to_text("usr", row["id"]), "invitation_url": invitation.link.reveal()}


async def _invited(house: House, token: str) -> Row:
    named, row = people.parse(token), None
    if named is not None:
        async with house.database.reading() as transaction:
            row = await users.find_invited(transaction, named, house.clock.now())
    if row is None:
        raise Missing("resource_missing", "invitation_token")
    return row


async def _opened(house: House, user: Row, carried: str) -> bytes | None:
    """The second factor that a form of this invitation carries; None for anything else."""
    try:
        sealed = base64.urlsafe_b64decode(carried)
        opened = await house.seals.open(user["merchant_id"], people.ENROLMENT, sealed)
    except (binascii.Error, ValueError, SealBroken):
        return None
    return opened[_ID_BYTES:] if opened[:_ID_BYTES] == user["id"].bytes else None


async def _main(merchant_id: str, email: str, name: str) -> int:
    house = await open_house(Settings.from_environment())
    try:
        answer = await invite(house, merchant_id, email, name)
    except Refusal as refusal:
        answer, status = {"refused": refusal.code}, EXIT_REFUSED
    except DatabaseUnavailable:
        answer, status = {"refused": "database"}, EXIT_OUT_OF_REACH
    else:
        status = 0
    finally:
        await house.close()
    sys.stdout.write(orjson.dumps(answer).decode() + "\n")
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(*sys.argv[1:])))
