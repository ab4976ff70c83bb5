"""What a call to the vault ends with when it does not end with an answer.

`NotBegun` is certain: no money moved and none will.  `Unknown` is not: ask `resolve`.
"""


class NoAnswer(Exception):
    """No answer to a call; `reason` is one plain word or two, safe to log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotBegun(NoAnswer):
    """Certain: the vault has not begun this call and never will."""


class Unsent(NotBegun):
    """The call never left this process."""


class Refused(NotBegun):
    """The vault said no before it began: busy, expired, malformed, unavailable."""


class Unknown(NoAnswer):
    """The call left and no answer came: it may have been done, may be done, or may not."""
