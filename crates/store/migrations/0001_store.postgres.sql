-- Answers by idempotency key. A row without an answer is only ever seen by the transaction that works under the key.
CREATE TABLE partie_keys (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    status BIGINT,
    location TEXT,
    etag TEXT,
    link TEXT,
    body BLOB,
    PRIMARY KEY (scope, key)
);
CREATE INDEX partie_keys_age ON partie_keys (created_at);

-- What the store remembers of itself.
CREATE TABLE partie_meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

-- Which replica may do what only one may at a time. The epoch grows with each holder, and stands apart from what
-- changes with each renewal: transactions that are fenced lock its row, and renewals should not wait for them.
CREATE TABLE partie_epochs (
    name TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL
);
CREATE TABLE partie_leases (
    name TEXT PRIMARY KEY REFERENCES partie_epochs (name),
    epoch BIGINT NOT NULL,
    -- Of the server's clock.
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL
);
