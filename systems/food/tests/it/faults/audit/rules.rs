//! The rules. Each selects what breaks it; `{service}` stands for every service's store.

/// Nothing is left to do.
pub(super) const FINISHED: [(&str, &str); 14] = [
    (
        "every order has ended",
        "SELECT hex(id) || ' ' || status FROM orders.orders
         WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'returned')",
    ),
    (
        "every ticket has ended",
        "SELECT hex(id) || ' ' || status FROM restaurants.tickets
         WHERE status NOT IN ('handed_over', 'declined', 'expired', 'cancelled')",
    ),
    (
        "every delivery has ended",
        "SELECT hex(id) || ' ' || status FROM delivery.deliveries
         WHERE status NOT IN ('delivered', 'returned', 'cancelled', 'unassigned_timeout')",
    ),
    ("no offer waits", "SELECT hex(id) FROM delivery.offers WHERE status = 'open'"),
    (
        "nobody is waited for who may be lost yet",
        "SELECT subject || ' ' || status FROM delivery.drivers WHERE status NOT IN ('offline', 'on_break')",
    ),
    (
        "every notification is sent",
        "SELECT hex(id) || ' ' || status FROM notifications.notifications WHERE status <> 'sent'",
    ),
    (
        "every saga has ended",
        "SELECT hex(id) || ' ' || step || ' ' || phase || ' ' || coalesce(parked, '')
         FROM {service}.partie_sagas WHERE phase NOT IN ('done', 'failed') OR parked IS NOT NULL",
    ),
    ("every word to a saga was heard", "SELECT hex(saga) || ' ' || body FROM {service}.partie_saga_signals"),
    ("no timer is set", "SELECT kind || ' ' || key || ' ' || coalesce(error, '') FROM {service}.partie_timers"),
    (
        "every job is done",
        "SELECT kind || ' ' || state || ' ' || coalesce(error, '') FROM {service}.partie_jobs WHERE state <> 'done'",
    ),
    (
        "every event has left",
        "SELECT type || ' ' || subject FROM {service}.partie_outbox
         WHERE position > (SELECT sent_to FROM {service}.partie_relay)
            OR position IN (SELECT position FROM {service}.partie_refused)",
    ),
    (
        "every event was handled by all who hear of it",
        "SELECT g.name || ' ' || hex(l.id) FROM broker.partie_log l JOIN broker.partie_groups g
             ON g.name = '{service}/' || l.type
         WHERE NOT EXISTS (SELECT 1 FROM {service}.partie_inbox i WHERE i.group_name = g.name AND i.event = l.id)",
    ),
    ("no key waits", "SELECT group_name || ' ' || key || ' ' || error FROM broker.partie_stalls"),
    ("no event is held back", "SELECT group_name || ' ' || key FROM broker.partie_held"),
];

/// Everything that happened, happened once and in order.
pub(super) const KEPT: [(&str, &str); 28] = [
    (
        "every order that was answered is there",
        "SELECT hex(id) FROM answered WHERE id NOT IN (SELECT id FROM orders.orders)",
    ),
    (
        "no order is there that was not answered",
        "SELECT hex(id) FROM orders.orders WHERE id NOT IN (SELECT id FROM answered)",
    ),
    ("an order stands where it is", "SELECT hex(id) FROM orders.orders WHERE status <> stage"),
    (
        "an order's history has no gap",
        "SELECT hex(id) FROM orders.orders o WHERE
         (SELECT count(*) FROM orders.order_history WHERE order_id = o.id)
         IS NOT (SELECT max(sequence) FROM orders.order_history WHERE order_id = o.id)",
    ),
    (
        "an order's history begins with its placing and ends where it stands",
        "SELECT hex(h.order_id) FROM orders.order_history h JOIN orders.orders o ON o.id = h.order_id
         WHERE (h.sequence = 1 AND h.event <> 'order.placed')
         OR (h.status <> o.status AND h.sequence =
             (SELECT max(sequence) FROM orders.order_history WHERE order_id = h.order_id))",
    ),
    (
        "an order's history goes forward in time",
        "SELECT hex(h.order_id) || ' ' || h.sequence FROM orders.order_history h
         JOIN orders.order_history e ON e.order_id = h.order_id AND e.sequence = h.sequence - 1 WHERE h.at < e.at",
    ),
    (
        "nothing happens to an order twice",
        "SELECT hex(order_id) || ' ' || event FROM orders.order_history
         WHERE event LIKE 'order.%' AND event NOT LIKE 'order.cancel_re%'
         GROUP BY order_id, event HAVING count(*) > 1",
    ),
    (
        "what was delivered was cooked, picked up and delivered, in this order",
        "SELECT hex(id) FROM orders.orders o WHERE status = 'completed' AND
         (SELECT group_concat(event, ' ') FROM (SELECT event FROM orders.order_history h WHERE h.order_id = o.id
              AND event IN ('order.placed', 'order.confirmed', 'order.preparing', 'order.ready', 'order.picked_up',
                            'order.delivered', 'order.completed') ORDER BY sequence))
         <> 'order.placed order.confirmed order.preparing order.ready order.picked_up order.delivered order.completed'",
    ),
    (
        "an order ends as its delivery does",
        "SELECT hex(o.id) || ' ' || o.status || ' ' || coalesce(d.status, 'none') FROM orders.orders o
         LEFT JOIN delivery.deliveries d ON d.order_id = o.id
         WHERE CASE o.status WHEN 'completed' THEN d.status IS NOT 'delivered'
                             WHEN 'returned' THEN d.status IS NOT 'returned'
                             ELSE d.status NOT IN ('cancelled', 'unassigned_timeout') END",
    ),
    (
        "an order ends as its ticket does",
        "SELECT hex(o.id) || ' ' || o.status || ' ' || coalesce(t.status, 'none') FROM orders.orders o
         LEFT JOIN restaurants.tickets t ON t.order_id = o.id
         WHERE CASE WHEN o.status IN ('completed', 'returned') THEN t.status IS NOT 'handed_over'
                    ELSE t.status NOT IN ('declined', 'expired', 'cancelled') END",
    ),
    (
        "an order has an ending that fits its reason",
        "SELECT hex(id) || ' ' || status || ' ' || coalesce(reason, 'none') FROM orders.orders
         WHERE (status IN ('rejected', 'cancelled')) <> (reason IS NOT NULL)",
    ),
    (
        "a saga ends as its order does",
        "SELECT hex(s.id) || ' ' || s.phase || ' ' || o.status FROM orders.partie_sagas s
         JOIN orders.orders o ON o.id = s.id WHERE (s.phase = 'done') <> (o.status IN ('completed', 'returned'))",
    ),
    (
        "every order has a saga",
        "SELECT hex(id) FROM orders.orders WHERE id NOT IN (SELECT id FROM orders.partie_sagas)",
    ),
    (
        "no delivery has two drivers at a time",
        "SELECT hex(a.delivery_id) FROM delivery.assignments a JOIN delivery.assignments b
         ON b.delivery_id = a.delivery_id AND b.offer_id <> a.offer_id AND b.assigned_at >= a.assigned_at
         WHERE a.ended_at IS NULL OR b.assigned_at < a.ended_at",
    ),
    (
        "no driver has deliveries of two offers at a time",
        "SELECT hex(a.driver_id) || ' ' || hex(a.delivery_id) || ' ' || hex(b.delivery_id)
         FROM delivery.assignments a JOIN delivery.assignments b
         ON b.driver_id = a.driver_id AND b.offer_id <> a.offer_id AND b.assigned_at >= a.assigned_at
         WHERE a.ended_at IS NULL OR b.assigned_at < a.ended_at",
    ),
    (
        "no driver has more than it can carry",
        "SELECT hex(a.driver_id) FROM delivery.assignments a JOIN delivery.drivers d ON d.id = a.driver_id
         GROUP BY a.offer_id HAVING count(*) > d.capacity",
    ),
    ("no delivery is under way", "SELECT hex(delivery_id) FROM delivery.assignments WHERE ended_at IS NULL"),
    ("no driver is loaded", "SELECT subject || ' ' || load FROM delivery.drivers WHERE load <> 0"),
    (
        "what was delivered was assigned",
        "SELECT hex(id) FROM delivery.deliveries d WHERE status IN ('delivered', 'returned') AND NOT EXISTS
         (SELECT 1 FROM delivery.assignments a WHERE a.delivery_id = d.id AND a.driver_id = d.driver_id)",
    ),
    (
        "all of an accepted offer is assigned, and nothing else",
        "SELECT hex(o.id) || ' ' || o.status FROM delivery.offers o
         WHERE (SELECT count(*) FROM delivery.assignments a WHERE a.offer_id = o.id)
         <> CASE o.status WHEN 'accepted' THEN json_array_length(o.deliveries) ELSE 0 END",
    ),
    (
        "a delivery goes forward in time, and no food is picked up before it is ready",
        "SELECT hex(id) FROM delivery.deliveries
         WHERE picked_up_at < ready_at OR picked_up_at < assigned_at OR delivered_at < picked_up_at
         OR assigned_at < placed_at",
    ),
    (
        "nobody delivers what was not ordered",
        "SELECT hex(order_id) FROM delivery.deliveries WHERE order_id NOT IN (SELECT id FROM orders.orders)",
    ),
    (
        "nobody cooks what was not ordered",
        "SELECT hex(order_id) FROM restaurants.tickets WHERE order_id NOT IN (SELECT id FROM orders.orders)",
    ),
    (
        "customers hear of what happened to their orders",
        "SELECT hex(h.order_id) || ' ' || h.event FROM orders.order_history h
         WHERE h.event IN ('order.placed', 'order.confirmed', 'order.rejected', 'order.picked_up', 'order.delivered',
                           'order.cancelled')
         AND hex(h.order_id) || '/' || upper(h.event) NOT IN
             (SELECT replace(upper(dedupe_key), '-', '') FROM notifications.notifications)",
    ),
    (
        "customers hear of nothing else",
        "SELECT n.template || ' ' || n.dedupe_key FROM notifications.notifications n
         WHERE replace(upper(n.dedupe_key), '-', '') NOT IN
             (SELECT hex(order_id) || '/' || upper(event) FROM orders.order_history)",
    ),
    (
        "what left is what arrived",
        "SELECT hex(id) || ' ' || type FROM {service}.partie_outbox WHERE id NOT IN (SELECT id FROM broker.partie_log)",
    ),
    (
        "nothing arrived that did not leave",
        "SELECT hex(id) || ' ' || type FROM broker.partie_log WHERE id NOT IN
         (SELECT id FROM orders.partie_outbox UNION ALL SELECT id FROM restaurants.partie_outbox
          UNION ALL SELECT id FROM delivery.partie_outbox UNION ALL SELECT id FROM notifications.partie_outbox)",
    ),
    (
        "nobody publishes what is not declared",
        "SELECT hex(id) || ' ' || type FROM {service}.partie_outbox
         WHERE type NOT IN (SELECT type FROM declared WHERE service = '{service}')",
    ),
];
