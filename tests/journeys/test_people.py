"""People: invited, enrolled, signed in with two factors, locked out, signed out."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pyotp
import pytest
from psycopg.sql import SQL, Identifier

from tests.people import (
    COOKIE,
    PASSWORD,
    Browser,
    cookie_of,
    enrol,
    enrolled,
    field_of,
    invite,
    key_of,
    new_address,
    refused_page,
    said,
    sign_in,
    uuid,
)
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

ATTEMPTS_MAX = 10
GUESSES = 50
FAILURE_SECONDS = 0.4
LOG_SECONDS = 20.0
WRONG = "rust-kettle-95-lamp"


@pytest.fixture
def browser(shop: Shop, merchant: Merchant) -> Browser:
    """The browser of somebody who has just signed in."""
    return sign_in(shop, merchant)


def test_from_the_link_to_signing_out(shop: Shop, merchant: Merchant) -> None:
    browser = enrolled(shop, merchant)
    user = browser.user
    begun = browser.sign_in(return_to="/sessions")
    assert (begun.status_code, begun.headers["location"]) == (303, "/sessions")
    page = browser.get("/sessions")
    assert page.status_code == 200
    assert "Ada Lovelace" in page.text
    shown = merchant.get(f"/v1/users/{user}")
    assert (shown["status"], shown["email"]) == ("active", browser.email)
    (session,) = merchant.get(f"/v1/users/{user}/sessions")["data"]
    assert session["status"] == "active" and session["ip_address"] == "127.0.0.1"
    out = browser.post("/sign_out", {"form_token": field_of(page.text, "form_token")})
    assert (out.status_code, out.headers["location"]) == (303, "/sign_in")
    assert cookie_of(out) == "" and "Max-Age=0" in out.headers["set-cookie"]
    # The cookie is good for nothing, whoever has kept it.
    assert browser.get("/sessions").headers["location"] == "/sign_in?return_to=/sessions"
    assert merchant.get(f"/v1/users/{user}/sessions")["data"] == []


def test_the_cookie_is_for_this_origin_alone_and_out_of_reach(
    shop: Shop, merchant: Merchant
) -> None:
    answer = enrolled(shop, merchant).sign_in()
    name, _, attributes = answer.headers["set-cookie"].partition(";")
    assert name.startswith("__Host-paymint_session=")
    assert {each.strip() for each in attributes.split(";")} == {
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
    }
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "neighbour",
    ['theme={"dark":true}', 'quoted="open', "two=a b", "bare", "odd@name=1", "a=" + "\\\\" * 900],
)
def test_a_neighbours_odd_cookie_signs_nobody_out(browser: Browser, neighbour: str) -> None:
    both = f"{neighbour}; {COOKIE}={browser.cookie}; last=1"
    answer = browser.get("/sessions", Cookie=both)
    assert (answer.status_code, "Signed in as" in answer.text) == (200, True)


def test_signing_in_gives_a_new_cookie_and_ends_the_old_session(
    shop: Shop, merchant: Merchant
) -> None:
    browser = enrolled(shop, merchant)
    # A cookie of somebody else's making (session fixation) is never taken over.
    browser.cookie = "0" * 64 + "A" * 43
    planted = browser.cookie
    assert browser.sign_in().status_code == 303
    first = browser.cookie
    assert first != planted
    browser.wait_for_codes()
    assert browser.sign_in().status_code == 303
    assert browser.cookie != first
    browser.cookie = first
    assert browser.get("/sessions").status_code == 303


def test_a_code_is_good_once(shop: Shop, merchant: Merchant) -> None:
    browser = enrolled(shop, merchant)
    code = browser.code()
    assert browser.sign_in(code=code).status_code == 303
    replayed = browser.sign_in(code=code)
    assert replayed.status_code == 422
    # An earlier one is too old by then, though its 30 seconds may not have passed.
    earlier = pyotp.TOTP(browser.seed).at(datetime.now(UTC) - timedelta(seconds=30))
    assert browser.sign_in(code=earlier).status_code == 422


def test_an_invitation_is_good_once(shop: Shop, merchant: Merchant) -> None:
    first, second = Browser(shop, new_address()), Browser(shop, "")
    _, link = invite(shop, merchant, first.email)
    shown = second.get(link).text
    assert enrol(first, link).status_code == 303
    refused_page(second.get(link), 404, "resource_missing")
    form = {"password": PASSWORD, "enrolment": field_of(shown, "enrolment")}
    code = pyotp.TOTP(key_of(shown)).now()
    refused_page(second.post(link, {**form, "code": code}), 404, "resource_missing")
    assert first.sign_in().status_code == 303


def test_two_who_accept_at_once_are_one(shop: Shop, merchant: Merchant) -> None:
    browsers = [Browser(shop, ""), Browser(shop, "")]
    _, link = invite(shop, merchant)
    statuses = at_once([partial(accepted, each, link) for each in browsers])
    assert sorted(statuses) == [303, 404]


def accepted(browser: Browser, link: str) -> int:
    shown = browser.get(link).text
    form = {"password": PASSWORD, "enrolment": field_of(shown, "enrolment")}
    return browser.post(link, {**form, "code": pyotp.TOTP(key_of(shown)).now()}).status_code


def test_whoever_has_seen_the_link_does_not_know_the_second_factor(
    shop: Shop, merchant: Merchant
) -> None:
    browser = Browser(shop, new_address())
    _, link = invite(shop, merchant, browser.email)
    seen = key_of(browser.get(link).text)
    assert enrol(browser, link).status_code == 303
    assert browser.seed != seen


def test_an_enrolment_of_another_invitation_is_refused(shop: Shop, merchant: Merchant) -> None:
    browser = Browser(shop, "")
    links = [invite(shop, merchant)[1] for _ in range(2)]
    foreign = browser.get(links[0]).text
    form = {"password": PASSWORD, "enrolment": field_of(foreign, "enrolment")}
    code = pyotp.TOTP(key_of(foreign)).now()
    assert browser.post(links[1], {**form, "code": code}).status_code == 422
    assert browser.post(links[1], {**form, "enrolment": "AAAA", "code": code}).status_code == 422


@pytest.mark.parametrize(
    "password",
    [
        "short-1",
        "only-letters-here",
        "123456789012345",
        "Password123456!",
        "qwertyuiop2024",
        "Ada Lovelace",
    ],
)
def test_a_password_that_is_easily_guessed(shop: Shop, merchant: Merchant, password: str) -> None:
    """PCI DSS 4.0.1 req. 8.3.6; the page keeps the second factor that was scanned."""
    browser = Browser(shop, "")
    _, link = invite(shop, merchant)
    answer = enrol(browser, link, password)
    assert answer.status_code == 422
    assert key_of(answer.text) == browser.seed
    assert 'role="alert">Choose another password' in answer.text
    form = {"password": PASSWORD, "enrolment": field_of(answer.text, "enrolment")}
    assert browser.post(link, {**form, "code": browser.code()}).status_code == 303


def test_the_tenth_failure_locks_the_account(shop: Shop, merchant: Merchant) -> None:
    """PCI DSS 4.0.1 req. 8.3.4: at most ten attempts, then thirty minutes or an administrator."""
    browser = enrolled(shop, merchant)
    user = browser.user
    # A right password with a wrong code counts as well.
    guesses = [{"password": WRONG, "code": "000000"}] * 5 + [{"code": "000000"}] * 5
    failed = [browser.sign_in(**guess) for guess in guesses]
    assert {answer.status_code for answer in failed} == {422}
    shown = merchant.get(f"/v1/users/{user}")
    assert shown["status"] == "locked"
    left = datetime.fromisoformat(shown["locked_until"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)
    code = browser.code()
    locked = browser.sign_in(code=code)
    assert (locked.status_code, said(locked)) == (422, said(failed[0]))
    unlocked = told(merchant.ask("POST", f"/v1/users/{user}/unlock"), 200)
    assert (unlocked["status"], unlocked["locked_until"]) == ("active", None)
    assert browser.sign_in(code=code).status_code == 303


def test_a_success_forgets_what_failed(shop: Shop, merchant: Merchant) -> None:
    browser = enrolled(shop, merchant)
    user = browser.user
    for _ in range(ATTEMPTS_MAX - 1):
        assert browser.sign_in(password=WRONG, code="000000").status_code == 422
    assert browser.sign_in().status_code == 303
    assert browser.sign_in(password=WRONG, code="000000").status_code == 422
    assert merchant.get(f"/v1/users/{user}")["status"] == "active"


def test_fifty_guesses_at_once_are_ten(shop: Shop, merchant: Merchant) -> None:
    """The right password among them, beyond the tenth, is not even looked at."""
    browser = enrolled(shop, merchant)
    user = browser.user

    def guess() -> int:
        return browser.sign_in(password=WRONG, code="000000").status_code

    statuses = at_once([guess] * GUESSES)
    # Some find no room, which costs no attempt.
    assert set(statuses) <= {422, 503} and statuses.count(422) >= ATTEMPTS_MAX
    assert merchant.get(f"/v1/users/{user}")["status"] == "locked"
    with shop.database() as connection:
        counted = connection.execute(
            "SELECT failed_attempts FROM users WHERE id = %s", (uuid(user),)
        ).fetchone()
    assert counted == (ATTEMPTS_MAX,)
    assert browser.sign_in().status_code == 422


def test_nobody_learns_who_has_an_account(shop: Shop, merchant: Merchant) -> None:
    """Unknown, invited only, wrong password, wrong code: one answer, after the same time."""
    known = enrolled(shop, merchant)
    invited = Browser(shop, new_address())
    invite(shop, merchant, invited.email)
    tries = [
        (Browser(shop, new_address()), {"password": PASSWORD, "code": "000000"}),
        (invited, {"password": PASSWORD, "code": "000000"}),
        (known, {"password": WRONG, "code": "000000"}),
        (known, {"password": PASSWORD, "code": "000000"}),
    ]
    told_of = set()
    for browser, form in tries:
        begun = time.monotonic()
        answer = browser.sign_in(**form)
        assert time.monotonic() - begun >= FAILURE_SECONDS
        assert "set-cookie" not in answer.headers
        told_of.add((answer.status_code, said(answer).replace(browser.email, "")))
    assert len(told_of) == 1


def test_forms_of_other_origins_are_refused(shop: Shop, merchant: Merchant) -> None:
    browser = enrolled(shop, merchant)
    form = {"email": browser.email, "password": PASSWORD, "code": browser.code()}
    for origin in ("https://evil.example", "null", "", f"{shop.base_url}.evil.example"):
        refused_page(browser.post("/sign_in", form, Origin=origin), 403, "form_not_ours")
    assert browser.post("/sign_in", form).status_code == 303


def test_forms_without_the_sessions_token_are_refused(browser: Browser, rival: Merchant) -> None:
    foreign = sign_in(browser.shop, rival).form_token()
    good = browser.form_token()
    session = re.search(r"/sessions/(ses_[0-9a-f]+)/end", sessions_page_of_two(browser))
    assert session
    for path in ("/sign_out", f"/sessions/{session[1]}/end"):
        refused_page(browser.post(path, {"form_token": foreign}), 403, "form_not_ours")
        for token in ("", good[:-1]):
            answer = browser.post(path, {"form_token": token})
            refused_page(answer, 400, "parameter_invalid_format")
        refused_page(browser.post(path, {}), 400, "body_missing")
        refused_page(browser.post(path, {"token": good}), 400, "parameter_unknown")
        answer = browser.post(path, {"form_token": good}, Origin="https://evil.example")
        refused_page(answer, 403, "form_not_ours")
    assert browser.get("/sessions").status_code == 200


def sessions_page_of_two(browser: Browser) -> str:
    """The page of somebody who is signed in in a second browser, too."""
    assert browser.second().sign_in().status_code == 303
    return browser.get("/sessions").text


def test_one_ends_ones_other_session_and_nobody_elses(browser: Browser, rival: Merchant) -> None:
    second = browser.second()
    assert second.sign_in().status_code == 303
    stranger = sign_in(browser.shop, rival)
    mine = re.findall(r"/sessions/(ses_[0-9a-f]+)/end", browser.get("/sessions").text)
    assert len(mine) == 1
    path = f"/sessions/{mine[0]}/end"
    foreign = stranger.post(path, {"form_token": stranger.form_token()})
    refused_page(foreign, 404, "resource_missing")
    ended = browser.post(path, {"form_token": browser.form_token()})
    assert (ended.status_code, ended.headers["location"]) == (303, "/sessions")
    assert second.get("/sessions").status_code == 303
    assert browser.get("/sessions").status_code == 200
    again = browser.post(path, {"form_token": browser.form_token()})
    refused_page(again, 404, "resource_missing")


@pytest.mark.parametrize("column", ["last_seen_at", "created_at"])
def test_a_session_ends_by_itself(browser: Browser, merchant: Merchant, column: str) -> None:
    """PCI DSS 4.0.1 req. 8.2.8: 15 minutes without a request; and 12 hours in any case."""
    minutes = 15 if column == "last_seen_at" else 12 * 60
    for ago, status in ((minutes - 1, 200), (minutes, 303)):
        with browser.shop.database() as connection:
            connection.execute(
                SQL(
                    "UPDATE sessions SET {} = now() - %s * interval '1 minute' WHERE user_id = %s"
                ).format(Identifier(column)),
                (ago, uuid(browser.user)),
            )
        assert browser.get("/sessions").status_code == status
    (session,) = merchant.get(f"/v1/users/{browser.user}/sessions")["data"]
    assert session["status"] == "expired"


def test_what_people_do_stands_in_the_merchants_log(browser: Browser, merchant: Merchant) -> None:
    """PCI DSS 4.0.1 req. 10.2.1.4, 10.2.1.5, failures too; the link's token does not."""
    browser.wait_for_codes()
    assert browser.sign_in(password=WRONG, code="000000").status_code == 422
    browser.post("/sign_out", {"form_token": browser.form_token()})
    wanted = {
        ("/invitations/{invitation_token}", "POST", 303),
        ("/sign_in", "POST", 303),
        ("/sign_in", "POST", 422),
        ("/sign_out", "POST", 303),
    }

    def logged() -> bool:
        logs = merchant.get("/v1/request_logs", limit=100)["data"]
        return wanted <= {(log["path"], log["method"], log["status_code"]) for log in logs}

    assert eventually(logged, LOG_SECONDS)


def at_once(tasks: list[Callable[[], int]]) -> list[int]:
    """What these answer when they begin together."""
    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(lambda task: task(), tasks))
