-- Drivers, deliveries, and the offers between them. Times are milliseconds since the Unix epoch, ids 16 bytes; places
-- are JSON, for they are only read back whole.
CREATE TABLE drivers (
    id BLOB PRIMARY KEY,
    -- Whose token is the driver's.
    subject TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    available_until BIGINT,
    load BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    -- The last action of the driver.
    heard_at BIGINT NOT NULL,
    -- The last known place, its number and time, and when a place was last kept in the history.
    place TEXT,
    place_seq BIGINT NOT NULL,
    place_at BIGINT,
    kept_at BIGINT,
    version BIGINT NOT NULL,
    CHECK (load BETWEEN 0 AND capacity)
);

CREATE INDEX drivers_by_status ON drivers (status, heard_at);

-- Where drivers were, thinned out.
CREATE TABLE driver_places (
    driver_id BLOB NOT NULL REFERENCES drivers (id),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    place TEXT NOT NULL,
    suspect BOOLEAN NOT NULL,
    PRIMARY KEY (driver_id, seq)
);

CREATE INDEX driver_places_by_age ON driver_places (at);

CREATE TABLE offers (
    id BLOB PRIMARY KEY,
    driver_id BLOB NOT NULL REFERENCES drivers (id),
    status TEXT NOT NULL,
    -- Fences answers: a later offer has a greater one.
    token BIGINT NOT NULL UNIQUE,
    restaurant_id BLOB NOT NULL,
    pick_up TEXT NOT NULL,
    -- The bundle in its sequence, as JSON.
    deliveries TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When the driver would be free again.
    ends_at BIGINT NOT NULL
);

-- No driver has two offers to answer.
CREATE UNIQUE INDEX one_open_offer ON offers (driver_id) WHERE status = 'open';
CREATE INDEX open_offers_by_expiry ON offers (expires_at) WHERE status = 'open';

CREATE TABLE deliveries (
    id BLOB PRIMARY KEY,
    order_id BLOB NOT NULL UNIQUE,
    restaurant_id BLOB NOT NULL,
    status TEXT NOT NULL,
    -- Who makes it, or made it.
    driver_id BLOB REFERENCES drivers (id),
    -- The offer that waits, or was taken.
    offer_id BLOB REFERENCES offers (id),
    pick_up TEXT NOT NULL,
    drop_off TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    ready_at BIGINT NOT NULL,
    -- Whether the food is ready only once the kitchen says so.
    is_promise BOOLEAN NOT NULL,
    search_until BIGINT NOT NULL,
    assigned_at BIGINT,
    picked_up_at BIGINT,
    delivered_at BIGINT,
    eta BIGINT,
    -- Why it failed, as JSON.
    failure TEXT,
    version BIGINT NOT NULL
);

CREATE INDEX searching_by_age ON deliveries (placed_at, id) WHERE status = 'searching';
CREATE INDEX searching_by_end ON deliveries (search_until) WHERE status = 'searching';
CREATE INDEX deliveries_by_placing ON deliveries (placed_at);
CREATE INDEX deliveries_by_delivery ON deliveries (delivered_at) WHERE delivered_at IS NOT NULL;

-- Who carries what, in which sequence.
CREATE TABLE assignments (
    offer_id BLOB NOT NULL REFERENCES offers (id),
    delivery_id BLOB NOT NULL REFERENCES deliveries (id),
    driver_id BLOB NOT NULL REFERENCES drivers (id),
    position BIGINT NOT NULL,
    assigned_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (offer_id, delivery_id)
);

-- No delivery is carried by two.
CREATE UNIQUE INDEX one_live_assignment ON assignments (delivery_id) WHERE ended_at IS NULL;
CREATE INDEX live_assignments_by_driver ON assignments (driver_id) WHERE ended_at IS NULL;

-- Who is not asked again: the driver declined, let the offer lapse, or gave the delivery up.
CREATE TABLE exclusions (
    delivery_id BLOB NOT NULL REFERENCES deliveries (id),
    driver_id BLOB NOT NULL REFERENCES drivers (id),
    PRIMARY KEY (delivery_id, driver_id)
);

-- Orders whose food is ready, as their kitchens said.
CREATE TABLE ready_orders (
    order_id BLOB PRIMARY KEY,
    ready_at BIGINT NOT NULL
);

-- Orders that were cancelled before their delivery was asked for.
CREATE TABLE cancelled_orders (
    order_id BLOB PRIMARY KEY,
    cancelled_at BIGINT NOT NULL
);
