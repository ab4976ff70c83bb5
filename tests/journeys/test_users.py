"""A merchant's users through the API, and from the command line."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from psycopg import sql

from tests.journeys.accounts import approve, new_key, take_live_keys, using
from tests.marks import new_mark
from tests.people import NAME, PASSWORD, Browser, enrol, invite, new_address, sign_in
from tests.serving import ROOT
from tests.shop import Merchant, Shop, error, told

TOOL = (sys.executable, "-P", "-m", "scripts.launcher.users", "invite")


def test_an_invited_user_as_the_api_shows_it(merchant: Merchant) -> None:
    key, address = str(uuid4()), new_address()
    body = {"email": address, "name": NAME}
    invited = told(merchant.ask("POST", "/v1/users", body, key=key), 201)
    assert (invited["status"], invited["email"], invited["name"]) == ("invited", address, NAME)
    assert invited["merchant_id"] == merchant.id
    left = datetime.fromisoformat(invited["invitation_expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=71) < left <= timedelta(hours=72)
    # The link is shown once; whoever asks again gets the rest.
    again = merchant.ask("POST", "/v1/users", body, key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert told(again, 201) == {**invited, "invitation_url": None}
    assert merchant.get(f"/v1/users/{invited['id']}") == {**invited, "invitation_url": None}
    page = merchant.get("/v1/users")
    assert [user["id"] for user in page["data"]] == [invited["id"]]
    assert page["total_count"] == 1


def test_users_are_paged_newest_first(shop: Shop, merchant: Merchant) -> None:
    made = [invite(shop, merchant)[0] for _ in range(3)]
    first = merchant.get("/v1/users", limit=2)
    rest = merchant.get("/v1/users", limit=2, starting_after=first["next_cursor"])
    shown = [user["id"] for page in (first, rest) for user in page["data"]]
    assert shown == made[::-1]
    assert (first["has_more"], rest["has_more"], first["total_count"]) == (True, False, 3)


def test_an_address_is_one_persons(shop: Shop, merchant: Merchant, rival: Merchant) -> None:
    address = new_address()
    user, _ = invite(shop, merchant, address)
    for other in (merchant, rival):
        body = {"email": address.upper(), "name": "Bob"}
        answer = other.ask("POST", "/v1/users", body)
        assert error(answer) == (422, "user_email_taken", "email")
    told(merchant.ask("DELETE", f"/v1/users/{user}"), 200)
    invite(shop, rival, address)


def test_a_deleted_user_is_out_at_once(shop: Shop, merchant: Merchant) -> None:
    browser = sign_in(shop, merchant)
    path = f"/v1/users/{browser.user}"
    gone = told(merchant.ask("DELETE", path), 200)
    assert gone == {"object": "user", "id": browser.user, "deleted": True}
    assert browser.get("/sessions").status_code == 303
    assert browser.second().sign_in().status_code == 422
    for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/unlock"), ("GET", "/sessions")):
        answer = merchant.ask(method, path + below)
        assert error(answer) == (404, "resource_missing", "user_id")
    assert merchant.get("/v1/users")["total_count"] == 0
    with shop.database() as connection:
        left = connection.execute(
            "SELECT email_sealed, name_sealed, password_hash, totp_seed_sealed FROM users"
            " WHERE deleted_at IS NOT NULL AND merchant_id = %s",
            (merchant.id.removeprefix("mch_"),),
        ).fetchall()
    assert left == [(None, None, None, None)]


def test_an_administrator_ends_a_session(shop: Shop, merchant: Merchant) -> None:
    browser = sign_in(shop, merchant)
    path = f"/v1/users/{browser.user}/sessions"
    (session,) = merchant.get(path)["data"]
    gone = told(merchant.ask("DELETE", f"{path}/{session['id']}"), 200)
    assert gone == {"object": "session", "id": session["id"], "deleted": True}
    assert browser.get("/sessions").status_code == 303
    again = merchant.ask("DELETE", f"{path}/{session['id']}")
    assert error(again) == (404, "resource_missing", "session_id")
    # Somebody else's session below one's own user.
    other = sign_in(shop, merchant)
    (theirs,) = merchant.get(f"/v1/users/{other.user}/sessions")["data"]
    assert error(merchant.ask("DELETE", f"{path}/{theirs['id']}"))[:2] == (404, "resource_missing")
    assert other.get("/sessions").status_code == 200


def test_who_may_manage_users(shop: Shop, merchant: Merchant) -> None:
    """An administrator's key; of an active account, a live one for every change."""
    reader = using(merchant, new_key(merchant, scopes=["payments:write"]))
    assert error(reader.ask("GET", "/v1/users"))[:2] == (403, "insufficient_scope")
    user, _ = invite(shop, merchant)
    approve(shop, merchant)
    live = take_live_keys(merchant)
    body, path = {"email": new_address(), "name": NAME}, f"/v1/users/{user}"
    for method, where, sent in (
        ("POST", "/v1/users", body),
        ("POST", f"{path}/unlock", None),
        ("DELETE", path, None),
        ("DELETE", f"{path}/sessions/ses_{'0' * 32}", None),
    ):
        assert error(merchant.ask(method, where, sent))[:2] == (403, "live_key_required")
    assert merchant.get(path)["livemode"] is False
    assert live.get(path)["livemode"] is True
    told(live.ask("POST", "/v1/users", body), 201)
    told(live.ask("POST", f"{path}/unlock"), 200)
    told(live.ask("DELETE", path), 200)


def test_the_command_line_invites(shop: Shop, merchant: Merchant) -> None:
    browser = Browser(shop, new_address())
    link = tool(shop, merchant.id, browser.email).stdout.strip()
    assert link.startswith(f"{shop.base_url}/invitations/")
    assert enrol(browser, link.removeprefix(shop.base_url)).status_code == 303
    assert browser.sign_in().status_code == 303
    refusals = (
        (merchant.id, browser.email, "belongs to a user already"),
        (f"mch_{'0' * 32}", new_address(), "no such merchant"),
        ("shop", new_address(), "no such merchant"),
        (merchant.id, "ada", "no e-mail address"),
    )
    for owner, address, reason in refusals:
        run = tool(shop, owner, address)
        assert run.returncode != 0 and reason in run.stderr and run.stdout == ""


def test_the_command_line_says_what_is_missing(
    shop: Shop, merchant: Merchant, tmp_path: Path
) -> None:
    run = tool(shop, merchant.id, new_address(), directory="/nowhere/at/all")
    assert run.returncode == 1 and "start the stack once" in run.stderr
    api = {**shop.environment["paymint-api"], "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    (tmp_path / "environment.json").write_text(json.dumps({"paymint-api": api}))
    run = tool(shop, merchant.id, new_address(), directory=str(tmp_path))
    assert run.returncode == 1 and "the database does not answer" in run.stderr


def tool(
    shop: Shop, merchant: str, email: str, directory: str = ""
) -> "subprocess.CompletedProcess[str]":
    """`scripts/users invite` without the installation."""
    data = directory or str(shop.serving.directory)
    chosen = ["--merchant", merchant, "--email", email, "--name", NAME, "--data", data]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*TOOL, *chosen], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_nothing_of_a_person_is_stored_in_clear(shop: Shop, merchant: Merchant) -> None:
    """PCI DSS 4.0.1 req. 8.3.2, 3.6: both databases, and every log, searched for what was given."""
    # A mask over its digits would hide it from the search.
    name = f"Ada of {new_mark()}"
    browser = Browser(shop, new_address())
    body = {"email": browser.email, "name": name}
    # With a key, so that the reply is kept.
    invited = told(merchant.ask("POST", "/v1/users", body, key=str(uuid4())), 201)
    browser.user = invited["id"]
    enrol(browser, invited["invitation_url"].removeprefix(shop.base_url))
    told(merchant.ask("POST", f"/v1/users/{browser.user}/unlock", key=str(uuid4())), 200)
    _, pending = invite(shop, merchant)
    assert browser.sign_in().status_code == 303
    assert browser.cookie is not None
    form_token = browser.form_token()
    secrets = {
        "password": PASSWORD,
        "name": name,
        "address": browser.email,
        "index of the address": browser.email.partition("@")[0],
        "seed": browser.seed,
        "cookie": browser.cookie,
        "form's token": form_token,
        "link": pending.rpartition("/")[2],
    }
    held = {process: dumped(shop, process) for process in ("paymint-api", "paymint-vault")}
    logs = (shop.serving.directory / "log").glob("*.log")
    held |= {path.name: path.read_text(errors="replace") for path in logs}
    found = {(what, where) for what, s in secrets.items() for where in held if s in held[where]}
    assert found == set()
    # The search can find something: what is public stands there.
    assert merchant.id.removeprefix("mch_") in held["paymint-api"].replace("-", "")


def dumped(shop: Shop, process: str) -> str:
    """Every row of a database as text; bytes as they are, not in hexadecimal."""
    with shop.owned_database(process) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        return "\n".join(
            str(row) for table in tables for row in connection.execute(all_of(*table)).fetchall()
        )


def all_of(schema: str, table: str) -> sql.Composed:
    return sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
