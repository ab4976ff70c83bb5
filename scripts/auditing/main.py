"""scripts/audit: `verify` finds what was done to the audit trail; `public-keys` shows the keys.

Exit status 0: nothing was found; 1: something was; 2: it could not be looked at.
"""

import argparse
import asyncio
import getpass
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.audit_archive import open_archive
from adapters.keys import signing
from domain.audit_entries import FIELDS, USER_AGENT_CHARACTERS, cleaned
from domain.audit_roots import MAIN, VAULT, Root, SealedHead
from domain.audit_verification import Finding, Verification, check_roots
from domain.ids import to_text
from models.audit import AuditTrail
from runtime.ids import uuid7
from scripts.auditing import stored
from scripts.auditing.archived import Archived
from scripts.launcher.bootstrap import ROOT
from scripts.launcher.private_files import read_json

NOTHING_FOUND, FOUND, NOT_LOOKED = 0, 1, 2
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
LAST_ID = UUID(int=(1 << 128) - 1)
RECORD_SECONDS = 10.0


def month(text: str) -> datetime:
    """The first moment of a month given as 2026-11."""
    if not MONTH.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a month as 2026-11")
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command and its options."""
    parser = argparse.ArgumentParser(prog="scripts/audit", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "var", metavar="DIR")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="look for what was changed")
    verify.add_argument("--from", dest="since", type=month, metavar="YYYY-MM")
    verify.add_argument("--to", dest="till", type=month, metavar="YYYY-MM")
    verify.add_argument("--archive", action="store_true", help="the archived segments too")
    verify.add_argument(
        "--public-key",
        action="append",
        default=[],
        metavar="HEX",
        help="believe this signing key only (repeat for several)",
    )
    commands.add_parser("public-keys", help="the keys that roots are signed with")
    return parser.parse_args(arguments)


def environment(data: Path) -> dict[str, str]:
    """What this process was told, else what scripts/serve tells the processes of `data`."""
    known: dict[str, Any] = read_json(data.absolute() / "environment.json")
    told = {**known.get("paymint-vault", {}), **known.get("paymint-worker", {})}
    return {"PAYMINT_STATE_DIR": str(data.absolute()), **told, **os.environ}


async def record(url: str, command: str) -> bool:
    """Write down who looks: reading the trail is itself an event (PCI DSS 4.0.1 10.2.1.3)."""
    trail, identifier = AuditTrail(url), uuid7()
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry: dict[str, Any] = dict.fromkeys(FIELDS)
    entry |= {
        "timestamp": moment,
        "request_id": to_text("req", identifier),
        "method": "CLI",
        "path": f"scripts/audit {command}",
        "status_code": 0,
        "ip_address": "",
        "user_agent": cleaned(f"os-user:{getpass.getuser()}", USER_AGENT_CHARACTERS),
        "latency_ms": 0,
        "scopes_used": [],
    }
    stored_or_failed = trail.record(identifier, None, entry)
    if stored_or_failed is not None:
        await stored_or_failed
    written = not trail.rows.failing
    await trail.close()
    return written


def verify(told: dict[str, str], choice: argparse.Namespace) -> int:
    """Look at everything that was asked for, print every finding and the counts."""
    began = time.monotonic()
    with (
        stored.reading(told["DATABASE_URL"]) as main,
        stored.reading(told["VAULT_DATABASE_URL"]) as vault,
    ):
        # Heads before entries: what is sealed while we read is read as well.
        roots, sealed = stored.roots(main), stored.heads(main)
        is_signed = _signatures(stored.public_keys(main), choice.public_key)
        checking = Verification(_by_chain(roots, sealed, choice))
        since, till = _span(choice)
        checking.read(MAIN, stored.rows(main, since, till))
        checking.read(VAULT, stored.rows(vault, since, till))
        for chain in checking.heads.keys() - checking.chains:
            if stored.is_there(main, chain) or stored.is_there(vault, chain):
                # Of a month that was not asked for.
                checking.heads[chain] = {}
        findings = checking.finish()
        findings += check_roots(roots, lambda number: sealed.get(number, []), is_signed)
        findings += [_unchained(identifier) for identifier in stored.unchained(main)]
    archived = Archived(
        open_archive(told.get("PAYMINT_AUDIT_ARCHIVE", ""), Path(told["PAYMINT_STATE_DIR"]))
    )
    if choice.archive:
        findings += archived.check(is_signed)
        findings += _other_roots(roots, archived.roots)
    for finding in findings:
        print(line(finding))
    print(
        f"{checking.entries} entries in {len(checking.chains)} chains, {checking.unsealed} not"
        f" sealed yet, {len(roots)} roots; {len(findings)} findings"
        f" ({time.monotonic() - began:.1f} s)"
    )
    if choice.archive:
        print(f"archive: {archived.entries} entries under {len(archived.roots)} roots")
    if not choice.public_key:
        print("signatures were checked with the database's own keys; --public-key pins them")
    return FOUND if findings else NOTHING_FOUND


def line(finding: Finding) -> str:
    """One finding as one line."""
    if finding.kind == "root":
        return f"ROOT {finding.sequence} ({finding.house}): {finding.text}"
    return (
        f"{finding.kind.upper()} chain={finding.chain} sequence={finding.sequence}"
        f" request={finding.request_id or 'unknown'} ({finding.house}): {finding.text}"
    )


def _signatures(known: dict[str, bytes], pinned: list[str]) -> Any:
    keys = set(known.values()) if not pinned else {bytes.fromhex(text) for text in pinned}

    def is_signed(key_name: str, signature: bytes, message: bytes) -> bool:
        return any(signing.is_signed(key, signature, message) for key in keys)

    return is_signed


def _by_chain(
    roots: list[Root], sealed: dict[int, list[SealedHead]], choice: argparse.Namespace
) -> dict[UUID, dict[int, SealedHead]]:
    found: dict[UUID, dict[int, SealedHead]] = {}
    for root in roots:
        if choice.since is not None and root.sealed_at < choice.since:
            continue
        if choice.till is not None and root.sealed_at >= _following(choice.till):
            continue
        for head in sealed.get(root.number, ()):
            found.setdefault(head.chain, {})[head.sequence] = head
    return found


def _span(choice: argparse.Namespace) -> tuple[UUID, UUID]:
    since = UUID(int=0) if choice.since is None else stored.first_id(choice.since)
    till = LAST_ID if choice.till is None else stored.first_id(_following(choice.till))
    return since, till


def _following(moment: datetime) -> datetime:
    december = moment.month == 12
    return moment.replace(year=moment.year + december, month=1 if december else moment.month + 1)


def _unchained(identifier: UUID) -> Finding:
    text = "stands outside every chain"
    return Finding("unchained", MAIN, None, 0, to_text("req", identifier), text)


def _other_roots(stored_roots: list[Root], archived: list[Root]) -> list[Finding]:
    known = {root.number: root for root in stored_roots}
    return [
        Finding("root", MAIN, None, root.number, None, "is not the one in the archive")
        for root in archived
        if root.number not in known or known[root.number].hash != root.hash
    ]


def main() -> int:
    """Run the command; what was found is told by the exit status."""
    choice = parsed(sys.argv[1:])
    told = environment(choice.data)
    try:
        url = told["DATABASE_URL"]
        written = asyncio.run(asyncio.wait_for(record(url, choice.command), RECORD_SECONDS))
        if not written:
            print("paymint: the reading could not be written down", file=sys.stderr)
            return NOT_LOOKED
        if choice.command == "verify":
            return verify(told, choice)
        with stored.reading(url) as connection:
            for key_name, public in stored.public_keys(connection).items():
                print(key_name, public.hex())
        return NOTHING_FOUND
    except KeyError as missing:
        print(f"paymint: {missing} is not set, and {choice.data} tells nothing", file=sys.stderr)
    except (OSError, stored.Failure) as reason:
        print(f"paymint: {type(reason).__name__}: {reason}", file=sys.stderr)
    return NOT_LOOKED


if __name__ == "__main__":
    sys.exit(main())
