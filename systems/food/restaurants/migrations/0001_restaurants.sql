-- Times are milliseconds of business time, ids 16 bytes, prices minor units of the restaurant's currency.
CREATE TABLE restaurants (
    id BLOB NOT NULL PRIMARY KEY,
    -- The tutorial's small number; only demo restaurants have one.
    number BIGINT UNIQUE,
    -- The subject of the owner's token.
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    cuisine TEXT NOT NULL,
    -- The cuisine in lower case, to filter by.
    cuisine_key TEXT NOT NULL,
    emoji TEXT NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    lon DOUBLE PRECISION NOT NULL,
    -- The weekly hours as JSON.
    hours TEXT NOT NULL,
    paused BOOLEAN NOT NULL,
    -- Until resumed if null.
    paused_until BIGINT,
    -- Everywhere if null.
    zone_metres BIGINT,
    currency TEXT NOT NULL,
    minimum BIGINT,
    -- Without limit if null.
    capacity BIGINT,
    prep_minutes BIGINT NOT NULL,
    menu_version BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX restaurants_by_name ON restaurants (name, id);
CREATE INDEX restaurants_by_cuisine ON restaurants (cuisine_key, name, id);
CREATE INDEX restaurants_by_latitude ON restaurants (lat, lon);

CREATE TABLE items (
    id BLOB NOT NULL PRIMARY KEY,
    restaurant_id BLOB NOT NULL REFERENCES restaurants (id),
    -- The place on the menu, from 1.
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    price BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    sold_out BOOLEAN NOT NULL,
    -- When a sold-out item is back; until said otherwise if null.
    back_at BIGINT,
    -- Not counted if null.
    portions BIGINT CHECK (portions >= 0),
    UNIQUE (restaurant_id, number)
);

CREATE TABLE tickets (
    id BLOB NOT NULL PRIMARY KEY,
    -- One ticket an order, for good.
    order_id BLOB NOT NULL UNIQUE,
    restaurant_id BLOB NOT NULL REFERENCES restaurants (id),
    -- The restaurant's owner, who asks for all tickets at once.
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    -- What to cook, as JSON.
    lines TEXT NOT NULL,
    -- The portions that come back if it is not cooked, as JSON.
    held TEXT NOT NULL,
    accept_by BIGINT NOT NULL,
    ready_by BIGINT,
    ready_at BIGINT,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
-- What counts against the capacity of a kitchen, and what kitchens look at all day: few among many. (SQLite would make
-- a table to look each status up in, were they written as a list.)
CREATE INDEX tickets_under_way ON tickets (restaurant_id, status, created_at, id)
    WHERE status = 'awaiting_acceptance' OR status = 'accepted' OR status = 'preparing' OR status = 'ready';
CREATE INDEX tickets_under_way_by_owner ON tickets (owner, status, created_at, id)
    WHERE status = 'awaiting_acceptance' OR status = 'accepted' OR status = 'preparing' OR status = 'ready';
CREATE INDEX tickets_by_age ON tickets (created_at, id);
CREATE INDEX tickets_by_owner ON tickets (owner, created_at, id);
CREATE INDEX tickets_by_restaurant ON tickets (restaurant_id, created_at, id);

-- Orders whose cancellation overtook their ticket: the ticket is refused when it comes.
CREATE TABLE cancelled_orders (
    order_id BLOB NOT NULL PRIMARY KEY,
    cancelled_at BIGINT NOT NULL
);
