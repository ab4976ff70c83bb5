"""Decides how often somebody may ask, in Valkey or, without it, in this process."""

from adapters.limiter.limiter import Limiter
from domain.allowances import Allowance

__all__ = ["Allowance", "Limiter"]
