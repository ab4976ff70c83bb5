"""Decides how often somebody may ask, in Valkey or, without it, in this process."""

from adapters.limiter.limiter import Admitted, Limiter
from domain.allowances import Allowance

__all__ = ["Admitted", "Allowance", "Limiter"]
