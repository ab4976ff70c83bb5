"""The table of scopes is the document's, and no key grants what it lacks."""

from domain.scopes import ADMIN, GRANTS, PLATFORM, WORDS, held_through, may_grant
from tests.document import DOCUMENT


def test_the_table_is_the_documents() -> None:
    scheme = DOCUMENT["components"]["securitySchemes"]["SecretKey"]
    assert {scope: sorted(held) for scope, held in GRANTS.items()} == {
        scope: sorted(held) for scope, held in scheme["x-scope-grants"].items()
    }
    keys = set(DOCUMENT["components"]["schemas"]["ApiKeyScope"]["enum"])
    assert keys == set(GRANTS) - {PLATFORM}


def test_consent_is_asked_for_in_the_words_of_the_document() -> None:
    scheme = DOCUMENT["components"]["securitySchemes"]["AccessToken"]
    assert scheme["flows"]["authorizationCode"]["scopes"] == WORDS


def test_what_a_scope_holds() -> None:
    assert held_through(["payments:write"]) == {"payments:write", "payments:read"}
    assert held_through([ADMIN]) == set(GRANTS) - {PLATFORM}
    assert held_through([]) == frozenset()


def test_no_key_grants_a_scope_it_lacks() -> None:
    assert may_grant(frozenset({ADMIN}), ["payments:read", ADMIN])
    assert may_grant(frozenset({"payments:write"}), ["payments:read"])
    assert not may_grant(frozenset({"payments:read"}), ["payments:write"])
    assert not may_grant(frozenset({ADMIN}), [PLATFORM])
    assert may_grant(frozenset({PLATFORM}), [ADMIN])
    assert not may_grant(frozenset({PLATFORM}), [PLATFORM])
