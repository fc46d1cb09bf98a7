"""A leased queue: a message that is taken is invisible until it is acknowledged, and comes back if it never is.

A data structure and nothing else. It holds no clock, no thread and no callback: each verb is told the time, and an expired
lease is found by the next checkout. A verb that cannot do what it is asked answers `Refused`, which is false and says why.
"""

from mainspring.queue.bounds import inbox_capacity
from mainspring.queue.dead_letters import DeadLetters
from mainspring.queue.leases import LeasedQueue
from mainspring.queue.records import DeadLetter, Lease, Message, QueueSnapshot, Refused, Settled, Token

__all__ = [
    "DeadLetter",
    "DeadLetters",
    "Lease",
    "LeasedQueue",
    "Message",
    "QueueSnapshot",
    "Refused",
    "Settled",
    "Token",
    "inbox_capacity",
]
