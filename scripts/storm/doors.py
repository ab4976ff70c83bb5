"""The stack's two doors as a careful client uses them: again, under the same key."""

import asyncio
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp

from scripts.storm.diary import Diary, Intention, told_of

REQUEST_SECONDS: Final = 12.0
PAUSE_SECONDS: Final = 0.25
# An authorisation's deadline in the sandbox is 30 s, and a round of recovery follows it.
INSIST_SECONDS: Final = 75.0
BATCH: Final = "/v1/payments/batch"
MULTI_STATUS: Final = 207
SHED: Final = 503
# What may be answered to each intention.  422: another intention was first.
_FINAL: Final = {
    "pay": (201, 202, 402),
    "capture": (200, 202, 422),
    "cancel": (200, 202, 422),
    "refund": (201, 422),
    "hold": (201, 202, 402),
    "top_up": (200, 202, 402, 422),
    "release": (200, 202, 422),
}
# Another draw was first.
_DRAWN: Final = (201, 422)


class Answer(NamedTuple):
    """A status and a parsed body."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """The error's code, empty for a success."""
        return str(self.body.get("error", {}).get("code", ""))

    @property
    def undecided(self) -> bool:
        """Whether the same request should be sent again."""
        return self.status == SHED or self.code == "idempotency_key_in_use"


def item(intention: Intention) -> dict[str, Any]:
    """A payment as an item of a batch: the key travels inside."""
    return {**(intention.body or {}), "idempotency_key": intention.key}


class Doors:
    """Both doors, and the diary of what they answer."""

    def __init__(self, base_url: str, vault_url: str, diary: Diary) -> None:
        self._base_url, self._vault_url = base_url, vault_url
        self._diary = diary
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(
        self, method: str, path: str, secret: str, body: Any = None, key: str | None = None
    ) -> Answer | None:
        """One request; None where no whole answer came."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        origin = self._vault_url if path == "/v1/tokens" else self._base_url
        self._diary.requests += 1
        try:
            async with self._session.request(
                method, origin + path, json=body, headers=headers
            ) as response:
                return Answer(response.status, await response.json())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def attempt(self, intention: Intention) -> bool:
        """Ask for an intention once; whether the answer was final."""
        door = ("POST", intention.path, intention.secret_key)
        if intention.path != BATCH:
            return self.heard(intention, await self.ask(*door, intention.body, intention.key))
        answer = await self.ask(*door, {"payments": [item(intention)]})
        return self.heard_batch([intention], answer)

    def heard_batch(self, items: list[Intention], answer: Answer | None) -> bool:
        """Write down the results of a batch; whether all of them were final."""
        if answer is None or answer.status == SHED:
            for each in items:
                each.unanswered += 1
            return False
        if answer.status != MULTI_STATUS:
            self._diary.wrong.append(f"a batch: {answer.status} {answer.body}")
            return True
        heard = []
        for each, result in zip(items, answer.body["data"], strict=True):
            content = {"error": result["error"]} if "error" in result else result["payment"]
            heard.append(self.heard(each, Answer(int(result["status"]), content)))
        return all(heard)

    def heard(self, intention: Intention, answer: Answer | None) -> bool:
        """Write down what was answered to an intention; whether it was final."""
        if answer is None or answer.undecided:
            intention.unanswered += 1
            return False
        draws = "hold_id" in (intention.body or {})
        if answer.status not in (_DRAWN if draws else _FINAL[intention.kind]):
            self._diary.wrong.append(f"{intention}: {answer.status} {answer.body}")
        if answer.status < 500:
            intention.told.append(told_of(answer.status, answer.body))
        return True

    async def insist(self, intention: Intention, seconds: float = INSIST_SECONDS) -> bool:
        """Ask until the answer is final, for so long; whether it ever was."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not await self.attempt(intention):
            if loop.time() > until:
                return False
            await asyncio.sleep(PAUSE_SECONDS)
        return True

    async def until_done(
        self, method: str, path: str, secret: str, body: Any = None
    ) -> dict[str, Any]:
        """What preparation needs: asked until it succeeds; TimeoutError when it never does."""
        async with asyncio.timeout(INSIST_SECONDS):
            while True:
                answer = await self.ask(method, path, secret, body)
                if answer is not None and answer.status in (200, 201):
                    return answer.body
                await asyncio.sleep(PAUSE_SECONDS)
