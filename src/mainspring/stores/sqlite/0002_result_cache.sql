-- Results that may be used again. The key is a digest, so the table can be emptied at any time and nothing is wrong.

-- With a rowid: a row that takes another's place gets a new, higher one, so the lowest is the oldest.
CREATE TABLE cache (
    place INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX cache_expiry ON cache (expires_at);
