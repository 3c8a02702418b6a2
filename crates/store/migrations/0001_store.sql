-- Answers by idempotency key. Ids grow with time: the oldest keys come first without an index for it.
CREATE TABLE partie_keys (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    location TEXT,
    etag TEXT,
    link TEXT,
    body BLOB NOT NULL,
    UNIQUE (scope, key)
);

-- Takes space when a full disk is tried again.
CREATE TABLE partie_probe (
    id INTEGER PRIMARY KEY,
    pad BLOB NOT NULL
);
