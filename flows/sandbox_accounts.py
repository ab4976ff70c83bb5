"""Opening a sandbox account: a merchant in test mode with a pair of keys."""

import base64
import os
from typing import Any
from uuid import UUID

from adapters.vault_door import NoAnswer
from contract import relay
from domain import api_keys, merchants
from domain.api_versions import PRESENT
from domain.refusals import Unavailable
from flows.house import House
from models import accounts
from runtime.database import Transaction

# Until a merchant says otherwise: a shop of no special kind, paid out in dollars.
DEFAULT_MCC = "5999"
DEFAULT_CURRENCY = "usd"
WEBHOOK_SECRET_BYTES = 32
_TEST_MODE = False


async def create_sandbox_account(
    house: House, request_id: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Make merchant, keys and webhook secret; the keys are shown here and never again.

    `asked`: email, business_name, country.  Raises 503 when the vault cannot learn the
    publishable key; nothing is stored then.
    """
    merchant_id = house.new_id()
    secret_id, publishable_id = house.new_id(), house.new_id()
    secret_key = _new_key("secret", merchant_id, secret_id)
    publishable_key = _new_key("publishable", merchant_id, publishable_id)
    await _publish(house, request_id, merchant_id, publishable_key)
    now = house.clock.now()
    merchant = {
        "id": merchant_id,
        "business_name": asked["business_name"],
        "email": asked["email"],
        "mcc": DEFAULT_MCC,
        "country": asked["country"],
        "status": "pending_review",
        "settlement_currency": DEFAULT_CURRENCY,
        "api_version": PRESENT,
        "created_at": now,
        "revision": 1,
    }
    common = {"merchant_id": merchant_id, "livemode": _TEST_MODE, "created_at": now}
    secret_row = {
        "id": secret_id,
        "type": "secret",
        "secret_hash": await house.keys.hash_secret(secret_key),
        "publishable_key": None,
        "display": api_keys.display(secret_key),
        "scopes": ["merchant:admin"],
    }
    publishable_row = {
        "id": publishable_id,
        "type": "publishable",
        "secret_hash": None,
        "publishable_key": publishable_key,
        "display": api_keys.display(publishable_key),
        "scopes": [],
    }
    async with house.database.transaction() as transaction:
        await transaction.run(accounts.INSERT_MERCHANT, **merchant)
        await transaction.run(accounts.INSERT_KEY, **common, **secret_row)
        await transaction.run(accounts.INSERT_KEY, **common, **publishable_row)
        webhook_secret = await _insert_merchant_url(house, transaction, common)
    return {
        "object": "sandbox_account",
        "merchant": merchants.resource(merchant, None, _TEST_MODE),
        "secret_key": secret_key,
        "publishable_key": publishable_key,
        "webhook_secret": webhook_secret,
    }


def _new_key(kind: api_keys.Kind, merchant_id: UUID, key_id: UUID) -> str:
    parsed = api_keys.ParsedKey(kind, _TEST_MODE, merchant_id, key_id)
    return api_keys.compose(parsed, os.urandom(api_keys.SECRET_BYTES))


async def _publish(house: House, request_id: str, merchant_id: UUID, key: str) -> None:
    message = relay.PublishKey(
        request_id=request_id, merchant_id=merchant_id, livemode=_TEST_MODE, key=key
    )
    try:
        await house.vault.call(message)
    except NoAnswer as silence:
        raise Unavailable from silence


async def _insert_merchant_url(
    house: House, transaction: Transaction, common: dict[str, Any]
) -> str:
    secret = "whsec_" + base64.b64encode(os.urandom(WEBHOOK_SECRET_BYTES)).decode()
    await transaction.run(
        accounts.INSERT_ENDPOINT,
        id=house.new_id(),
        is_merchant_url=True,
        status="enabled",
        secret=secret,
        **common,
    )
    return secret
