"""The API stood still for a moment: who came meanwhile is served, and not refused."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from runtime.room import JAMS_APART_SECONDS
from tests.shop import Shop

# All that the narrow stack has room for; it works on four of them.
COME_TOGETHER = 6
STANDSTILL_SECONDS = 0.3


def test_who_came_while_the_process_stood_still_is_served(narrow: Shop) -> None:
    merchant = narrow.open_account()
    process = narrow.serving.process_id("paymint-api")
    time.sleep(JAMS_APART_SECONDS)
    with ThreadPoolExecutor(COME_TOGETHER) as hands:
        os.kill(process, signal.SIGSTOP)
        try:
            coming = [hands.submit(merchant.ask, "GET", "/v1/events") for _ in range(COME_TOGETHER)]
            time.sleep(STANDSTILL_SECONDS)
        finally:
            os.kill(process, signal.SIGCONT)
        answers = [each.result() for each in coming]
    assert [each.status_code for each in answers] == [200] * COME_TOGETHER
