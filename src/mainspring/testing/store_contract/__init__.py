"""The contract that every store keeps, as a pytest suite: subclass `StoreContract` and say how to make your store.

    from mainspring.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def new_store(self, tmp_path):
            count = itertools.count()
            return lambda: MyStore(tmp_path / f"{next(count)}.db")      # a new, empty store at each call

        def again(self, store):
            return MyStore(store.path)                                 # another handle on what this one keeps

A store that several sessions share (`store.shared`) is tested by `SharedStoreContract` instead, in the same way. A store that
forgets when it is closed says `durable = False` and need not override `again`. The tests
ask for behaviour through the protocol alone, so they run on any store; what a test needs to know of time it says itself.
"""

from __future__ import annotations

import pytest

_PARTS = (
    "alone",
    "cache",
    "claim",
    "commit",
    "definitions",
    "follow",
    "inbox",
    "letters",
    "limits",
    "outbox",
    "ownership",
    "reading",
    "retention",
    "shared",
    "snapshots",
    "together",
)
pytest.register_assert_rewrite(*[f"{__name__}.{part}" for part in (*_PARTS, "histories", "reopening")])

from mainspring.testing.store_contract.alone import AloneContract  # noqa: E402
from mainspring.testing.store_contract.cache import CacheContract  # noqa: E402
from mainspring.testing.store_contract.claim import ClaimContract  # noqa: E402
from mainspring.testing.store_contract.commit import CommitContract  # noqa: E402
from mainspring.testing.store_contract.definitions import DefinitionsContract  # noqa: E402
from mainspring.testing.store_contract.follow import FollowContract  # noqa: E402
from mainspring.testing.store_contract.histories import HistoriesContract  # noqa: E402
from mainspring.testing.store_contract.inbox import InboxContract  # noqa: E402
from mainspring.testing.store_contract.letters import LettersContract  # noqa: E402
from mainspring.testing.store_contract.limits import LimitsContract  # noqa: E402
from mainspring.testing.store_contract.outbox import OutboxContract  # noqa: E402
from mainspring.testing.store_contract.ownership import OwnershipContract  # noqa: E402
from mainspring.testing.store_contract.reading import ReadingContract  # noqa: E402
from mainspring.testing.store_contract.reopening import ReopeningContract  # noqa: E402
from mainspring.testing.store_contract.retention import RetentionContract  # noqa: E402
from mainspring.testing.store_contract.shared import SharedContract  # noqa: E402
from mainspring.testing.store_contract.snapshots import SnapshotsContract  # noqa: E402
from mainspring.testing.store_contract.together import TogetherContract  # noqa: E402

__all__ = ["SharedStoreContract", "StoreContract"]


class _EveryStore(
    OwnershipContract,
    CommitContract,
    SnapshotsContract,
    ClaimContract,
    InboxContract,
    OutboxContract,
    CacheContract,
    LettersContract,
    LimitsContract,
    RetentionContract,
    ReadingContract,
    FollowContract,
    DefinitionsContract,
    TogetherContract,
    ReopeningContract,
    HistoriesContract,
):
    """What holds for all of them."""


class StoreContract(_EveryStore, AloneContract):
    """All of it, for a store that one session has at a time."""


class SharedStoreContract(_EveryStore, SharedContract):
    """All of it, for a store that several sessions share."""
