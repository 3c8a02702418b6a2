//! Books of a system on PostgreSQL and NATS: everything is copied into tables of the same names and the same shape as the
//! embedded engines have, so that the same rules are asked of them.

use std::collections::BTreeMap;

use partie_testkit::Engines;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use super::{Books, STORES};

/// What the broker's log is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// The outboxes: what it should hold.
    AsPublished,
    /// The stream: what it does hold.
    AsKept,
}

/// A table, and of each column its name and whether it holds bytes.
type Tables = BTreeMap<(String, String), Vec<(String, bool)>>;

/// All tables of all services, in one transaction that sees one moment. Keys and their answers nobody asks for.
const TABLES: &str = "SELECT table_schema, table_name, column_name, data_type = 'bytea'
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_type = 'BASE TABLE' AND table_schema = ANY (ARRAY['orders', 'restaurants', 'delivery', 'notifications'])
    AND table_name NOT LIKE 'partie_keys%' ORDER BY 1, 2, ordinal_position";
/// What services keep of the broker, in the shape in which the embedded one keeps it for all of them.
const BROKER: &str = "CREATE TABLE broker.partie_log (id BLOB, type TEXT);
    CREATE TABLE broker.partie_groups (name TEXT);
    CREATE TABLE broker.partie_stalls (group_name TEXT, key TEXT, error TEXT);
    CREATE TABLE broker.partie_held (group_name TEXT, key TEXT);";
const OF_A_SERVICE: &str = "INSERT INTO broker.partie_groups SELECT name FROM {service}.partie_log_groups;
    INSERT INTO broker.partie_stalls SELECT group_name, key, error FROM {service}.partie_log_stalls;
    INSERT INTO broker.partie_held SELECT group_name, key FROM {service}.partie_log_held;";
const PUBLISHED: &str = "INSERT INTO broker.partie_log SELECT id, type FROM {service}.partie_outbox;";

pub(super) fn books(engines: &Engines, log: Log) -> Books {
    let all = Connection::open_in_memory().unwrap();
    for store in STORES {
        all.execute(&format!("ATTACH ':memory:' AS {store}"), []).unwrap();
    }
    let tables = tables(&engines.sql(TABLES));
    for ((schema, table), columns) in &tables {
        let names: Vec<_> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        all.execute(&format!("CREATE TABLE {schema}.{table} ({})", names.join(", ")), []).unwrap();
    }
    let selects: String = tables
        .keys()
        .map(|(schema, table)| {
            format!("SELECT json_build_array('{schema}', '{table}', to_json(r)) FROM {schema}.{table} r;\n")
        })
        .collect();
    let rows = engines.sql(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{selects}COMMIT;"));
    all.execute_batch("BEGIN").unwrap();
    for row in rows.lines() {
        copy(&all, &tables, row);
    }
    all.execute_batch(BROKER).unwrap();
    // A process that died early has left no table.
    let is_there = |service: &str| tables.contains_key(&(service.to_owned(), "partie_log_groups".to_owned()));
    for service in STORES[..4].iter().filter(|service| is_there(service)) {
        let published = if log == Log::AsPublished { PUBLISHED } else { "" };
        all.execute_batch(&format!("{OF_A_SERVICE}{published}").replace("{service}", service)).unwrap();
    }
    if log == Log::AsKept {
        for (id, type_name) in engines.published() {
            all.execute("INSERT INTO broker.partie_log VALUES (?1, ?2)", (id.as_slice(), type_name)).unwrap();
        }
    }
    all.execute_batch("COMMIT").unwrap();
    Books(all)
}

fn tables(listed: &str) -> Tables {
    let mut tables = Tables::new();
    for line in listed.lines() {
        let [schema, table, column, is_bytes] = line.split('|').collect::<Vec<_>>()[..] else {
            panic!("{line} is no column")
        };
        let columns = tables.entry((schema.to_owned(), table.to_owned())).or_default();
        columns.push((column.to_owned(), is_bytes == "t"));
    }
    tables
}

fn copy(to: &Connection, tables: &Tables, row: &str) {
    let (schema, table, row): (String, String, serde_json::Map<String, Value>) =
        serde_json::from_str(row).unwrap_or_else(|error| panic!("{error}: {row}"));
    let key = (schema, table);
    let cells = tables[&key].iter().map(|(column, is_bytes)| cell(&row[column], *is_bytes));
    let places = vec!["?"; tables[&key].len()].join(", ");
    let (schema, table) = key;
    let mut insert = to.prepare_cached(&format!("INSERT INTO {schema}.{table} VALUES ({places})")).unwrap();
    insert.execute(params_from_iter(cells)).unwrap();
}

fn cell(value: &Value, is_bytes: bool) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(yes) => Cell::Integer(i64::from(*yes)),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Cell::Real(number.as_f64().expect("a number")), Cell::Integer)
        }
        Value::String(text) if is_bytes => Cell::Blob(bytes(text.strip_prefix("\\x").expect("bytes"))),
        Value::String(text) => Cell::Text(text.clone()),
        other => Cell::Text(other.to_string()),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).expect("a digit")).collect();
    digits.chunks(2).map(|two| u8::try_from(two[0] * 16 + two[1]).expect("a byte")).collect()
}
