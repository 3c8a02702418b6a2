//! What holds where: the suite asks it, and `docs/engines.md` shows it.

use std::path::Path;

/// What an engine does in its own way.
#[derive(Debug)]
pub(crate) struct Holds {
    title: &'static str,
    url: &'static str,
    tested_with: &'static str,
    on_disk: &'static str,
    /// Whether a message with a known id is not delivered again, shortly after at least.
    pub(crate) drops_duplicates: bool,
    twice: &'static str,
    /// The largest message, in bytes, as its servers are when nobody changes that.
    pub(crate) largest: Option<usize>,
    kept: &'static str,
    readers: &'static str,
    quiet: &'static str,
}

pub(crate) const EMBEDDED: Holds = Holds {
    title: "embedded",
    url: "-",
    tested_with: "itself",
    on_disk: "synced",
    drops_duplicates: true,
    twice: "dropped, while the first is kept",
    largest: None,
    kept: "until every group has settled it, a week at least",
    readers: "one process",
    quiet: "from the publication on",
};

pub(crate) const REMOTE: Holds = Holds {
    title: "over the wire",
    url: "`http://HOST:PORT`",
    largest: Some(6 << 20),
    readers: "the last that subscribed",
    quiet: "within a process",
    ..EMBEDDED
};

pub(crate) const NATS: Holds = Holds {
    title: "NATS JetStream",
    url: "`nats://[USER:PASSWORD@]HOST:PORT[,HOST:PORT]`",
    tested_with: "nats-server 2.15.1",
    on_disk: "written, synced every two minutes; `sync_interval: always` syncs",
    drops_duplicates: true,
    twice: "dropped for two minutes, then by the inbox",
    largest: Some(1 << 20),
    kept: "for the retention, a week",
    readers: "one of the replicas, the others stand by",
    quiet: "once a process has read it",
};

pub(crate) const RABBITMQ: Holds = Holds {
    title: "RabbitMQ",
    url: "`amqp://[USER:PASSWORD@]HOST:PORT[/VHOST]`",
    tested_with: "RabbitMQ 3.10.8",
    on_disk: "written to a stream, which is not synced",
    drops_duplicates: false,
    twice: "dropped by the inbox",
    largest: Some(16 << 20),
    kept: "for the retention, a week at least",
    ..NATS
};

pub(crate) const KAFKA: Holds = Holds {
    title: "Kafka",
    url: "`kafka://HOST:PORT[,HOST:PORT]`",
    tested_with: "tansu 0.6 in memory, which speaks its protocol",
    on_disk: "with all replicas that are in sync, which sync now and then",
    drops_duplicates: false,
    twice: "dropped by the inbox",
    largest: Some(1 << 20),
    ..NATS
};

const ALL: [&Holds; 5] = [&EMBEDDED, &REMOTE, &NATS, &RABBITMQ, &KAFKA];

/// A line of the table.
type Row = (&'static str, fn(&Holds) -> String);

const ROWS: [Row; 9] = [
    ("URL", |holds| holds.url.to_owned()),
    ("tested with", |holds| holds.tested_with.to_owned()),
    ("acknowledged means", |holds| holds.on_disk.to_owned()),
    ("keys in order", |_| "yes".to_owned()),
    ("a parked key stops nobody else", |_| "yes".to_owned()),
    ("published twice", |holds| holds.twice.to_owned()),
    ("largest message", |holds| match holds.largest {
        Some(bytes) => format!("{} MiB", bytes >> 20),
        None => "-".to_owned(),
    }),
    ("messages are kept", |holds| holds.kept.to_owned()),
    ("who reads for a group", |holds| holds.readers.to_owned()),
];

fn markdown() -> String {
    let mut lines = Vec::new();
    let row = |name: &str, cells: Vec<String>| format!("| {name} | {} |", cells.join(" | "));
    lines.push(row("", ALL.iter().map(|holds| holds.title.to_owned()).collect()));
    lines.push(format!("|{}", "---|".repeat(ALL.len() + 1)));
    for (name, cell) in ROWS {
        lines.push(row(name, ALL.iter().map(|holds| cell(holds)).collect()));
    }
    lines.push(row("counts as going on", ALL.iter().map(|holds| holds.quiet.to_owned()).collect()));
    lines.join("\n")
}

#[test]
fn the_document_says_what_is_tested() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engines.md");
    let text = std::fs::read_to_string(path).unwrap();
    let table = markdown();
    assert!(text.contains(&table), "docs/engines.md has to have this table of brokers:\n\n{table}\n");
}
