//! What the databases of both hosts must hold when all is over: nothing lost, nothing doubled.

use std::path::Path;

use crate::process::{Result, capture, program};

/// Reads all databases at once and prints what breaks a rule. Its arguments are the databases, `--`, and the orders that
/// were answered with 201.
const SCRIPT: &str = r#"
import pathlib, sqlite3, sys
databases, answered = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
db = sqlite3.connect(":memory:")
for path in databases:
    db.execute("ATTACH ? AS " + pathlib.Path(path).stem, [path])
db.execute("CREATE TABLE answered (id TEXT PRIMARY KEY)")
db.executemany("INSERT INTO answered VALUES (?)", [[i.replace("-", "").upper()] for i in answered])
rules = {
    "an order that was answered is lost":
        "SELECT id FROM answered WHERE id NOT IN (SELECT hex(id) FROM orders.orders)",
    "there is an order that was not answered":
        "SELECT hex(id) FROM orders.orders WHERE hex(id) NOT IN (SELECT id FROM answered)",
    "an order is not completed":
        "SELECT hex(id) || ' ' || status FROM orders.orders WHERE status <> 'completed'",
    "something happened to an order twice":
        "SELECT hex(order_id) || ' ' || event FROM orders.order_history WHERE event LIKE 'order.%' GROUP BY order_id, event HAVING count(*) > 1",
    "an order has not exactly one ticket that was handed over":
        "SELECT hex(id) FROM orders.orders o WHERE (SELECT count(*) FROM restaurants.tickets t WHERE t.order_id = o.id AND t.status = 'handed_over') <> 1",
    "a ticket is of no order":
        "SELECT hex(id) FROM restaurants.tickets WHERE order_id NOT IN (SELECT id FROM orders.orders)",
    "an order has not exactly one delivery that was delivered":
        "SELECT hex(id) FROM orders.orders o WHERE (SELECT count(*) FROM delivery.deliveries d WHERE d.order_id = o.id AND d.status = 'delivered') <> 1",
    "a delivery is of no order":
        "SELECT hex(id) FROM delivery.deliveries WHERE order_id NOT IN (SELECT id FROM orders.orders)",
    "a notification is not sent":
        "SELECT hex(id) || ' ' || status FROM notifications.notifications WHERE status <> 'sent'",
    "not one key of the users signs":
        "SELECT n FROM (SELECT count(*) AS n FROM users.signing_keys WHERE state = 'active') WHERE n <> 1",
    "a private key of the users outlives its turn":
        "SELECT kid FROM users.signing_keys WHERE state = 'retired' AND sealed IS NOT NULL",
    "somebody who is gone is signed in":
        "SELECT hex(id) FROM users.sessions WHERE ended_at IS NULL AND user_id IN (SELECT id FROM users.users WHERE status = 'deleted')",
    "a key waits": "SELECT group_name || ' ' || error FROM broker.partie_stalls",
}
for service in ["orders", "restaurants", "delivery", "notifications", "users"]:
    rules["an event has not left " + service] = \
        f"SELECT type FROM {service}.partie_outbox WHERE position > (SELECT sent_to FROM {service}.partie_relay)"
    rules["a saga of " + service + " has not ended"] = \
        f"SELECT step || ' ' || phase FROM {service}.partie_sagas WHERE phase <> 'done' OR parked IS NOT NULL"
    rules["a job of " + service + " is not done"] = \
        f"SELECT kind || ' ' || state FROM {service}.partie_jobs WHERE state <> 'done'"
    rules["an event was not handled by " + service] = \
        f"SELECT g.name FROM broker.partie_log l JOIN broker.partie_groups g ON g.name = '{service}/' || l.type" \
        f" WHERE NOT EXISTS (SELECT 1 FROM {service}.partie_inbox i WHERE i.group_name = g.name AND i.event = l.id)"
for rule, sql in rules.items():
    for (what,) in db.execute(sql):
        print(f"{rule}: {what}")
events = db.execute("SELECT count(*) FROM broker.partie_log").fetchone()[0]
print(f"AUDITED {len(rules)} rules, {len(answered)} orders, {events} events")
"#;

/// The databases, and on which host they are.
const DATABASES: [&str; 6] =
    ["a/orders.db", "a/broker.db", "b/restaurants.db", "b/delivery.db", "b/notifications.db", "b/users.db"];

/// Reads them, and says what it has read.
pub(super) fn audit(data: &Path, answered: &[String]) -> Result<String> {
    let mut python = program("python3");
    python.args(["-c", SCRIPT]).args(DATABASES.map(|database| data.join(database)));
    let said = capture({
        python.arg("--").args(answered);
        python
    })?;
    match said.trim().strip_prefix("AUDITED ") {
        Some(summary) => Ok(summary.to_owned()),
        None => Err(format!("the databases are not as they must be:\n{}", said.trim())),
    }
}
