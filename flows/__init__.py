"""One business operation, one function: load, decide, record."""
