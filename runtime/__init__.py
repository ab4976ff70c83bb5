"""Process plumbing that knows no payment: ids, clocks, log lines, statements, frames.

Every house and folder may stand on it; it stands on none of them.
"""
