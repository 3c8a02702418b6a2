-- E-mail has a subject, and what only the recipient may read is kept apart until it is sent.
ALTER TABLE notifications ADD COLUMN subject TEXT;
-- What is really said, as JSON, where that is more than what is shown; forgotten when it is sent.
ALTER TABLE notifications ADD COLUMN said TEXT;

-- The endpoints of webhooks.
CREATE TABLE webhooks (
    id BLOB PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    -- Signs too, until then: the receiver gets to know the new one meanwhile.
    previous_secret TEXT,
    previous_until BIGINT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE UNIQUE INDEX webhooks_by_url ON webhooks (url);
