CREATE TABLE items (name TEXT PRIMARY KEY, left_over BIGINT NOT NULL, views BIGINT NOT NULL DEFAULT 0);
INSERT INTO items (name, left_over) VALUES ('soup', 1000000);
