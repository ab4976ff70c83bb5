"""How a call ends when it ends without an answer."""


class CallRefused(Exception):
    """Certain: nothing was begun.  `reason` is one plain word that the caller may log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CallUndecided(Exception):
    """The call was begun and its end is not known; `resolve` will tell."""
