"""The first merchant: made at the first start, found again at every later one.

Two steps, each recorded before the next: the operator's platform key, then the sandbox account.
An interrupted first start resumes where it was.
"""

import json
from typing import Any

from scripts.launcher.console import LaunchError
from scripts.launcher.house import House, post_json, start_module
from scripts.launcher.private_files import read_json, write_json

EMAIL = "owner@sandbox-shop.example"
BUSINESS_NAME = "Sandbox Shop"
COUNTRY = "US"
AUTHORITY = "ca_file"


def ensure_sandbox(house: House) -> dict[str, Any]:
    """The content of sandbox.json, with today's addresses."""
    known = read_json(house.state.sandbox)
    if "secret_key" not in known:
        known = open_account(house, platform_key(house))
    current = {"base_url": house.base_url, "vault_url": house.vault_url}
    wanted = {**{k: v for k, v in known.items() if k != AUTHORITY}, **current}
    if house.options.tls:
        # What a client trusts instead of the system's list, as in `curl --cacert`.
        wanted[AUTHORITY] = str(house.state.public_authority)
    if wanted != read_json(house.state.sandbox):
        write_json(house.state.sandbox, wanted)
    house.state.setup.unlink(missing_ok=True)
    return wanted


def platform_key(house: House) -> str:
    """The operator's key, which flows.setup gives away once."""
    recorded = read_json(house.state.setup).get("platform_key")
    if recorded:
        return str(recorded)
    run = start_module(house.root, "flows.setup", house.environments()["paymint-api"])
    output = run.communicate()[0].decode(errors="replace")
    if run.returncode != 0:
        raise LaunchError(f"flows.setup failed:\n{output}")
    key = key_in(output)
    write_json(house.state.setup, {"platform_key": key})
    return key


def key_in(output: str) -> str:
    """The platform key from the JSON lines that flows.setup printed."""
    for line in reversed(output.splitlines()):
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and isinstance(content.get("platform_key"), str):
            return str(content["platform_key"])
    raise LaunchError("flows.setup printed no platform key")


def open_account(house: House, operator_key: str) -> dict[str, Any]:
    """Asks the API for a sandbox account, as any newcomer would."""
    body = {"email": EMAIL, "business_name": BUSINESS_NAME, "country": COUNTRY}
    answer: dict[str, Any] = post_json(house.ports.api, "/v1/sandbox_accounts", body, house.trust())
    return {
        "base_url": house.base_url,
        "vault_url": house.vault_url,
        "merchant_id": answer["merchant"]["id"],
        "secret_key": answer["secret_key"],
        "publishable_key": answer["publishable_key"],
        "platform_key": operator_key,
        "webhook_secret": answer["webhook_secret"],
    }
