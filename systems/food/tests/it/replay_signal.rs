//! `food replay`, ended by hand in the middle of a day: nothing stays behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Scratch, food};
use crate::replay::write_day;

/// So many that the day is far from over when its first order is placed.
const ORDERS: i64 = 400;

#[test]
fn an_interrupted_replay_removes_its_data_and_says_so_in_one_line() {
    for signal in ["INT", "TERM"] {
        let scratch = Scratch::new(&format!("replay-{signal}"));
        let (temporary, out) = (scratch.path().join("tmp"), scratch.path().join("out"));
        fs::create_dir_all(&temporary).unwrap();
        let mut replay = food()
            .arg("replay")
            .arg(write_day(scratch.path(), ORDERS))
            .arg("--out")
            .arg(&out)
            .env("TMPDIR", &temporary)
            .env("PARTIE_LOG", "partie_gateway=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();

        // The log is that of any other program of ours: JSON lines where nobody looks.
        let mut log = BufReader::new(replay.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut said = log.by_ref().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let placed = said.find(|line| line["route"] == "/api/v1/orders" && line["status"] == 201);
        assert!(placed.is_some(), "no order was placed");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1, "the data is there");
        let sent =
            Command::new("sh").args(["-c", &format!("kill -{signal} {}", replay.id())]).status().unwrap();
        assert!(sent.success());

        let rest: Vec<String> = log.collect();
        let (last, before) = rest.split_last().unwrap();
        assert!(last.starts_with("interrupted: "), "{last}");
        assert!(last.contains(" of 400 orders were delivered"), "{last}");
        assert!(before.iter().all(|line| line.starts_with('{')), "{before:?}");
        let mut page = String::new();
        replay.stdout.take().unwrap().read_to_string(&mut page).unwrap();
        assert_eq!((replay.wait().unwrap().code(), page.as_str()), (Some(130), ""));
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "the data is gone");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "nothing was written");
    }
}
