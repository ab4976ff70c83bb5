"""What holds add to the rules of the books."""

from typing import Final

# What was set aside at first: without what was added later.
_HELD: Final = """(SELECT id, merchant_id, livemode, currency, amount_authorized - coalesce((
        SELECT sum(amount) FROM hold_top_ups WHERE hold_id = holds.id
            AND hold_top_ups.merchant_id = holds.merchant_id AND status = 'succeeded'
    ), 0)::bigint AS asked FROM holds WHERE amount_authorized > 0) AS held"""
# (kind, position, amount, rows) of every movement that is posted once for ever.
MOVED: Final = (
    ("hold", 0, "asked", _HELD),
    ("hold_top_up", 0, "amount", "hold_top_ups WHERE status = 'succeeded'"),
    ("hold_draw", 0, "amount", "hold_draws"),
    ("draw_loss", 0, "amount", "hold_draws WHERE lost_at IS NOT NULL"),
    (
        "hold_release",
        0,
        "amount_authorized - amount_drawn",
        "holds WHERE status IN ('released', 'expired') AND amount_drawn < amount_authorized",
    ),
)
RULES: Final = {
    "holds carry their draws": """
        WITH drawn AS (
            SELECT hold_id AS id, merchant_id, sum(amount) AS amount FROM hold_draws GROUP BY 1, 2
        )
        SELECT concat_ws(' ', 'hold', id) AS place, coalesce(drawn.amount, 0)::text AS expected,
            holds.amount_drawn::text AS found
        FROM holds LEFT JOIN drawn USING (id, merchant_id)
        WHERE coalesce(drawn.amount, 0) <> holds.amount_drawn ORDER BY 1 LIMIT 1""",
    "draws are payments of their holds": """
        WITH taken AS (
            SELECT id, merchant_id, livemode, hold_id, amount_captured AS amount, currency
            FROM payments WHERE hold_id IS NOT NULL
        ), drawn AS (
            SELECT hold_draws.id, hold_draws.merchant_id, hold_draws.livemode, hold_id,
                hold_draws.amount, holds.currency
            FROM hold_draws JOIN holds ON holds.id = hold_id
                AND holds.merchant_id = hold_draws.merchant_id
                AND holds.livemode = hold_draws.livemode
                AND holds.currency = hold_draws.currency
        )
        SELECT concat_ws(' ', 'payment', id) AS place,
            coalesce(concat_ws(' ', drawn.amount, drawn.currency, 'of', drawn.hold_id), '')
                AS expected,
            coalesce(concat_ws(' ', taken.amount, taken.currency, 'of', taken.hold_id), '')
                AS found
        FROM drawn FULL JOIN taken USING (id, merchant_id)
        WHERE (drawn.hold_id, drawn.amount, drawn.currency, drawn.livemode)
            IS DISTINCT FROM (taken.hold_id, taken.amount, taken.currency, taken.livemode)
        ORDER BY 1 LIMIT 1""",
}
