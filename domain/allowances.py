"""Who is counted together: per merchant, mode and tier, never per key (contract-decisions)."""

from typing import NamedTuple
from uuid import UUID

from domain.callers import Caller
from domain.client_addresses import counted_as
from domain.rate_limits import HOUR_MS, Rules, rules_of, steady, window_only


class Allowance(NamedTuple):
    """The name of the bucket, that of the key's conduct, and the rules.

    The braces keep both names on one shard of a cluster.
    """

    bucket: str
    conduct: str
    rules: Rules


def of_caller(caller: Caller) -> Allowance:
    """What a known caller may do: a merchant's keys share a bucket, each has its conduct."""
    merchant = caller.merchant_id.hex
    if caller.kind == "oauth":
        client = "" if caller.client_id is None else caller.client_id.hex
        mode = "live" if caller.livemode else "test"
        name = f"{{{merchant}}}:oauth:{mode}:{client}"
        rules = rules_of("oauth", caller.rate_limit_multiplier)
        return Allowance(f"limit:{name}", f"conduct:{name}", rules)
    tier = "platform" if caller.kind == "platform" else "live" if caller.livemode else "test"
    return Allowance(
        f"limit:{{{merchant}}}:{tier}",
        f"conduct:{{{merchant}}}:{caller.key_id.hex}",
        rules_of(tier, caller.rate_limit_multiplier),
    )


def mark_of(caller: Caller, key: UUID) -> str:
    """The name under which an idempotency key of this merchant and mode is known as seen."""
    return f"seen:{{{caller.merchant_id.hex}}}:{caller.livemode:d}:{key.hex}"


def of_stray_key(caller: Caller, address: str) -> Allowance:
    """A key shown where its allowlist does not admit it: neither its merchant nor the key pays.

    Without a daily count, so that what changing addresses leave behind is soon forgotten.
    """
    known = of_caller(caller)
    place = counted_as(address)
    rules = known.rules._replace(per_day=0, overuse=0)
    return Allowance(f"{known.bucket}:{place}", f"{known.conduct}:{place}", rules)


def of_publishable_key(key: str, address: str, multiplier: int) -> Allowance:
    """A payer's device: anybody can read the key in a page, so each address counts alone."""
    name = f"{{{key}}}:{counted_as(address)}"
    return Allowance(f"limit:{name}", f"conduct:{name}", rules_of("publishable", multiplier))


def of_visitor(address: str, per_minute: int) -> Allowance:
    """Somebody who shows no key."""
    name = f"{{{counted_as(address)}}}"
    return Allowance(f"limit:{name}:public", f"conduct:{name}", steady(per_minute))


def of_newcomer(address: str, per_hour: int) -> Allowance:
    """Somebody who opens sandbox accounts."""
    name = f"{{{counted_as(address)}}}"
    return Allowance(f"limit:{name}:accounts", f"conduct:{name}", window_only(per_hour, HOUR_MS))
