"""Attempts: begun before a network is asked, decided before a caller is answered.

An attempt is begun once, whoever asks for it and however often.  What is not begun can be
fenced, and a fenced attempt never begins.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contract import relay
from runtime.batches import ID, TEXT, batch, rows_of, seconds, text_of, word
from runtime.coalescer import Coalescer, Lane, lanes
from runtime.database import Database, Row, compile_sql
from runtime.ids import uuid7
from vault.store.begin import BEGIN_AUTHORISE, BEGIN_FOLLOW_UP, DRAW
from vault.store.instruments import is_spent_for
from vault.store.late import FIRST_LOOK_SECONDS, LateStore
from vault.store.tables import attempts

AUTHORISE = str(relay.Authorise.__struct_config__.tag)
REFUND = str(relay.Refund.__struct_config__.tag)
# A row that neither began nor shows why lost a race with a commit that it did not see.
LOOKS_AT_A_RACE = 3
# An attempt this old is in nobody's hands: it was put to the network within 3 s of its
# arrival or never, and no answer is waited for longer than 4 s; the rest is room to spare.
GIVE_UP_SECONDS = 10

_result_decoder: msgspec.json.Decoder[relay.Decision] = msgspec.json.Decoder(relay.Decision)
_result_encoder = msgspec.json.Encoder()


def _decide() -> bytes:
    asked = rows_of(attempt_id=ID, merchant_id=ID, state=TEXT, outcome=TEXT, result=TEXT)
    still_open = sa.or_(
        attempts.c.state == word("begun"),
        # A refund that was pending has settled.
        sa.and_(attempts.c.state == word("decided"), attempts.c.outcome == word("pending")),
        # The same statement run twice.
        attempts.c.result == asked.c.result,
    )
    return text_of(
        sa.update(attempts)
        .values(
            state=asked.c.state,
            outcome=asked.c.outcome,
            result=asked.c.result,
            decided_at=sa.func.now(),
        )
        .where(
            attempts.c.id == asked.c.attempt_id,
            attempts.c.merchant_id == asked.c.merchant_id,
            still_open,
        )
        .returning(attempts.c.id, attempts.c.merchant_id)
    )


_DECIDE = _decide()
_FENCE = compile_sql(
    insert(attempts)
    .values(
        id=sa.bindparam("attempt_id"),
        merchant_id=sa.bindparam("merchant_id"),
        livemode=sa.bindparam("livemode"),
        state=word("fenced"),
    )
    .on_conflict_do_nothing()
)
_LOOK = compile_sql(
    sa.select(
        attempts.c.state,
        attempts.c.livemode,
        attempts.c.operation,
        attempts.c.network,
        attempts.c.result,
    ).where(
        attempts.c.id == sa.bindparam("attempt_id"),
        attempts.c.merchant_id == sa.bindparam("merchant_id"),
    )
)


_GIVE_UP = compile_sql(
    sa.update(attempts)
    .values(state=word("fenced"), look_again_at=sa.func.now() + seconds(FIRST_LOOK_SECONDS))
    .where(
        attempts.c.id == sa.bindparam("attempt_id"),
        attempts.c.merchant_id == sa.bindparam("merchant_id"),
        attempts.c.state == word("begun"),
        attempts.c.created_at < sa.func.now() - seconds(GIVE_UP_SECONDS),
    )
)


Chargeable = relay.Authorise | relay.Capture | relay.Reverse | relay.Refund


class Beginning(NamedTuple):
    """One attempt to begin; `begun_by` names this very call."""

    attempt_id: UUID
    merchant_id: UUID
    livemode: bool
    payment_id: UUID
    operation: str
    begun_by: UUID
    # Whose approval is followed up: the payment's, or that of the hold it is drawn on.
    approval_of: UUID
    instrument_id: UUID | None = None
    spent_for: UUID | None = None


class Ending(NamedTuple):
    """How an attempt ended; `fenced` without a decision when the network was not asked."""

    attempt_id: UUID
    merchant_id: UUID
    state: str
    outcome: str | None
    result: str | None


class Found(NamedTuple):
    """An attempt as it is stored."""

    state: str
    livemode: bool
    operation: str | None
    network: str | None
    decision: relay.Decision | None


class AttemptStore:
    """Begins, decides and fences attempts."""

    def __init__(self, database: Database, dsn: str) -> None:
        self._database = database
        self.late = LateStore(database)
        self._authorise: Coalescer[Beginning, Row] = _beginner(dsn, BEGIN_AUTHORISE)
        self._follow_up: Coalescer[Beginning, Row] = _beginner(dsn, BEGIN_FOLLOW_UP)
        self._decide: Coalescer[Ending, bool] = Coalescer(
            _record, lanes(dsn, 0), sort_key=_by_attempt
        )

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self._authorise.close()
        await self._follow_up.close()
        await self._decide.close()

    async def begin(self, row: Beginning) -> Row:
        """Commit that the attempt has begun, if it may.

        The answered row says `begun_now`; when that is false, `attempt_state` and `result`
        show the attempt that was there before, or the other columns show what is missing.
        """
        beginner = self._follow_up if row.instrument_id is None else self._authorise
        found = await beginner.submit(row)
        for _ in range(LOOKS_AT_A_RACE - 1):
            settled = found["begun_now"] or found["attempt_state"] is not None
            if settled or refusal_of(row, found) is not None:
                break
            found = await beginner.submit(row)
        if found["attempt_state"] == "begun" and found["begun_by"] == row.begun_by:
            # The statement ran twice: its connection broke after the first commit.
            found["begun_now"] = True
        return found

    async def decide(self, attempt_id: UUID, merchant_id: UUID, decision: relay.Decision) -> bool:
        """Commit the network's decision; False when the attempt was fenced meanwhile."""
        result = _result_encoder.encode(decision).decode()
        return await self._decide.submit(
            Ending(attempt_id, merchant_id, "decided", decision.outcome, result)
        )

    async def withdraw(self, attempt_id: UUID, merchant_id: UUID) -> None:
        """Commit that an attempt which had begun was never put to the network."""
        await self._decide.submit(Ending(attempt_id, merchant_id, "fenced", None, None))

    async def fence(self, attempt_id: UUID, merchant_id: UUID, livemode: bool) -> Found:
        """Answer the attempt; one that never began is fenced first."""
        named = {"attempt_id": attempt_id, "merchant_id": merchant_id}
        async with self._database.transaction() as transaction:
            await transaction.run(_FENCE, **named, livemode=livemode)
        # A second transaction, because the first cannot see a row it has waited for.
        async with self._database.transaction() as transaction:
            row = await transaction.one(_LOOK, **named)
        decision = decode_decision(row["result"]) if row["result"] else None
        return Found(row["state"], row["livemode"], row["operation"], row["network"], decision)

    async def give_up(self, attempt_id: UUID, merchant_id: UUID) -> bool:
        """Fence an attempt that began too long ago for anybody to be still at it.

        The network may have it yet, and is asked about it for a day (vault/store/late.py).
        """
        named = {"attempt_id": attempt_id, "merchant_id": merchant_id}
        async with self._database.transaction() as transaction:
            return await transaction.run(_GIVE_UP, **named) == 1


def beginning_of(request: Chargeable) -> Beginning:
    """The row that begins this request."""
    drawn_on = request.hold_id if isinstance(request, relay.Capture) else None
    authorised = request if isinstance(request, relay.Authorise) else None
    return Beginning(
        attempt_id=request.attempt_id,
        merchant_id=request.merchant_id,
        livemode=request.livemode,
        payment_id=request.payment_id,
        operation=DRAW if drawn_on else str(type(request).__struct_config__.tag),
        begun_by=uuid7(),
        approval_of=drawn_on or request.payment_id,
        instrument_id=None if authorised is None else authorised.instrument_id,
        spent_for=None if authorised is None else authorised.spent_for,
    )


def hold_of(request: Chargeable) -> UUID | None:
    """The hold that an authorisation adds to, or that a capture draws on."""
    if isinstance(request, relay.Authorise | relay.Capture):
        return request.hold_id
    return None


def may_settle(decision: relay.Decision, operation: str | None) -> bool:
    """Whether a decision says what became of this operation: only refunds are pending.

    Of anything else a network that says "in progress" has decided nothing yet.
    """
    return decision.outcome != "pending" or operation == REFUND


def decode_decision(result: str) -> relay.Decision:
    """A stored decision."""
    return _result_decoder.decode(result)


def refusal_of(row: Beginning, found: Row) -> relay.Rejected | None:
    """Why this row may not begin; None when nothing speaks against it."""
    if found["livemode"] is None:
        unknown = row.instrument_id is None
        return relay.Rejected(code="payment_unknown" if unknown else "instrument_unknown")
    if found["livemode"] != row.livemode:
        return relay.Rejected(code="livemode_mismatch")
    if row.instrument_id is None:
        return None
    is_own = found["used_by"] == row.payment_id or is_spent_for(found["spent_for"], row.spent_for)
    if found["used_by"] is not None and not is_own:
        return relay.Rejected(code="token_already_used")
    if found["expired"]:
        return relay.Rejected(code="token_expired")
    return relay.Rejected(code="instrument_unknown") if found["ciphertext"] is None else None


def _by_attempt(row: Beginning | Ending) -> tuple[int, int]:
    # Numbers, because comparing UUIDs is written in Python and takes ten times as long.
    return row.attempt_id.int, row.merchant_id.int


def _beginner(dsn: str, text: bytes) -> Coalescer[Beginning, Row]:
    async def begin(lane: Lane, rows: Sequence[Beginning]) -> list[Row]:
        found = await lane.rows(text, {"rows": batch(rows)})
        by_attempt = {(row["attempt_id"], row["merchant_id"]): row for row in found}
        return [dict(by_attempt[row.attempt_id, row.merchant_id]) for row in rows]

    return Coalescer(begin, lanes(dsn, 0), sort_key=_by_attempt)


async def _record(lane: Lane, rows: Sequence[Ending]) -> list[bool]:
    recorded = await lane.rows(_DECIDE, {"rows": batch(rows)})
    done = {(row["id"], row["merchant_id"]) for row in recorded}
    return [(row.attempt_id, row.merchant_id) in done for row in rows]
