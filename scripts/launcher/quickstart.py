"""The first five minutes: lines for a shell that work as pasted, with no tool but curl."""

import shlex
from collections.abc import Mapping
from datetime import date

CARD_YEARS_AHEAD = 3

INTRODUCTION = """
Paste this into another terminal (POSIX shell, curl, python3):
"""

LINES = """
API={base_url} VAULT={vault_url}
SECRET={secret_key}
PUBLISHABLE={publishable_key}
JSON='Content-Type: application/json'
ask() {{ key=$1; shift; curl -sS {trust}-H "Authorization: Bearer $key" -H "$JSON" "$@"; }}
id_of() {{ python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }}
ORDER=$(python3 -c 'import uuid; print(uuid.uuid4())')

TOKEN=$(ask $PUBLISHABLE $VAULT/v1/tokens -d '{{"type":"card","card":{{
  "number":"4242424242424242","exp_month":12,"exp_year":{year},"cvc":"123"}}}}' | id_of)
PAYMENT=$(ask $SECRET $API/v1/payments -H "Idempotency-Key: $ORDER" -d '{{"amount":15000,
  "currency":"usd","payment_method_id":"'$TOKEN'","capture":false}}' | id_of)
ask $SECRET -X POST $API/v1/payments/$PAYMENT/capture -d '{{}}'; echo
ask $SECRET $API/v1/payments/$PAYMENT/refunds -d '{{"amount":5000}}'; echo
ask $SECRET "$API/v1/events?limit=5"; echo
"""

LOOPBACK_WEBHOOK = """
Listen on a port of your own and have events delivered there, here 9000:

ask $SECRET $API/v1/webhook_endpoints -d '{"url":"http://127.0.0.1:9000/hook"}'; echo
"""

PUBLIC_WEBHOOK = """
Webhooks go to public https addresses; start with --allow-loopback-webhooks to have events
delivered to http://127.0.0.1:PORT/ on this machine.
"""


def quickstart(sandbox: Mapping[str, object], *, loopback_webhooks: bool, today: date) -> str:
    """The text that scripts/serve prints, with the full keys of the sandbox merchant."""
    lines = LINES.format(year=today.year + CARD_YEARS_AHEAD, trust=trusted(sandbox), **sandbox)
    return INTRODUCTION + lines + (LOOPBACK_WEBHOOK if loopback_webhooks else PUBLIC_WEBHOOK)


def trusted(sandbox: Mapping[str, object]) -> str:
    """What curl must be told to trust the doors of `scripts/serve --tls`."""
    authority = sandbox.get("ca_file")
    return f"--cacert {shlex.quote(str(authority))} " if authority else ""
