"""The vault says how many of its keys are old, and never more than that."""

import time

from contract import relay
from tests.vault.house import House
from tests.vault.merchant import Merchant
from tests.vault.test_attempts import played

HOUR_MS = 3_600_000


def test_keys_in_use_are_counted_by_their_age(served: House) -> None:
    now_ms = int(time.time() * 1000)

    async def scenario(payer: Merchant) -> None:
        await payer.token("4242424242424242")
        counts = []
        for moment in (now_ms - HOUR_MS, now_ms + HOUR_MS):
            asked = relay.CountOldKeys(**payer.scope, born_before_ms=moment)
            counts.append(await payer.door.call(asked))
        assert counts == [
            relay.OldKeys(master_keys=0, data_keys=0),
            relay.OldKeys(master_keys=1, data_keys=1),
        ]

    played(served, scenario)
