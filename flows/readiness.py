"""Is this process able to serve?  (contract-decisions, "Health")"""

import asyncio
from typing import Any, Final
from uuid import UUID

from adapters.vault_door import NoAnswer
from contract import relay
from flows.house import House
from models.health import database_answers

VAULT_ECHO_SECONDS: Final = 1.0
_NOBODY = UUID(int=0)


async def check_readiness(house: House, request_id: str) -> dict[str, Any]:
    """Each dependency as `ok`, `degraded` or `down`; ready unless a critical one is down.

    Redis may be degraded and payments queue without the networks: both keep us ready.
    Anybody may ask, as often as they like, so those who ask at once are answered together:
    it costs one statement and one call of the vault at a time.
    """
    return await house.readiness.answer(lambda: _checked(house, request_id))


async def _checked(house: House, request_id: str) -> dict[str, Any]:
    database, redis, vault = await asyncio.gather(
        database_answers(house.database), house.duplicates.state(), _vault(house, request_id)
    )
    checks = {
        "database": "ok" if database else "down",
        "redis": redis,
        "card_network_gateway": "ok" if vault else "degraded",
        "vault": "ok" if vault else "down",
        "audit": house.audit.state,
    }
    status = "unready" if "down" in checks.values() else "ready"
    return {"status": status, "checks": checks}


async def _vault(house: House, request_id: str) -> bool:
    echo = relay.Echo(request_id=request_id, merchant_id=_NOBODY, livemode=False)
    try:
        return isinstance(await house.vault.call(echo, VAULT_ECHO_SECONDS), relay.Done)
    except NoAnswer:
        return False
