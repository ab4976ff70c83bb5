"""Decides how often somebody may ask, in Valkey or, without it, in this process."""

from adapters.limiter.limiter import Limiter
from domain.limit_memory import Allowance

__all__ = ["Allowance", "Limiter"]
