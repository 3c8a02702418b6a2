-- Times are milliseconds of business time unless said otherwise, ids 16 bytes.
CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    -- As it was written; null once the account is gone.
    email TEXT,
    -- What two addresses are compared by.
    email_key TEXT UNIQUE,
    email_verified_at BIGINT,
    username TEXT,
    username_key TEXT UNIQUE,
    name TEXT,
    locale TEXT,
    avatar_url TEXT,
    -- The roles as JSON.
    roles TEXT NOT NULL,
    status TEXT NOT NULL,
    suspended_for TEXT,
    deletion_due_at BIGINT,
    -- Argon2id as a PHC string; null once the account is gone.
    password TEXT,
    password_changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX users_by_status ON users (status, id);
CREATE INDEX users_to_delete ON users (deletion_due_at) WHERE deletion_due_at IS NOT NULL;

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id),
    device TEXT,
    address TEXT,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT,
    -- The refresh token that is good, and those that were traded within the grace, as JSON. A token itself is not here,
    -- nor a digest of it: it is these ids and a keyed digest of them.
    refresh BLOB NOT NULL,
    traded TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- What is sent by mail. As with refresh tokens, the token itself is not here.
CREATE TABLE one_time_tokens (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id),
    -- The address it proves.
    email TEXT,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX one_time_tokens_by_user ON one_time_tokens (user_id, kind);
CREATE INDEX one_time_tokens_by_end ON one_time_tokens (expires_at);

-- Wrong passwords, by account and by where they came from. The account is a digest of its address, so that those that
-- nobody has are counted too.
CREATE TABLE attempts (
    account BLOB NOT NULL,
    address TEXT NOT NULL,
    failures BIGINT NOT NULL,
    since BIGINT NOT NULL,
    locked_until BIGINT,
    PRIMARY KEY (account, address)
);
CREATE INDEX attempts_by_age ON attempts (since);

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of 256 random bits: nothing to guess.
    secret BLOB NOT NULL,
    roles TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Times of keys and revocations are seconds of the wall clock, as in tokens.
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The private key, sealed; null once it is retired.
    sealed BLOB,
    since BIGINT NOT NULL
);

CREATE TABLE revocations (
    id BLOB NOT NULL PRIMARY KEY,
    session TEXT,
    subject TEXT,
    issued_before BIGINT NOT NULL,
    until BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_end ON revocations (until);
CREATE INDEX revocations_by_age ON revocations (created_at);
