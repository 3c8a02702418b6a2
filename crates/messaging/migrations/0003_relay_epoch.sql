-- In which epoch of the broker everything up to sent_to is on its disk. A broker that was restored is in another one.
ALTER TABLE partie_relay ADD COLUMN broker_epoch BIGINT NOT NULL DEFAULT 0;
