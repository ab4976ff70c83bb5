"""scripts/users: invites somebody to sign in for a merchant; no e-mail is sent.

Asks the database of a state directory itself, as the operator of the machine may.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.private_files import read_json
from scripts.launcher.state import StateDirectory

LONGEST_EMAIL = 254
LONGEST_NAME = 200
MODULE = (sys.executable, "-P", "-m", "flows.invitations")
INVITE_SECONDS = 60.0
API = "paymint-api"
# A number that no process of the stack has: counters are added to by one process each.
PROCESS_NUMBER = "63"
REFUSALS = {
    "resource_missing": "there is no such merchant",
    "user_email_taken": "this e-mail address belongs to a user already",
    "user_limit": "the merchant has as many users as one may have",
    "database": "the database does not answer; start the stack with scripts/serve",
}


def email(text: str) -> str:
    name, at, host = text.strip().rpartition("@")
    if not name or not at or not host or len(text) > LONGEST_EMAIL or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no e-mail address")
    return text.strip()


def person(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a name has 1 to {LONGEST_NAME} characters on one line")
    return text.strip()


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/users", description="People who sign in.")
    commands = parser.add_subparsers(dest="command", required=True)
    invite = commands.add_parser("invite", help="make a link that is good once, for 72 hours")
    invite.add_argument("--merchant", required=True, metavar="mch_…", help="for whom")
    invite.add_argument("--email", required=True, type=email, help="what the person signs in with")
    invite.add_argument("--name", required=True, type=person, help="what the person is called")
    invite.add_argument(
        "--data", type=Path, default=ROOT / "var", metavar="DIR", help="of the stack (default var/)"
    )
    return parser.parse_args(arguments)


def invited(choice: argparse.Namespace) -> dict[str, Any]:
    """What flows.invitations printed: `invitation_url`, or `refused` with a reason."""
    path = StateDirectory(choice.data).environment
    environment = read_json(path).get(API)
    if environment is None:
        return {"refused": f"{path} is not there: start the stack once with scripts/serve"}
    run = subprocess.run(
        [*MODULE, choice.merchant, choice.email, choice.name],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT), "PAYMINT_PROCESS_NUMBER": PROCESS_NUMBER},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INVITE_SECONDS,
        check=False,
    )
    for line in reversed(run.stdout.splitlines()):
        said = json.loads(line)
        if said.keys() & {"invitation_url", "refused"}:
            return dict(said)
    return {"refused": f"flows.invitations failed:\n{run.stdout}{run.stderr}"}


def main() -> int:
    """Prints the link; a refusal goes to standard error."""
    said = invited(parsed(sys.argv[1:]))
    if "refused" in said:
        reason = said["refused"]
        print(f"paymint: {REFUSALS.get(reason, reason)}", file=sys.stderr)
        return 1
    print(said["invitation_url"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
