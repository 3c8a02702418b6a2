//! What the database must hold when all is over: nothing lost, nothing doubled, nothing left over.

use std::collections::BTreeMap;

use super::machine::Machine;
use crate::process::Result;

/// Where the database is.
const AT: &str = "machine-1";
const SERVICES: [&str; 5] = ["orders", "restaurants", "delivery", "notifications", "users"];
/// The end of what the database says.
const AUDITED: &str = "AUDITED ";

/// What must not be there. `answered` are the orders that were answered with 201.
const RULES: &[(&str, &str)] = &[
    (
        "an order that was answered is lost",
        "SELECT encode(id, 'hex') FROM answered WHERE id NOT IN (SELECT id FROM orders.orders)",
    ),
    (
        "an order was answered twice",
        "SELECT encode(id, 'hex') FROM answered GROUP BY id HAVING count(*) > 1",
    ),
    (
        "there is an order that was not answered",
        "SELECT encode(id, 'hex') FROM orders.orders WHERE id NOT IN (SELECT id FROM answered)",
    ),
    (
        "an order is not completed",
        "SELECT encode(id, 'hex') || ' ' || status FROM orders.orders WHERE status <> 'completed'",
    ),
    (
        "an order's history has a gap",
        "SELECT encode(order_id, 'hex') FROM orders.order_history GROUP BY order_id HAVING count(*) <> max(sequence)",
    ),
    (
        "something happened to an order twice",
        "SELECT encode(order_id, 'hex') || ' ' || event FROM orders.order_history WHERE event LIKE 'order.%'
         GROUP BY order_id, event HAVING count(*) > 1",
    ),
    (
        "an order has not exactly one ticket that was handed over",
        "SELECT encode(id, 'hex') FROM orders.orders o WHERE
         (SELECT count(*) FROM restaurants.tickets t WHERE t.order_id = o.id AND t.status = 'handed_over') <> 1",
    ),
    (
        "a ticket is of no order",
        "SELECT encode(id, 'hex') FROM restaurants.tickets WHERE order_id NOT IN (SELECT id FROM orders.orders)",
    ),
    (
        "an order has not exactly one delivery that was delivered",
        "SELECT encode(id, 'hex') FROM orders.orders o WHERE
         (SELECT count(*) FROM delivery.deliveries d WHERE d.order_id = o.id AND d.status = 'delivered') <> 1",
    ),
    (
        "a delivery is of no order",
        "SELECT encode(id, 'hex') FROM delivery.deliveries WHERE order_id NOT IN (SELECT id FROM orders.orders)",
    ),
    (
        "a delivery has two drivers at a time",
        "SELECT encode(a.delivery_id, 'hex') FROM delivery.assignments a JOIN delivery.assignments b
         ON b.delivery_id = a.delivery_id AND b.offer_id <> a.offer_id AND b.assigned_at >= a.assigned_at
         WHERE a.ended_at IS NULL OR b.assigned_at < a.ended_at",
    ),
    (
        "a notification is not sent",
        "SELECT encode(id, 'hex') || ' ' || status FROM notifications.notifications WHERE status <> 'sent'",
    ),
    (
        "not one key of the users signs",
        "SELECT n FROM (SELECT count(*) AS n FROM users.signing_keys WHERE state = 'active') AS keys WHERE n <> 1",
    ),
    (
        "a private key of the users outlives its turn",
        "SELECT kid FROM users.signing_keys WHERE state = 'retired' AND sealed IS NOT NULL",
    ),
    (
        "somebody who is gone is signed in",
        "SELECT encode(id, 'hex') FROM users.sessions WHERE ended_at IS NULL
         AND user_id IN (SELECT id FROM users.users WHERE status = 'deleted')",
    ),
];

/// What must not be there in the schema `{service}`.
const RULES_OF_EACH: &[(&str, &str)] = &[
    (
        "an event has not left {service}",
        "SELECT type FROM {service}.partie_outbox WHERE position > (SELECT sent_to FROM {service}.partie_relay)
         OR position IN (SELECT position FROM {service}.partie_refused)",
    ),
    (
        "a saga of {service} has not ended",
        "SELECT step || ' ' || phase FROM {service}.partie_sagas WHERE phase <> 'done' OR parked IS NOT NULL",
    ),
    (
        "a job of {service} is not done",
        "SELECT kind || ' ' || state FROM {service}.partie_jobs WHERE state <> 'done'",
    ),
    ("a timer of {service} is set", "SELECT kind || ' ' || key FROM {service}.partie_timers"),
    ("a key waits in {service}", "SELECT group_name || ' ' || error FROM {service}.partie_log_stalls"),
    ("an event is held back in {service}", "SELECT group_name || ' ' || key FROM {service}.partie_log_held"),
    (
        "an event was not handled by {service}",
        "SELECT g.name || ' ' || encode(e.id, 'hex') FROM events e JOIN {service}.partie_log_groups g
         ON g.name = '{service}/' || e.type WHERE NOT EXISTS
         (SELECT 1 FROM {service}.partie_inbox i WHERE i.group_name = g.name AND i.event = e.id)",
    ),
];

/// Reads the database, and says what was read.
pub(super) fn audit(machines: &mut BTreeMap<&str, Machine>, answered: &[String]) -> Result<String> {
    let mut rules: Vec<(String, String)> =
        RULES.iter().map(|(rule, sql)| ((*rule).to_owned(), (*sql).to_owned())).collect();
    for service in SERVICES {
        let of = |text: &str| text.replace("{service}", service);
        rules.extend(RULES_OF_EACH.iter().map(|(rule, sql)| (of(rule), of(sql))));
    }
    let machine = machines.get_mut(AT).ok_or("the database's machine is gone")?;
    let said = machine.ask(&format!(
        "sudo -u postgres psql -Atq -v ON_ERROR_STOP=1 food <<'END'\n{}\nEND",
        script(&rules, answered)
    ))?;
    let said: Vec<&str> = said.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    match said[..] {
        [last] if last.starts_with(AUDITED) => {
            let events = last.trim_start_matches(AUDITED);
            Ok(format!("{} rules, {} orders, {events} events", rules.len(), answered.len()))
        }
        _ => Err(format!("the databases are not as they must be:\n{}", said.join("\n"))),
    }
}

fn script(rules: &[(String, String)], answered: &[String]) -> String {
    let ids: Vec<String> = answered.iter().map(|id| format!("(decode('{id}', 'hex'))")).collect();
    let outboxes = SERVICES.map(|service| format!("SELECT id, type FROM {service}.partie_outbox"));
    let mut script = format!(
        "CREATE TEMP TABLE answered (id bytea);\nINSERT INTO answered VALUES {};\n\
         CREATE TEMP VIEW events AS {};\n",
        ids.join(", "),
        outboxes.join(" UNION ALL ")
    );
    for (rule, sql) in rules {
        script += &format!("SELECT '{}: ' || x.what FROM ({sql}) AS x (what);\n", rule.replace('\'', "''"));
    }
    script + "SELECT 'AUDITED ' || count(*) FROM events;"
}
