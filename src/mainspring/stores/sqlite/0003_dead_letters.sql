-- What was given up, and waits for somebody to decide about it. Listed in the order in which it came, by the place.
CREATE TABLE dead_letter (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    instance INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    path TEXT NOT NULL,
    run INTEGER NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL
);

-- What limits have to remember through a restart, such as the state of a circuit breaker. There are few, and small.
CREATE TABLE limit_state (key TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
