-- The first schema. Times are UTC milliseconds.

-- One row. A session that has ended has expires_at 0. `locked`: the holder also has the file lock beside the store, so
-- whoever gets that lock knows that this holder is gone (and not one before it).
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    locked INTEGER NOT NULL
);
INSERT INTO lease VALUES (1, 0, '', 0, 0);

CREATE TABLE definition (
    version TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    body BLOB NOT NULL,
    folder TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE instance (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    open INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    key TEXT,
    parent TEXT,
    reason TEXT NOT NULL,
    owner INTEGER NOT NULL,
    wake_at INTEGER,
    -- The same invariant as the machine's: final is what has an end.
    CHECK (open = (ended_at IS NULL))
);
-- Only open instances are ever looked for by owner and time, and they are few beside the finished ones.
CREATE INDEX instance_due ON instance (owner, wake_at) WHERE open;

-- Keyed by small integers and clustered: one more unique index here would cost a factor of three in commits.
CREATE TABLE turn (
    instance INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (instance, seq)
) WITHOUT ROWID;

-- One row a commit: which turns it held. It gives all turns one order without an index on each of them.
-- Whoever deletes old groups keeps the last one: a position is never given twice.
CREATE TABLE commit_group (
    position INTEGER PRIMARY KEY,
    turns TEXT NOT NULL
);

-- A blob's row is large, so it lives in a table with a rowid: a clustered key would be copied up the tree.
CREATE TABLE blob (
    instance INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (instance, seq, ordinal)
);

CREATE TABLE snapshot (
    instance INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (instance, seq)
);

-- A consumed message stays, so that the same id posted again is known. Messages are taken in the order in which they
-- arrived, which times of a millisecond cannot tell.
CREATE TABLE inbox (
    arrival INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    instance INTEGER NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    consumed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX inbox_waiting ON inbox (instance) WHERE NOT consumed;

-- Sent in the order in which it was committed. AUTOINCREMENT: what is sent is deleted, and its number must not come again.
CREATE TABLE outbox (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    instance INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('instance', 1);
