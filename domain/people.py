"""People who sign in for a merchant: who they are, what lets them in, when they are let out.

The limits are those of PCI DSS 4.0.1 req. 8.2.8 (idle sessions), 8.3.4 (lock-out), 8.3.6
(passwords) and 8.4 (two factors, always).
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import pyotp

from domain import moments
from domain.callers import Caller
from domain.guessable_passwords import GUESSABLE_WORDS
from domain.ids import to_text
from domain.refusals import Forbidden, Unprocessable

IDLE_AFTER: Final = timedelta(minutes=15)
SESSION_LASTS: Final = timedelta(hours=12)
FAILED_ATTEMPTS_MAX: Final = 10
LOCKED_FOR: Final = timedelta(minutes=30)
INVITATION_LASTS: Final = timedelta(hours=72)
USERS_MAX: Final = 100
PASSWORD_CHARACTERS_MIN: Final = 12
SECRET_BYTES: Final = 32
TOTP_SECONDS: Final = 30
# A clock may be this many codes ahead or behind (RFC 6238 section 5.2).
TOTP_DRIFT: Final = 1
SEED_BYTES: Final = 20
USER_AGENT_CHARACTERS: Final = 256
ISSUER: Final = "Paymint"
# What is sealed, or found by its keyed digest, is so for one of these purposes.
EMAIL: Final = "user email"
NAME: Final = "user name"
SEED: Final = "totp seed"
ENROLMENT: Final = "totp enrolment"

_TOKEN: Final = re.compile(r"([0-9a-f]{32})([0-9a-f]{32})[A-Za-z0-9_-]{43}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_OWN_PATH: Final = re.compile(
    r"/(?:[A-Za-z0-9._~%!$&'()*+,;=:@?-][A-Za-z0-9._~%!$&'()*+,;=:@/?-]*)?"
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person whose session is good, and when they last gave a code."""

    user_id: UUID
    merchant_id: UUID
    session_id: UUID
    name: str
    second_factor_at: datetime
    merchant_status: str

    @property
    def whose(self) -> tuple[UUID, bool]:
        """Merchant and mode in whose request log it stands what this person does."""
        return self.merchant_id, logged_live(self.merchant_status)


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """What a session's cookie or an invitation's link says; nothing of it is proven yet.

    The merchant stands in it, so that looking it up stays on one shard.
    """

    merchant_id: UUID
    id: UUID
    digest: bytes


class SignInFailed(Unprocessable):
    """422: no such person, or a wrong password or code, or locked; nobody is told which.

    `whose` is for the audit entry alone.
    """

    def __init__(self, whose: tuple[UUID, bool] | None = None) -> None:
        super().__init__("sign_in_failed")
        self.whose = whose


def logged_live(merchant_status: str) -> bool:
    """In which mode's log it stands what people do: the one that the merchant can read."""
    return merchant_status != "pending_review"


def compose(merchant_id: UUID, identifier: UUID, secret: bytes) -> str:
    """The text of a cookie or of a link's end; `secret` is SECRET_BYTES random bytes."""
    encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    return merchant_id.hex + identifier.hex + encoded


def parse(text: str | None) -> NamedSecret | None:
    """What `compose` made, or None for anything else."""
    found = _TOKEN.fullmatch(text or "")
    if text is None or found is None:
        return None
    return NamedSecret(UUID(hex=found[1]), UUID(hex=found[2]), digest(text))


def digest(text: str) -> bytes:
    """What is stored of a cookie or a link: as random as the secret in it, so not salted."""
    return sha256(text.encode()).digest()


def form_token(cookie: str) -> str:
    """What a form of this session carries; who cannot read the cookie cannot make it."""
    return hmac.new(cookie.encode(), b"form", sha256).hexdigest()


def is_form_token(cookie: str, given: str) -> bool:
    """Whether a form was made for this session."""
    return hmac.compare_digest(form_token(cookie).encode(), given.encode())


def session_id(person: SignedIn) -> str:
    """The id of the person's present session, as it is shown."""
    return to_text("ses", person.session_id)


def cleaned_agent(text: str) -> str:
    """The name of a browser without control characters, cut."""
    return _CONTROLS.sub(" ", text)[:USER_AGENT_CHARACTERS]


def own_path(text: str | None, otherwise: str) -> str:
    """A path on our own origin, and nothing that a browser would take for another one."""
    return text if text is not None and _OWN_PATH.fullmatch(text) else otherwise


def canonical_email(text: str) -> str:
    """The address under which somebody is found: without regard to case and outer blanks."""
    return text.strip().casefold()


def check_password(password: str, email: str, name: str) -> None:
    """Raises 422 `password_unacceptable`; PCI DSS 4.0.1 req. 8.3.6: 12, letters and digits."""
    folded = password.casefold()
    long_enough = len(password) >= PASSWORD_CHARACTERS_MIN
    mixed = any(map(str.isalpha, password)) and any(map(str.isdigit, password))
    own = {email.casefold(), email.partition("@")[0].casefold(), name.casefold()}
    bare = re.sub(r"[\W\d_]+", "", folded)
    if not long_enough or not mixed or folded in own or bare in own | GUESSABLE_WORDS:
        raise Unprocessable("password_unacceptable", "password")


def matching_step(seed: bytes, code: str, now: datetime) -> int | None:
    """The 30 seconds whose code this is, within the drift; None for a wrong one (RFC 6238)."""
    totp = pyotp.TOTP(base64.b32encode(seed).decode())
    present = int(now.timestamp()) // TOTP_SECONDS
    found = None
    for step in range(present - TOTP_DRIFT, present + TOTP_DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def enrolment_address(seed: bytes, email: str) -> str:
    """The `otpauth` address that an authenticator reads from the picture."""
    totp = pyotp.TOTP(base64.b32encode(seed).decode())
    return str(totp.provisioning_uri(name=email, issuer_name=ISSUER))


def check_may_manage(caller: Caller) -> None:
    """Raises 403 `live_key_required` for a test key of a merchant that takes live payments.

    Users belong to no mode, so they are as much live as the account is.
    """
    if caller.merchant_status != "pending_review" and not caller.livemode:
        raise Forbidden("live_key_required")


def is_locked(user: Mapping[str, Any], now: datetime) -> bool:
    """Whether no password is looked at for now."""
    return user["locked_until"] is not None and user["locked_until"] > now


def is_expired(session: Mapping[str, Any], now: datetime) -> bool:
    """Whether it was idle, or open, for too long."""
    idle = session["last_seen_at"] <= now - IDLE_AFTER
    return bool(idle or session["created_at"] <= now - SESSION_LASTS)


def status(user: Mapping[str, Any], now: datetime) -> str:
    """`invited`, `active` or `locked`."""
    if user["password_hash"] is None:
        return "invited"
    return "locked" if is_locked(user, now) else "active"


def user_resource(user: Mapping[str, Any], now: datetime, livemode: bool) -> dict[str, Any]:
    """The user as the API shows it to a key of this mode.

    The flow fills in address and name, which are sealed, and once the link that invites.
    """
    ends, locked = user["invitation_expires_at"], user["locked_until"]
    return {
        "object": "user",
        "id": to_text("usr", user["id"]),
        "merchant_id": to_text("mch", user["merchant_id"]),
        "email": "",
        "name": "",
        "status": status(user, now),
        "locked_until": moments.to_text(locked) if is_locked(user, now) else None,
        "invitation_url": None,
        "invitation_expires_at": None if ends is None else moments.to_text(ends),
        "livemode": livemode,
        "created_at": moments.to_text(user["created_at"]),
    }


def session_resource(session: Mapping[str, Any], now: datetime, livemode: bool) -> dict[str, Any]:
    """The session as the API shows it to a key of this mode."""
    return {
        "object": "session",
        "id": to_text("ses", session["id"]),
        "user_id": to_text("usr", session["user_id"]),
        "status": "expired" if is_expired(session, now) else "active",
        "ip_address": session["address"],
        "user_agent": session["user_agent"],
        "second_factor_at": moments.to_text(session["second_factor_at"]),
        "last_seen_at": moments.to_text(session["last_seen_at"]),
        "livemode": livemode,
        "created_at": moments.to_text(session["created_at"]),
    }


def deleted(prefix: Any, kind: str, identifier: UUID) -> dict[str, Any]:
    """What is answered when a user is deleted or a session ended."""
    return {"object": kind, "id": to_text(prefix, identifier), "deleted": True}
