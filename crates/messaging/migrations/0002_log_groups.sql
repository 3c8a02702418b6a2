-- Groups that read the log of a vendor's broker: the vendor keeps messages, all else is kept here.
CREATE TABLE partie_log_groups (
    name TEXT PRIMARY KEY,
    -- Another one for each reader. What an earlier reader still has to say is not written.
    epoch BIGINT NOT NULL,
    -- Signs of life of the reader: one that is not heard of any more is replaced.
    beats BIGINT NOT NULL,
    is_read BOOLEAN NOT NULL
);

CREATE TABLE partie_log_positions (
    group_name TEXT NOT NULL,
    part BIGINT NOT NULL,
    -- Everything up to here is settled, or stands in partie_log_held.
    settled BIGINT NOT NULL,
    -- Added to the log's own positions: one that has lost its memory counts from the beginning again.
    base BIGINT NOT NULL,
    PRIMARY KEY (group_name, part)
);

-- Messages of keys that failed, taken out of the log: they wait while the rest of the group goes on.
CREATE TABLE partie_log_held (
    group_name TEXT NOT NULL,
    part BIGINT NOT NULL,
    position BIGINT NOT NULL,
    id BLOB NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (group_name, part, position)
);
CREATE INDEX partie_log_held_key ON partie_log_held (group_name, key, position);

-- Keys that failed, and how often.
CREATE TABLE partie_log_stalls (
    group_name TEXT NOT NULL,
    key TEXT NOT NULL,
    part BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT NOT NULL,
    parked_at BIGINT,
    PRIMARY KEY (group_name, key)
);

-- Messages that somebody decided never to deliver to a group.
CREATE TABLE partie_log_skips (
    group_name TEXT NOT NULL,
    event BLOB NOT NULL,
    key TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    skipped_at BIGINT NOT NULL,
    PRIMARY KEY (group_name, event)
);
