//! Systems that move on, and what is committed of them.

use partie_contract::{Abort, Event, EventSpec};
use partie_store::Tx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policies::Finding;
use crate::service::Service;
use crate::system::System;

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 1, subject = "meter")]
struct Read {
    meter: String,
    value: u32,
}

/// The same in another unit.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 2, subject = "meter", from = Read)]
struct ReadMilli {
    meter: String,
    milli: u64,
}

impl From<Read> for ReadMilli {
    fn from(Read { meter, value }: Read) -> Self {
        Self { meter, milli: u64::from(value) * 1_000 }
    }
}

/// The same version, and nothing of the one before.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 2, subject = "meter")]
struct OnlyMilli {
    meter: String,
    milli: u64,
}

/// Meters publish one event, bills handle the other.
fn meters<P: Event, H: Event>() -> System {
    let handle = |_: &(), _: &mut Tx, _: &H| -> Result<(), Abort> { Ok(()) };
    System::new("meters")
        .service(Service::new("meters").publishes(&[EventSpec::of::<P>()]))
        .service(Service::new("bills").start(async |_| Ok(())).on(handle))
}

#[test]
fn an_event_moves_on_by_its_handlers_first() {
    let dir = std::env::temp_dir().join(format!("partie-evolution-{}", std::process::id()));
    let compare = |system: &System| system.compare(&dir).unwrap();
    let files = |system: &System| {
        let mut files = system.write_documents(&dir).unwrap().files;
        files.sort();
        files
    };

    let first = meters::<Read, Read>();
    assert_eq!(compare(&first).stale.len(), 2, "nothing is committed");
    assert_eq!(files(&first), ["events/meter.read.v1.json", "events/meter.read.v1.sample.json"]);
    assert_eq!((compare(&first).stale, compare(&first).breaks), (vec![], vec![]));

    // Who publishes what nobody reads is told so.
    let hasty = meters::<ReadMilli, Read>();
    let found = hasty.check(hasty.defaults());
    let [Finding::UnreadEvent { to: "bills", version: 2, reads, .. }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(*reads, [1]);

    // Handlers first, publishers then. The events of before are read all the while.
    for (system, new) in [(meters::<Read, ReadMilli>(), 2), (meters::<ReadMilli, ReadMilli>(), 0)] {
        assert_eq!(system.check(system.defaults()), []);
        assert_eq!(compare(&system).breaks, []);
        let new_files = files(&system).into_iter().filter(|file| file.contains(".v2.")).count();
        assert!(new_files >= new, "{new_files}");
        assert_eq!((compare(&system).stale, compare(&system).breaks), (vec![], vec![]));
        for version in ["v1", "v2"] {
            let sample =
                std::fs::read_to_string(dir.join(format!("events/meter.read.{version}.sample.json")));
            assert_eq!(system.replay(&sample.unwrap()), Ok(vec!["bills"]), "{version}");
        }
    }

    // Forgetting the first version breaks what is under way, until somebody says that nothing is.
    let last = meters::<OnlyMilli, OnlyMilli>();
    let breaks = compare(&last).breaks;
    let places: Vec<_> = breaks.iter().map(|one| (&*one.file, &one.whom[..])).collect();
    let bills = ["bills".to_owned()];
    assert_eq!(
        places,
        [("events/meter.read.v1.json", &bills[..]), ("events/meter.read.v1.sample.json", &bills[..])]
    );
    for (file, _) in places {
        std::fs::remove_file(dir.join(file)).unwrap();
    }
    assert_eq!(compare(&last).breaks, []);
    std::fs::remove_dir_all(dir).unwrap();
}
