"""Background work: deliveries, refunds, unfinished payments, expiries, clocks, partitions.

Any number of worker processes may run; every piece of work is leased in the database, so
a worker that is lost is replaced by whoever comes next.
"""
