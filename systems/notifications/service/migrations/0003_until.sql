-- Until when it is worth sending, and when that was over before it was sent.
ALTER TABLE notifications ADD COLUMN send_until BIGINT;
ALTER TABLE notifications ADD COLUMN expired_at BIGINT;
