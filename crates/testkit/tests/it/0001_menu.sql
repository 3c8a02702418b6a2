-- Dishes. Ids follow time.
CREATE TABLE dishes (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    price BIGINT NOT NULL,
    version BIGINT NOT NULL
);
