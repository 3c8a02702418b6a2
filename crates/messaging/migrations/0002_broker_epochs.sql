-- In which epoch a group's service was when it began: one that was restored has forgotten, and gets again what is kept.
ALTER TABLE partie_groups ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

-- In which epoch the log itself is, as far as what follows from it is done.
CREATE TABLE partie_epoch (
    name TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO partie_epoch (name, epoch) VALUES ('the-log', 0);
