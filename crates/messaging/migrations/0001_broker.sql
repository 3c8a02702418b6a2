-- Every message, in the order of the commits. Positions grow for good: the last row is never removed.
CREATE TABLE partie_log (
    position INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    logged_at BIGINT NOT NULL
);

CREATE TABLE partie_groups (
    name TEXT PRIMARY KEY,
    -- Everything up to here is settled, or stands in partie_held.
    settled BIGINT NOT NULL
) WITHOUT ROWID;

-- Messages of keys that failed: they wait while the rest of the group goes on.
CREATE TABLE partie_held (
    group_name TEXT NOT NULL,
    position BIGINT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (group_name, position)
) WITHOUT ROWID;
CREATE INDEX partie_held_key ON partie_held (group_name, key, position);
CREATE INDEX partie_held_position ON partie_held (position);

-- Keys that failed, and how often.
CREATE TABLE partie_stalls (
    group_name TEXT NOT NULL,
    key TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT NOT NULL,
    parked_at BIGINT,
    PRIMARY KEY (group_name, key)
) WITHOUT ROWID;

-- Messages that somebody decided never to deliver to a group.
CREATE TABLE partie_skips (
    group_name TEXT NOT NULL,
    event BLOB NOT NULL,
    key TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    skipped_at BIGINT NOT NULL,
    PRIMARY KEY (group_name, event)
) WITHOUT ROWID;
