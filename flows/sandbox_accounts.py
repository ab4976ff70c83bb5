"""Opening a sandbox account: a merchant in test mode with a pair of keys."""

import os
from typing import Any, Final

from domain import merchants, signatures
from domain.api_versions import PRESENT
from flows.house import House
from flows.key_making import Owner, Wanted, insert_key, make_key, tell_vault
from models import accounts
from models.sealed import WEBHOOK_SECRET

# Until a merchant says otherwise: a shop of no special kind, paid out in dollars.
DEFAULT_MCC: Final = "5999"
DEFAULT_CURRENCY: Final = "usd"
_TEST_MODE: Final = False


async def create_sandbox_account(
    house: House, request_id: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Make merchant, keys and webhook secret; the keys are shown here and never again.

    `asked`: email, business_name, country.  Raises 503 when the vault cannot learn the
    publishable key; nothing is stored then.
    """
    owner = Owner(house.new_id(), _TEST_MODE)
    secret = await make_key(house, owner, Wanted("secret", "First secret key", ["merchant:admin"]))
    publishable = await make_key(house, owner, Wanted("publishable", "First publishable key"))
    await tell_vault(house, request_id, publishable.row)
    now = house.clock.now()
    webhook_secret = signatures.compose_secret(os.urandom(signatures.SECRET_BYTES))
    sealed = await house.seals.seal(owner.merchant_id, WEBHOOK_SECRET, webhook_secret.encode())
    async with house.database.transaction() as transaction:
        merchant = await accounts.insert_merchant(
            transaction,
            id=owner.merchant_id,
            business_name=asked["business_name"],
            email=asked["email"],
            mcc=DEFAULT_MCC,
            country=asked["country"],
            status="pending_review",
            settlement_currency=DEFAULT_CURRENCY,
            api_version=PRESENT,
            created_at=now,
        )
        await insert_key(transaction, secret)
        await insert_key(transaction, publishable)
        await transaction.run(
            accounts.INSERT_ENDPOINT,
            id=house.new_id(),
            merchant_id=owner.merchant_id,
            livemode=_TEST_MODE,
            is_merchant_url=True,
            status="enabled",
            secret_sealed=sealed,
            created_at=now,
        )
    return {
        "object": "sandbox_account",
        "merchant": merchants.resource(merchant, None, _TEST_MODE),
        "secret_key": secret.text.reveal(),
        "publishable_key": publishable.text.reveal(),
        "webhook_secret": webhook_secret,
    }
