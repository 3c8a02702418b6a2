-- What a service has to say: one row an event, in the transaction of its state.
-- Positions grow for good: the last row is never removed.
CREATE TABLE partie_outbox (
    position INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The whole CloudEvent, as it goes to the broker.
    body TEXT NOT NULL,
    -- Wall clock, seconds: how long it has been waiting has nothing to do with business time.
    queued_at BIGINT NOT NULL DEFAULT (unixepoch())
);

-- How far the relay is: everything up to here is on the broker's disk, except for what was refused.
CREATE TABLE partie_relay (
    name TEXT PRIMARY KEY,
    sent_to BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO partie_relay (name, sent_to) VALUES ('the-outbox', 0);

-- What the broker has refused, and what waits behind it.
CREATE TABLE partie_refused (
    subject TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (subject, position)
) WITHOUT ROWID;

-- The last sequence of each subject. It outlives the rows of the outbox.
CREATE TABLE partie_sequences (
    subject TEXT PRIMARY KEY,
    last BIGINT NOT NULL
) WITHOUT ROWID;

-- What a group has handled.
CREATE TABLE partie_inbox (
    group_name TEXT NOT NULL,
    event BLOB NOT NULL,
    handled_at BIGINT NOT NULL,
    PRIMARY KEY (group_name, event)
) WITHOUT ROWID;
CREATE INDEX partie_inbox_age ON partie_inbox (handled_at);

CREATE TABLE partie_timers (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Another one each time the timer is set.
    id BLOB NOT NULL,
    due_at BIGINT NOT NULL,
    data TEXT NOT NULL,
    -- The story it belongs to, as JSON.
    cause TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    parked_at BIGINT,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX partie_timers_due ON partie_timers (due_at, id) WHERE attempts = 0;
CREATE INDEX partie_timers_failed ON partie_timers (id) WHERE attempts > 0;

CREATE TABLE partie_jobs (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    cause TEXT NOT NULL,
    -- queued | running | done | dead
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    enqueued_at BIGINT NOT NULL,
    finished_at BIGINT
) WITHOUT ROWID;
CREATE INDEX partie_jobs_open ON partie_jobs (id) WHERE state IN ('queued', 'running');
CREATE INDEX partie_jobs_fresh ON partie_jobs (id) WHERE state = 'queued' AND attempts = 0;
CREATE INDEX partie_jobs_dead ON partie_jobs (id) WHERE state = 'dead';
CREATE INDEX partie_jobs_done ON partie_jobs (finished_at) WHERE state = 'done';

CREATE TABLE partie_sagas (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    -- Of the definition.
    version BIGINT NOT NULL,
    -- starting | running | waiting | compensating | done | failed
    phase TEXT NOT NULL,
    step TEXT NOT NULL,
    iteration BIGINT NOT NULL,
    -- When the step was entered, until something has come of it; then it stands in the history.
    entered_at BIGINT,
    -- The latest error there.
    detail TEXT,
    -- The place in the definition of the furthest step that was entered: those behind it were not.
    furthest BIGINT NOT NULL,
    -- Counts the transitions; a timer or an answer meant for an earlier one does nothing.
    revision BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    past_pivot BOOLEAN NOT NULL,
    data TEXT NOT NULL,
    failure TEXT,
    -- Why it stands still until somebody helps.
    parked TEXT,
    next_at BIGINT,
    cause TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX partie_sagas_open ON partie_sagas (id) WHERE phase NOT IN ('done', 'failed');

-- One row for each time something came of a step.
CREATE TABLE partie_saga_history (
    saga BLOB NOT NULL,
    -- The revision at which the step was entered.
    entry BIGINT NOT NULL,
    step TEXT NOT NULL,
    iteration BIGINT NOT NULL,
    -- done | refused | unknown | abandoned | undone
    state TEXT NOT NULL,
    entered_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    detail TEXT,
    PRIMARY KEY (saga, entry)
) WITHOUT ROWID;

-- What event handlers and operations tell a saga; kept until it gets to the step that wants it.
CREATE TABLE partie_saga_signals (
    position INTEGER PRIMARY KEY,
    saga BLOB NOT NULL,
    -- NULL asks for compensation.
    step TEXT,
    body TEXT NOT NULL,
    cause TEXT NOT NULL
);
CREATE INDEX partie_saga_signals_of ON partie_saga_signals (saga, position);

-- The other side: commands of sagas that this service has carried out, and those it must not carry out any more.
CREATE TABLE partie_commands (
    id TEXT PRIMARY KEY,
    -- done | compensated
    state TEXT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
