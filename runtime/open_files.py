"""How many files, and so connections, this process may have open at once."""

import resource

# The databases' connections, listening sockets, the private door, files: some 60 in all.
KEPT_FOR_OURSELVES = 256


def connections_borne(wanted: int) -> int:
    """Allow this process `wanted` connections besides its own files, as far as may be.

    Many systems allow 1024 files until more is asked for.  A process without one to spare
    accepts nobody and cannot reach its database again, so who may not have all that it wants
    is to close connections before.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + KEPT_FOR_OURSELVES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    # At least half for clients where there is hardly anything.
    return min(wanted, max(allowed - KEPT_FOR_OURSELVES, allowed // 2))
