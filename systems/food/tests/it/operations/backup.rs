//! `backup` while orders come in, and `restore` of some stores behind the others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::Duration;

use food_contracts::OrderId;
use partie::runtime::monotonic;
use serde_json::Value;

use crate::faults::audit;
use crate::faults::caller::Caller;
use crate::faults::play::{Customer, Play, Town, Word};
use crate::faults::stage::Stage;
use crate::faults::wish::Wish;
use crate::processes::company::{Company, until};
use crate::program::{Food, food};

pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("PARTIE__SERVICES__RESTAURANTS__TICKET_ACCEPT", "30s"),
    ("PARTIE__SERVICES__DELIVERY__DISPATCH_INTERVAL", "200ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFER", "10s"),
    ("PARTIE__SERVICES__DELIVERY__SEARCH", "30s"),
    ("PARTIE__SERVICES__DELIVERY__STALE", "40s"),
    ("PARTIE__SERVICES__DELIVERY__OFFLINE", "60s"),
    ("PARTIE__SERVICES__DELIVERY__METRES_PER_MINUTE", "100000"),
];
pub(super) const A_GLANCE: Duration = Duration::from_millis(150);
pub(super) const A_MOMENT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(40);
const DRIVERS: usize = 8;
/// How many orders there are before the backup, after it, and after the restore.
const A_FEW: usize = 10;
/// What does not hold when orders that were answered are forgotten, and holds otherwise.
const FORGOTTEN: [&str; 5] = [
    "every order that was answered is there",
    "nobody delivers what was not ordered",
    "nobody cooks what was not ordered",
    "customers hear of nothing else",
    "nothing arrived that did not leave",
];

/// Runs a command of the program on the data of a stage.
fn run(stage: &Stage, arguments: &[&str]) -> Output {
    food().args(arguments).arg("--data").arg(stage.data()).output().unwrap()
}

fn succeed(stage: &Stage, arguments: &[&str]) -> String {
    let output = run(stage, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refusal(stage: &Stage, arguments: &[&str]) -> String {
    let output = run(stage, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A place for a backup, beside the data.
fn place(stage: &Stage, name: &str) -> PathBuf {
    stage.data().parent().unwrap().join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Places orders that are to be delivered, whatever becomes of them.
fn order(play: &Play<'_>, subject: &str, count: usize) -> Vec<OrderId> {
    let mut caller = Caller::new(play.stage, subject, "customer");
    let orders = (0..count).map(|number| {
        let wish = Wish::Delivered.order(if number % 2 == 0 { 3 } else { 1 }, "+4930123456");
        let answer = caller.post("/api/v1/orders", &format!("{subject}-{number}"), Some(&wish));
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
        assert!(play.say(Word::Placed, id));
        id
    });
    orders.collect()
}

/// Kitchens and drivers at work, while somebody does something.
fn at_work<T>(play: &Play<'_>, what: impl FnOnce() -> T) -> T {
    Town { drivers: DRIVERS, customers: 0, last_orders: PATIENCE, home: PATIENCE }.during(play, what)
}

/// A day with a backup in it: then the others go on, the system dies, some of its stores are put back, and it goes on from
/// there. At least so many orders are over at the backup, the others are under way. Gives back the rules that are broken at its end, and the orders that were placed after the backup.
fn day(name: &str, delivered: usize, restore: &[&str]) -> (Vec<String>, Vec<OrderId>) {
    let stage = Stage::new(name, SETTINGS).unwatched();
    let (before, after) = (Play::new(&stage, A_GLANCE), Play::new(&stage, A_GLANCE));
    let backup = place(&stage, "backup");
    let running = stage.start(None).unwrap();
    let forgotten = at_work(&before, || {
        let ended = || {
            let sql = "SELECT hex(id) FROM orders.orders WHERE status = 'completed'";
            audit::Books::open(&stage.data()).texts(sql).unwrap().len()
        };
        order(&before, "early", A_FEW);
        until("orders are delivered", || ended() >= delivered);
        let said = succeed(&stage, &["backup", text(&backup)]);
        assert!(said.contains("orders") && said.contains("running") && said.contains("6 stores"), "{said}");
        let late = order(&before, "late", A_FEW);
        until("all of them are delivered", || ended() == 2 * A_FEW);
        late
    });
    running.kill();

    let mut command = vec!["restore", text(&backup), "--overwrite"];
    command.extend(restore);
    let said = succeed(&stage, &command);
    assert!(said.contains("in epoch"), "{said}");
    let running = stage.start(None).unwrap();
    at_work(&after, || {
        let mut customer = Customer::new(&after, 7);
        for _ in 0..A_FEW {
            customer.order(Wish::Delivered);
        }
        customer.follow(0);
        let open = || {
            let sql = "SELECT hex(id) || status FROM orders.orders WHERE status NOT IN ('completed')
                       UNION ALL SELECT hex(id) || status FROM delivery.deliveries WHERE status NOT IN ('delivered')
                       UNION ALL SELECT hex(id) || status FROM restaurants.tickets WHERE status <> 'handed_over'";
            audit::Books::open(&stage.data()).texts(sql).unwrap()
        };
        settled(&stage, open);
    });
    settled(&stage, || audit::unfinished(&stage.data()));
    running.kill();
    let placed = [before.orders(Word::Placed), after.orders(Word::Placed)].concat();
    (audit::check(&stage.data(), &placed), forgotten)
}

/// Waits until nothing is left.
fn settled(stage: &Stage, left: impl Fn() -> Vec<String>) {
    let until = monotonic() + PATIENCE;
    while !left().is_empty() {
        assert!(monotonic() < until, "{:#?}\n{}", left(), stage.last_words());
        thread::sleep(A_MOMENT);
    }
}

#[test]
fn orders_restored_behind_the_others_goes_on_and_forgets_only_what_came_after_the_backup() {
    let (broken, forgotten) = day("restore-orders", 1, &["--only", "orders"]);
    let gone: Vec<_> = broken.iter().filter(|line| line.starts_with(FORGOTTEN[0])).collect();
    assert_eq!(gone.len(), forgotten.len(), "{gone:#?}");
    let other: Vec<_> =
        broken.iter().filter(|line| !FORGOTTEN.iter().any(|rule| line.starts_with(rule))).collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn a_broker_restored_behind_the_services_costs_nothing() {
    let (broken, _) = day("restore-broker", 1, &["--only", "broker"]);
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn everything_restored_goes_on_from_the_backup() {
    // Drivers and cooks do not go back in time: what they have in hand at the backup, they do not do once more.
    let (broken, forgotten) = day("restore-all", A_FEW, &[]);
    let gone: Vec<_> = broken.iter().filter(|line| line.starts_with(FORGOTTEN[0])).collect();
    assert_eq!(gone.len(), forgotten.len(), "{gone:#?}");
    // The stores are not of one moment, and what the provider was told stays told.
    let other: Vec<_> = broken
        .iter()
        .filter(|line| !FORGOTTEN.iter().any(|rule| line.starts_with(rule)))
        .filter(|line| !line.starts_with("nobody is told what is not on record"))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn a_backup_is_the_same_from_a_system_that_runs_as_processes_or_not_at_all() {
    let stage = Stage::new("backup-forms", SETTINGS).unwatched();
    let play = Play::new(&stage, A_GLANCE);
    let company = Company::start(&stage);
    let orders = order(&play, "ada", 3);
    let running = place(&stage, "running");
    let said = succeed(&stage, &["backup", text(&running)]);
    assert_eq!(said.matches(" running").count(), 6, "{said}");
    assert!(refusal(&stage, &["restore", text(&running), "--overwrite"]).contains("the system runs"));
    assert_eq!(company.drain(), Some(0), "{}", stage.last_words());

    let idle = place(&stage, "idle");
    let said = succeed(&stage, &["backup", text(&idle)]);
    assert_eq!(said.matches("not running").count(), 6, "{said}");
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(idle.join("manifest.json")).unwrap()).unwrap();
    let names: Vec<_> = manifest["stores"].as_array().unwrap().iter().map(|store| &store["name"]).collect();
    assert_eq!(names.last().unwrap().as_str(), Some("broker"), "{names:?}");
    for backup in [running, idle] {
        let books = audit::Books::open(&backup);
        for id in &orders {
            let id = id.to_string().replace('-', "");
            let found = books.texts("SELECT lower(hex(id)) FROM orders.orders").unwrap();
            assert!(found.contains(&id), "{id} was answered before the backup");
        }
    }
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_refused_and_nothing_is_touched() {
    let stage = Stage::new("backup-refusals", SETTINGS).unwatched();
    let backup = place(&stage, "backup");
    assert!(refusal(&stage, &["backup", text(&backup)]).contains("there is no store"));
    stage.start(None).unwrap().kill();
    succeed(&stage, &["backup", text(&backup)]);
    assert!(refusal(&stage, &["backup", text(&backup)]).contains("is not empty"));

    let restore = ["restore", text(&backup)];
    assert!(refusal(&stage, &restore).contains("say --overwrite"));
    let no_backup = stage.data();
    assert!(refusal(&stage, &["restore", text(&no_backup)]).contains("is no backup"));
    let other = refusal(&stage, &["restore", text(&backup), "--only", "kitchen"]);
    assert!(other.contains("there is no store kitchen in the backup; there are"), "{other}");
    let food = stage.start(None).unwrap();
    assert!(refusal(&stage, &["restore", text(&backup), "--overwrite"]).contains("is locked by process"));
    food.kill();

    // A bit that fell over.
    let file = backup.join("delivery.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let damaged = refusal(&stage, &["restore", text(&backup), "--overwrite"]);
    assert!(damaged.contains("delivery.db is not what was backed up"), "{damaged}");
    // What was not touched starts; what was left half done does not.
    stage.start(None).unwrap().kill();
    fs::write(stage.data().join("restore.unfinished"), "").unwrap();
    assert_eq!(stage.start(None).err().and_then(|ended| ended.code()), Some(2));
    assert!(stage.last_words().contains("a restore into it was not finished"), "{}", stage.last_words());
    succeed(&stage, &["restore", text(&backup), "--only", "orders", "--overwrite"]);
    let food: Food = stage.start(None).unwrap();
    food.kill();
}
