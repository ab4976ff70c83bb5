"""What a merchant's key may be allowed to do, and which scope holds which.

The table is that of `x-scope-grants` in the document; a test holds the two together.
"""

from collections.abc import Iterable, Mapping
from typing import Final

ADMIN: Final = "merchant:admin"
PLATFORM: Final = "platform:admin"
# Of access tokens of our own applications alone: keys, people and grants.
ACCOUNT: Final = "account:manage"

GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "payments:read": (),
    "payments:write": ("payments:read",),
    "refunds:write": (),
    "disputes:read": (),
    "disputes:write": ("disputes:read",),
    "customers:read": (),
    "customers:write": ("customers:read",),
    "balance:read": (),
    ADMIN: (
        "payments:read",
        "payments:write",
        "refunds:write",
        "disputes:read",
        "disputes:write",
        "customers:read",
        "customers:write",
        "balance:read",
    ),
    PLATFORM: (),
}

# What a person is asked to allow; the words of the document.
WORDS: Final[Mapping[str, str]] = {
    "payments:read": "Read payments and their refunds.",
    "payments:write": "Create, capture and cancel payments.",
    "refunds:write": "Create and read refunds.",
    "disputes:read": "Read disputes.",
    "disputes:write": "Answer disputes with evidence.",
    "customers:read": "Read customers and their payment methods.",
    "customers:write": "Create and change customers and their payment methods.",
    "balance:read": "Read the balance, its transactions and payouts.",
    ADMIN: "Everything in your merchant account but keys, people and grants.",
    ACCOUNT: "Manage keys, people and grants.",
}


def held_through(scopes: Iterable[str]) -> frozenset[str]:
    """These scopes and every one that they grant, directly or through others."""
    held: set[str] = set()
    waiting = list(scopes)
    while waiting:
        scope = waiting.pop()
        if scope not in held:
            held.add(scope)
            waiting.extend(GRANTS.get(scope, ()))
    return frozenset(held)


def may_grant(own: frozenset[str], asked: Iterable[str]) -> bool:
    """Whether a caller with the scopes `own` may make a key with the scopes `asked`.

    No key grants a scope it lacks.  The operator makes a merchant's first key, so it grants
    what a merchant may have, and never its own scope.
    """
    grantable = held_through({ADMIN} if PLATFORM in own else own) - {PLATFORM}
    return grantable.issuperset(asked)
