-- Notifications. Times are milliseconds since the Unix epoch, ids 16 bytes.
CREATE TABLE notifications (
    id BLOB PRIMARY KEY,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- How often it was put back in the queue. The job of an earlier round does nothing any more.
    round BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    version BIGINT NOT NULL
);

-- Nobody is told twice.
CREATE UNIQUE INDEX notifications_told_once ON notifications (recipient, template, dedupe_key);

-- Lists, newest first: ids follow time.
CREATE INDEX notifications_by_recipient ON notifications (recipient, id);
CREATE INDEX notifications_by_status ON notifications (status, id);
