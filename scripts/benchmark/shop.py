"""A shop to measure with: a customer with a saved card, and payments to read."""

import uuid
from typing import Any

import httpx
import psycopg

NEGOTIATED = 1000
LARGEST_HOLD = 99_999_999
# Rows are made by the server itself: filling a table is no part of what is measured.
_FILL = """
INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,
    payment_method_id, is_token, metadata, idempotency_key, attempt_id, network,
    amount_authorized, amount_captured, created_at, captured_at)
SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
    %(merchant_id)s, false, 50 + n %% 99999900, 'usd', 'captured', true, %(method_id)s, false,
    '{}', gen_random_uuid(), gen_random_uuid(), 'visa', 50 + n %% 99999900, 50 + n %% 99999900,
    moment, moment
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
    LATERAL (SELECT date_trunc('milliseconds',
        now() - interval '30 days' + n * interval '1 second' / 2) AS moment) AS at
ON CONFLICT DO NOTHING
"""
_SOME_IDS = """
SELECT id FROM payments WHERE merchant_id = %(merchant_id)s ORDER BY idempotency_key LIMIT 500
"""


class Shop:
    """One merchant's doors, opened with the keys of sandbox.json."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self.key = str(keys["secret_key"])
        self.merchant_id = uuid.UUID(hex=str(keys["merchant_id"]).partition("_")[2])
        self._keys = keys
        self._client = httpx.Client(headers={"Authorization": f"Bearer {self.key}"})
        self._negotiate()
        self.method = self._saved_card()
        self.method_id = uuid.UUID(hex=self.method.partition("_")[2])

    def _post(self, url: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        response = self._client.post(url, json=body, headers=headers)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def _negotiate(self) -> None:
        """What is measured is the limiter's cost, and not its refusals."""
        headers = {"Authorization": f"Bearer {self._keys['platform_key']}"}
        url = f"{self._keys['base_url']}/v1/merchants/{self._keys['merchant_id']}"
        body = {"rate_limit_multiplier": NEGOTIATED}
        self._client.patch(url, json=body, headers=headers).raise_for_status()

    def _saved_card(self) -> str:
        base, vault = self._keys["base_url"], self._keys["vault_url"]
        card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        body = {"type": "card", "card": card}
        token = self._post(f"{vault}/v1/tokens", body, str(self._keys["publishable_key"]))
        self._customer = str(self._post(f"{base}/v1/customers", {"name": "Bench"})["id"])
        path = f"{base}/v1/customers/{self._customer}/payment_methods"
        return str(self._post(path, {"type": "card", "token": token["id"]})["id"])

    def hold(self) -> str:
        """A hold of as much as one can be, on the saved card."""
        named = {"payment_method_id": self.method, "customer_id": self._customer}
        money = {"amount": LARGEST_HOLD, "currency": "usd", "expires_in_seconds": 3600}
        return str(self._post(f"{self._keys['base_url']}/v1/holds", {**named, **money})["id"])

    def fill(self, url: str, first: int, last: int) -> None:
        """Write payments number `first` to `last`, and tell the planner."""
        values = {
            "merchant_id": self.merchant_id,
            "method_id": self.method_id,
            "first": first,
            "last": last,
        }
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_FILL, values)
            connection.execute("VACUUM ANALYZE payments")

    def payment_paths(self, url: str) -> list[str]:
        """Paths of payments from all over the table."""
        with psycopg.connect(url) as connection:
            rows = connection.execute(_SOME_IDS, {"merchant_id": self.merchant_id}).fetchall()
        return [f"/v1/payments/pay_{row[0].hex}" for row in rows]
