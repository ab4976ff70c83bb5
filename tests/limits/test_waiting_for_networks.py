"""Who waits for a card network that says nothing stands in nobody's way."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

from runtime.room import JAM_SECONDS
from tests.shop import Shop, told
from tests.shop_holds import Wallet

# It is never answered; a call waits for 3 s.
SILENT = "4000009900000012"
# All that the narrow stack works on at once; it has room for two more.
AT_WORK = 4
ALL_ARE_ASKED_SECONDS = 1.0


def test_holds_that_wait_for_their_network_leave_room_for_work(narrow: Shop) -> None:
    wallet = Wallet(narrow.open_account(), SILENT)
    with ThreadPoolExecutor(AT_WORK) as threads:
        asked = [threads.submit(wallet.hold_answer) for _ in range(AT_WORK)]
        sleep(ALL_ARE_ASKED_SECONDS)
        for _ in range(2):
            shown = wallet.merchant.ask("GET", f"/v1/customers/{wallet.customer}")
            assert shown.status_code == 200, shown.text
            # If there were no room, the first would be let in for a moment; not the second.
            sleep(2 * JAM_SECONDS)
        assert not any(each.done() for each in asked)
        for each in asked:
            assert told(each.result(), 202)["status"] == "pending"
