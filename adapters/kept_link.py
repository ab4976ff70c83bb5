"""A link to Valkey that is made, watched and made anew; without one, there is none."""

import asyncio

from adapters.valkey_link import LinkLost, ValkeyLink, connect
from runtime.log import log

ANSWER_WITHIN_SECONDS = 0.25
SWEEP_SECONDS = 0.05
# After a failure Valkey is left alone for this long, so that an outage costs no latency.
PAUSE_SECONDS = 1.0


class KeptLink:
    """`now` is the open link, or None while Valkey is out of reach or not to be asked."""

    def __init__(
        self,
        url: str | None,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
        look_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._url = url
        self._answer_within_seconds = answer_within_seconds
        self._look_seconds = look_seconds
        self._link: ValkeyLink | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def now(self) -> ValkeyLink | None:
        """The open link; where there is none, one is being made."""
        link = self._link
        if link is not None and link.open:
            return link
        self.start()
        return None

    def start(self) -> None:
        """Begin to connect, unless that is under way."""
        if self._url is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._live(self._url))

    async def close(self) -> None:
        """End the link."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._link is not None:
            self._link.drop()

    async def _live(self, url: str) -> None:
        """Connect, watch for late answers, and connect anew, for ever."""
        while True:
            try:
                self._link = await connect(url)
                log("valkey_link_up")
                while self._link.open:
                    await asyncio.sleep(self._look_seconds)
                    self._link.drop_if_late(self._answer_within_seconds)
                reason = "lost"
            except (LinkLost, OSError) as error:
                reason = type(error).__name__
            log("valkey_unavailable", reason=reason)
            await asyncio.sleep(PAUSE_SECONDS)
