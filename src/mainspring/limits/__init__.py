"""Limits: what a node needs before it may start, and who of those that wait is next.

Pure: no clock, no I/O, no waiting; times are UTC milliseconds that the caller gives. Each limit is a small machine of its
own behind one protocol (`limit.py`): a pool of places, units, a token bucket, a pool that adapts. `fair.py` says who is
next at one of them, and `gate.py` admits a request by all that it needs, or by none.
"""
