"""The statements that begin an attempt: many waiting calls, one statement, one commit.

Each writes the attempts that may begin and answers, for every row of the batch, all that
the caller needs to go on or to say why not.  A row that begins nothing leaves no trace.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.batches import FLAG, ID, TEXT, rows_of, seconds, text_of, word
from vault.store.tables import attempts, instruments

# How long a used token keeps its number: as long as a payment may be resumed (15 min in
# live mode), with room to spare.
USED_TOKEN_SECONDS = 30 * 60

# A capture that takes a part of a hold's approval for a payment of its own.
DRAW = "draw"

earlier = attempts.alias("earlier")


_ASKED = {
    "attempt_id": ID,
    "merchant_id": ID,
    "livemode": FLAG,
    "payment_id": ID,
    "operation": TEXT,
    "begun_by": ID,
}


def _same_attempt(asked: sa.CTE, table: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.id == asked.c.attempt_id, table.c.merchant_id == asked.c.merchant_id)


def _insert_begun(
    asked: sa.CTE,
    network: sa.ColumnElement[str],
    rows: sa.FromClause,
    may_begin: sa.ColumnElement[bool],
) -> sa.CTE:
    written: dict[str, sa.ColumnElement[Any]] = {
        "id": asked.c.attempt_id,
        "merchant_id": asked.c.merchant_id,
        "livemode": asked.c.livemode,
        "payment_id": asked.c.payment_id,
        "operation": asked.c.operation,
        "network": network,
        "state": word("begun"),
        "begun_by": asked.c.begun_by,
    }
    chosen = sa.select(*written.values()).select_from(rows).where(may_begin)
    return (
        insert(attempts)
        .from_select(list(written), chosen, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(attempts.c.id, attempts.c.merchant_id)
        .cte("begun")
    )


def _answer(
    asked: sa.CTE, begun: sa.CTE, rows: sa.FromClause, *more: sa.ColumnElement[Any]
) -> bytes:
    return text_of(
        sa.select(
            asked.c.attempt_id,
            asked.c.merchant_id,
            begun.c.id.isnot(None).label("begun_now"),
            earlier.c.state.label("attempt_state"),
            earlier.c.begun_by,
            earlier.c.result,
            *more,
        ).select_from(
            rows.outerjoin(begun, _same_attempt(asked, begun)).outerjoin(
                earlier, _same_attempt(asked, earlier)
            )
        )
    )


def _spend_tokens(asked: sa.CTE) -> sa.CTE:
    """Mark tokens used; two payments that want one token meet at its row."""
    return (
        sa.update(instruments)
        .values(
            state=word("used"),
            used_by=asked.c.payment_id,
            spent_for=asked.c.spent_for,
            expires_at=sa.func.now() + seconds(USED_TOKEN_SECONDS),
        )
        .where(
            _named_instrument(asked),
            _usable_instrument(asked),
            instruments.c.state == word("token"),
            instruments.c.expires_at > sa.func.now(),
            ~sa.exists().where(_same_attempt(asked, attempts)),
        )
        .returning(asked.c.attempt_id, asked.c.merchant_id)
        .cte("spent")
    )


def _named_instrument(asked: sa.CTE) -> sa.ColumnElement[bool]:
    return sa.and_(
        instruments.c.id == asked.c.instrument_id,
        instruments.c.merchant_id == asked.c.merchant_id,
    )


def _usable_instrument(asked: sa.CTE) -> sa.ColumnElement[bool]:
    return sa.and_(instruments.c.livemode == asked.c.livemode, instruments.c.ciphertext.isnot(None))


def _authorise() -> bytes:
    """Begin authorisations: spend the token, write the attempt, answer the sealed number."""
    asked = rows_of(**_ASKED, instrument_id=ID, spent_for=ID)
    spent = _spend_tokens(asked)
    # The main house has one payment under a key: where it asks for another one, it has taken
    # back the first, whose attempts have certainly not begun, whatever is on record here.
    own_payment = sa.and_(
        instruments.c.state == word("used"),
        sa.or_(
            instruments.c.used_by == asked.c.payment_id,
            instruments.c.spent_for == asked.c.spent_for,
        ),
    )
    may_begin = sa.or_(
        spent.c.attempt_id.isnot(None),
        sa.and_(
            _usable_instrument(asked), sa.or_(instruments.c.state == word("saved"), own_payment)
        ),
    )
    rows = asked.outerjoin(instruments, _named_instrument(asked))
    rows_and_spent = rows.outerjoin(
        spent,
        sa.and_(
            spent.c.attempt_id == asked.c.attempt_id, spent.c.merchant_id == asked.c.merchant_id
        ),
    )
    begun = _insert_begun(asked, instruments.c.network, rows_and_spent, may_begin)
    return _answer(
        asked,
        begun,
        rows,
        instruments.c.state.label("instrument_state"),
        instruments.c.livemode,
        instruments.c.used_by,
        instruments.c.spent_for,
        (instruments.c.expires_at <= sa.func.now()).label("expired"),
        instruments.c.ciphertext,
        instruments.c.key_version,
        instruments.c.network,
    )


def _follow_up() -> bytes:
    """Begin captures, reversals and refunds: find the approval, write the attempt.

    A payment that was drawn on a hold has its draw for an approval.
    """
    asked = rows_of(**_ASKED, approval_of=ID)
    approval = (
        sa.select(attempts.c.network, attempts.c.result, attempts.c.livemode)
        .where(
            attempts.c.payment_id == asked.c.approval_of,
            attempts.c.merchant_id == asked.c.merchant_id,
            attempts.c.operation.in_([word("authorise"), word(DRAW)]),
            attempts.c.outcome == word("approved"),
        )
        .order_by(attempts.c.id.desc())
        .limit(sa.literal_column("1"))
        .correlate(asked)
        .lateral("approval")
    )
    rows = asked.outerjoin(approval, sa.true())
    begun = _insert_begun(asked, approval.c.network, rows, approval.c.livemode == asked.c.livemode)
    return _answer(
        asked,
        begun,
        rows,
        approval.c.livemode,
        approval.c.network,
        approval.c.result.label("approval"),
    )


BEGIN_AUTHORISE = _authorise()
BEGIN_FOLLOW_UP = _follow_up()
