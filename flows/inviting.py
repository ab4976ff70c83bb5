"""Making an invitation: a new user, and a link that is good once.

No e-mail is sent: whoever invites hands the link over.
"""

import os
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from adapters.keys import PLATFORM
from domain import people
from domain.ids import to_text
from domain.refusals import Missing, Unprocessable
from flows.house import House
from models import people as users
from models.merchants import lock_merchant
from runtime.database import Row, Transaction
from runtime.log import log
from runtime.masked import Masked

PATH: Final = "/invitations/"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody to be invited: all that is stored, and the link, which is not."""

    row: dict[str, Any]
    email_index: bytes
    link: Masked


async def prepare_invitation(house: House, merchant_id: UUID, email: str, name: str) -> Invitation:
    """Make a single-use link for a new user; nothing is stored yet."""
    user_id, now = house.new_id(), house.clock.now()
    token = people.compose(merchant_id, user_id, os.urandom(people.SECRET_BYTES))
    index = await house.seals.index(PLATFORM, people.EMAIL, people.canonical_email(email))
    row: dict[str, Any] = {
        "id": user_id,
        "merchant_id": merchant_id,
        "email_sealed": await house.seals.seal(merchant_id, people.EMAIL, email.encode()),
        "name_sealed": await house.seals.seal(merchant_id, people.NAME, name.encode()),
        "invitation_digest": people.digest(token),
        "invitation_expires_at": now + people.INVITATION_LASTS,
        "created_at": now,
    }
    return Invitation(row, index, Masked(house.settings.origin + PATH + token))


async def store_invitation(
    transaction: Transaction, merchant_id: UUID, invitation: Invitation
) -> Row:
    """Store an invited user.

    Raises 404 for a merchant that is not there, 422 `user_limit`, `user_email_taken`.
    """
    if await lock_merchant(transaction, merchant_id) is None:
        raise Missing("resource_missing", "merchant_id")
    if await users.count_users(transaction, merchant_id) >= people.USERS_MAX:
        raise Unprocessable("user_limit")
    row = await users.insert_user(transaction, invitation.email_index, **invitation.row)
    if row is None:
        raise Unprocessable("user_email_taken", "email")
    log("user_invited", user_id=to_text("usr", row["id"]))
    return row
