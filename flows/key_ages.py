"""Keys that are too old: seen by the worker, shown to the operator.

PCI DSS 4.0.1 req. 3.7.4: keys are changed at the end of their cryptoperiod, here 12 months.
The alert is the platform's own, and open until `scripts/keys rotate` was run.
"""

from datetime import timedelta
from typing import Final

from prometheus_client import Gauge

from adapters.keys import PLATFORM
from adapters.vault_door import NoAnswer
from contract import relay
from domain.alerts import KEY_ROTATION_DUE
from flows.house import House
from models.alerts import Alert, raise_alert, resolve_alert
from models.data_keys import DataKeyStore
from runtime.log import log

CRYPTOPERIOD: Final = timedelta(days=365)
# The operator's key shows what belongs to no merchant in test mode's place.
_MODE: Final = False

_OLD = Gauge("paymint_keys_too_old", "Keys in use beyond 12 months", ["house", "kind"])


async def check_key_ages(house: House) -> int:
    """Raise or resolve the alert of each house; 0, for there is nothing to do at once."""
    before = house.clock.now() - CRYPTOPERIOD
    ages = await DataKeyStore(house.database).ages(before)
    await _judge(house, "main house", ages.master_keys, ages.data_keys)
    asked = relay.CountOldKeys(
        request_id=f"key_ages_{house.new_id().hex}",
        merchant_id=PLATFORM,
        livemode=_MODE,
        born_before_ms=int(before.timestamp() * 1000),
    )
    try:
        answer = await house.vault.call(asked)
    except NoAnswer as silence:
        log("key_ages_unknown", reason=type(silence).__name__)
        return 0
    if isinstance(answer, relay.OldKeys):
        await _judge(house, "vault", answer.master_keys, answer.data_keys)
    return 0


async def _judge(house: House, subject: str, master_keys: int, data_keys: int) -> None:
    _OLD.labels(subject, "master").set(master_keys)
    _OLD.labels(subject, "data").set(data_keys)
    now, about = house.clock.now(), (KEY_ROTATION_DUE, subject)
    async with house.database.transaction() as transaction:
        if master_keys or data_keys:
            log("keys_too_old", house=subject, master_keys=master_keys, data_keys=data_keys)
            alert = Alert(house.new_id(), PLATFORM, _MODE, KEY_ROTATION_DUE, subject, now)
            await raise_alert(transaction, alert)
        else:
            await resolve_alert(transaction, PLATFORM, _MODE, about, now)
