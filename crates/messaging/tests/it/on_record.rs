//! Jobs of which the service keeps a record, in the transactions that record the attempts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use partie_contract::{Abort, Call, Outcome};
use partie_messaging::{AfterCrash, Ended, Enqueue, Handlers, Job, JobError};
use partie_store::Tx;
use serde::{Deserialize, Serialize};

use crate::world::{Service, World, note};

#[derive(Serialize, Deserialize)]
struct Print {
    text: String,
}

impl Job for Print {
    const KIND: &'static str = "print";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

/// What goes to the printer.
struct Sheet {
    text: String,
}

/// Prints what it is told, and writes down how that goes.
#[derive(Default)]
struct Shop {
    /// What the printer answers, one after the other; then it prints.
    answers: Mutex<Vec<JobError>>,
    calls: AtomicU32,
}

impl Shop {
    fn begin(&self, tx: &mut Tx, job: &Print, attempt: u32) -> Result<Option<Sheet>, Abort> {
        note(tx, "record", &format!("{} {attempt}", job.text))?;
        match job.text.as_str() {
            "nothing" => Ok(None),
            "no beginning" => Err(Abort::because("on purpose")),
            text => Ok(Some(Sheet { text: text.to_owned() })),
        }
    }

    async fn print(&self, _: &Call, sheet: &Sheet) -> Result<usize, JobError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.answers.lock().unwrap().pop() {
            Some(error) => Err(error),
            None => Ok(sheet.text.len()),
        }
    }

    fn end(&self, tx: &mut Tx, job: &Print, ended: &Ended<usize>) -> Result<(), Abort> {
        note(tx, "record", &format!("{} {ended:?}", job.text))?;
        if job.text == "no end" { Err(Abort::because("on purpose")) } else { Ok(()) }
    }
}

fn handlers() -> Handlers<Shop> {
    Handlers::new().job_on_record(Shop::begin, Shop::print, Shop::end)
}

async fn print(service: &Service, texts: &'static [&str]) {
    let enqueue = move |tx: &mut Tx| {
        for text in texts {
            tx.enqueue(&Print { text: (*text).to_owned() })?;
        }
        Ok(())
    };
    service.write(enqueue).await;
}

#[tokio::test]
async fn the_record_tells_every_attempt_and_its_end() {
    for (answers, record) in [
        (vec![], vec!["soup 1", "soup Done(4)"]),
        (
            vec![JobError::retry("no paper"), JobError::unknown("a jam")],
            vec![
                "soup 1",
                r#"soup Again("a jam")"#,
                "soup 2",
                r#"soup Again("no paper")"#,
                "soup 3",
                "soup Done(4)",
            ],
        ),
        (vec![JobError::failed("no such font")], vec!["soup 1", r#"soup Dead("no such font")"#]),
    ] {
        let world = World::new();
        let shop = Arc::new(Shop { answers: Mutex::new(answers), ..Shop::default() });
        let service = world.start("shop", shop, handlers());
        print(&service, &["soup"]).await;
        world.quiet().await;
        assert_eq!(service.notes("record").await, record);
        world.stop([service]).await;
    }
}

#[tokio::test]
async fn what_there_is_nothing_to_do_about_is_done_without_a_call() {
    let world = World::new();
    let shop = Arc::<Shop>::default();
    let service = world.start("shop", Arc::clone(&shop), handlers());
    print(&service, &["nothing"]).await;
    world.quiet().await;
    assert_eq!(service.notes("record").await, ["nothing 1"]);
    assert_eq!(shop.calls.load(Ordering::SeqCst), 0);
    assert!(service.worker.dead_jobs().await.unwrap().is_empty());
    world.stop([service]).await;
}

#[tokio::test]
async fn a_record_that_fails_takes_nobody_else_along() {
    let world = World::new();
    let service = world.start("shop", Shop::default(), handlers());
    print(&service, &["a", "no beginning", "b", "no end", "c"]).await;
    world.quiet().await;
    let mut record = service.notes("record").await;
    record.sort();
    assert_eq!(record, ["a 1", "a Done(1)", "b 1", "b Done(1)", "c 1", "c Done(1)", "no end 1"]);
    let dead = service.worker.dead_jobs().await.unwrap();
    let why: Vec<_> = dead.iter().map(|dead| (&*dead.data, dead.error.contains("on purpose"))).collect();
    assert_eq!(why, [(r#"{"text":"no beginning"}"#, true), (r#"{"text":"no end"}"#, true)]);
    world.stop([service]).await;
}

#[tokio::test]
async fn an_attempt_whose_process_died_is_told_too() {
    let world = World::new();
    let store = world.store("shop");
    let left: Outcome<()> = store
        .write(|tx| {
            let id = tx.enqueue(&Print { text: "soup".to_owned() })?;
            tx.execute("UPDATE partie_jobs SET state = 'running', attempts = 1 WHERE id = $1", &[&id])?;
            Ok(())
        })
        .await;
    left.unwrap();
    store.close().await;
    let service = world.start("shop", Shop::default(), handlers());
    world.quiet().await;
    let died = r#"soup Again("the process ended during the attempt")"#;
    assert_eq!(service.notes("record").await, [died, "soup 2", "soup Done(4)"]);
    world.stop([service]).await;
}
