"""Codes of RFC 6238, what a password must be, paths that stay here, texts that name a row."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain import people
from domain.refusals import Unprocessable

# RFC 6238 appendix B, SHA-1; its eight digits end in the six that authenticators show.
SEED = b"12345678901234567890"
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}
MERCHANT, SESSION = UUID(int=1), UUID(int=2)


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@pytest.mark.parametrize(("second", "code"), VECTORS.items())
def test_the_vectors_of_the_standard(second: int, code: str) -> None:
    assert people.matching_step(SEED, code, at(second)) == second // 30


def test_a_clock_may_be_one_code_ahead_or_behind() -> None:
    step = 1111111109 // 30
    for second in (step * 30 - 30, step * 30 + 59):
        assert people.matching_step(SEED, "081804", at(second)) == step
    for second in (step * 30 - 31, step * 30 + 60):
        assert people.matching_step(SEED, "081804", at(second)) is None
    for wrong in ("", "81804", "0081804", "081804 "):
        assert people.matching_step(SEED, wrong, at(1111111109)) is None


@pytest.mark.parametrize(
    "password",
    [
        "rust-kettle-94-lamp",
        "correct7horse7battery",
        "zwölf-Boxkämpfer-1",
        "9ddef0c41ab2",
    ],
)
def test_passwords_that_will_do(password: str) -> None:
    people.check_password(password, "ada@shop.example", "Ada Lovelace")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "rust-kettl1",
        "rust-kettle-lamp",
        "493028475610",
        "Password2026!",
        "ada@shop1.example",
        "adalovelace1",
        "1234-Qwerty-1234",
    ],
)
def test_passwords_that_will_not(password: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        people.check_password(password, "ada@shop1.example", "adalovelace1")
    assert (refused.value.code, refused.value.param) == ("password_unacceptable", "password")


def test_only_paths_on_this_origin_are_followed() -> None:
    for path in ("/", "/sessions", "/oauth/authorize?a=b&c=%2F%2Fd"):
        assert people.own_path(path, "/x") == path
    for path in ("", "//a", "/\\a", "a", "https://a", "/a b", "/\ta", "/a\n", "/a\\b", "/é"):
        assert people.own_path(path, "/x") == "/x"
    assert people.own_path(None, "/x") == "/x"


def test_a_cookie_names_its_session_and_nothing_else_does() -> None:
    text = people.compose(MERCHANT, SESSION, bytes(people.SECRET_BYTES))
    named = people.parse(text)
    assert named == people.NamedSecret(MERCHANT, SESSION, people.digest(text))
    changed = [text[:-1], text + "A", "A" + text[1:], text.replace("A", "=", 1)]
    for other in ("", *changed):
        assert people.parse(other) is None
    assert people.parse(None) is None


def test_a_session_ends_when_idle_or_old() -> None:
    now = datetime(2026, 4, 11, 12, tzinfo=UTC)
    minute = timedelta(minutes=1)
    for idle, old, expired in ((14, 14, False), (15, 15, True), (1, 719, False), (1, 720, True)):
        session = {"last_seen_at": now - idle * minute, "created_at": now - old * minute}
        assert people.is_expired(session, now) is expired
