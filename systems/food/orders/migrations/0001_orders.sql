-- Orders, and what happened to them. Times are milliseconds since the Unix epoch, ids 16 bytes; lines, total, places,
-- contacts and drivers are JSON, for they are only read back whole.
CREATE TABLE orders (
    id BLOB PRIMARY KEY,
    customer TEXT NOT NULL,
    -- What the customer sees. It differs from the stage while a wish to cancel is open.
    status TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT,
    restaurant_id BLOB NOT NULL,
    restaurant_name TEXT NOT NULL,
    lines TEXT NOT NULL,
    total TEXT NOT NULL,
    pick_up TEXT NOT NULL,
    drop_off TEXT NOT NULL,
    contact TEXT NOT NULL,
    assignment TEXT NOT NULL,
    ready_by BIGINT,
    driver TEXT,
    eta BIGINT,
    placed_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- A customer's orders, newest first: ids follow time.
CREATE INDEX orders_by_customer ON orders (customer, id);

CREATE TABLE order_history (
    order_id BLOB NOT NULL REFERENCES orders (id),
    sequence BIGINT NOT NULL,
    event TEXT NOT NULL,
    at BIGINT NOT NULL,
    status TEXT NOT NULL,
    -- What the order's stream says, as JSON.
    data TEXT NOT NULL,
    PRIMARY KEY (order_id, sequence)
);
