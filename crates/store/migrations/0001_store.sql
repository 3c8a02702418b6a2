-- Answers by idempotency key. Ids grow with time: the oldest keys come first without an index for it.
CREATE TABLE partie_keys (
    id INTEGER PRIMARY KEY,
    hash BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    location TEXT,
    etag TEXT,
    link TEXT,
    body BLOB NOT NULL
);

-- Clients choose keys at random. An index over all of them would make every write dirty a page of its own; within a
-- bucket of 1,024 ids the pages are few, and a commit of many writes shares them. Which buckets to look into is known
-- from the filter in memory.
CREATE INDEX partie_keys_lookup ON partie_keys (id >> 10, hash);

-- What the store remembers of itself.
CREATE TABLE partie_meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
);
