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
    database, redis, (vault, networks) = await asyncio.gather(
        database_answers(house.database), house.limiter.state(), _vault(house, request_id)
    )
    checks = {
        "database": "ok" if database else "down",
        "redis": redis,
        "card_network_gateway": networks,
        "vault": vault,
        "audit": house.audit.state,
    }
    status = "unready" if "down" in checks.values() else "ready"
    return {"status": status, "checks": checks}


async def _vault(house: House, request_id: str) -> tuple[str, str]:
    """How the vault is, and how the card networks behind it are."""
    echo = relay.Echo(request_id=request_id, merchant_id=_NOBODY, livemode=False)
    try:
        answer = await house.vault.call(echo, VAULT_ECHO_SECONDS)
    except NoAnswer:
        answer = None
    if not isinstance(answer, relay.Present):
        return "down", "degraded"
    return "ok", "degraded" if answer.networks_away else "ok"
