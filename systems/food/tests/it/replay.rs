//! `food replay`: a small day on the whole system, through the program itself.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::program::{Scratch, food};

/// A day's four files, and what a replay leaves.
const DAY: [&str; 4] = ["restaurants.txt", "orders.txt", "couriers.txt", "instance_parameters.txt"];
const SOLUTION: [&str; 3] =
    ["solution_info_assignments.txt", "solution_info_orders.txt", "solution_info_couriers.txt"];
const ORDERS: i64 = 40;

#[test]
fn the_same_seed_plays_a_day_the_same_way() {
    let scratch = Scratch::new("replay-seed");
    let day = write_day(scratch.path(), ORDERS);
    let (first, second) = (scratch.path().join("a/first"), scratch.path().join("second"));
    for out in [&first, &second] {
        let output = replay(&day, &["--seed", "7", "--out", out.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        let page = String::from_utf8(output.stdout).unwrap();
        // The command checks the rules of the set itself, on the files it wrote.
        for expected in [
            "delivered          40 of 40",
            "completed          40 of 40",
            "largest slip       0 ms in 240 recorded times",
            "violations         0",
        ] {
            assert!(page.contains(expected), "{expected} is not in\n{page}");
        }
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "no progress bar where nobody looks");
    }
    for file in SOLUTION {
        let (a, b) =
            (fs::read_to_string(first.join(file)).unwrap(), fs::read_to_string(second.join(file)).unwrap());
        assert_eq!(a, b, "{file}");
        assert!(a.lines().count() > 1, "{file} says something");
    }
    // Every order is in exactly one bundle, and what is said of it has no gap.
    let orders = fs::read_to_string(first.join(SOLUTION[1])).unwrap();
    assert_eq!((orders.lines().count(), orders.contains("NA")), (1 + ORDERS as usize, false), "{orders}");
}

#[test]
fn what_cannot_be_played_is_refused_in_one_line_with_code_2() {
    let scratch = Scratch::new("replay-refused");
    let check = |file: &str, from: &str, to: &str, expected: &str| {
        let day = write_day(scratch.path(), ORDERS);
        let text = fs::read_to_string(day.join(file)).unwrap();
        fs::write(day.join(file), text.replacen(from, to, 1)).unwrap();
        let output = replay(&day, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(expected), "{expected} is not in {said}");
        assert_eq!(output.stdout, b"");
    };
    check("orders.txt", "o1\t", "o1\tx", "orders.txt:2: x is");
    check("couriers.txt", "c1\t1000\t", "c1\t1000.5\t", "not at a whole metre");
    check("couriers.txt", "c1\t1000\t", "c1\t1e8\t", "off the map");
    check("instance_parameters.txt", "320", "0", "instance_parameters.txt:2");

    let day = write_day(scratch.path(), ORDERS);
    let blocked = scratch.path().join("blocked");
    fs::write(&blocked, "").unwrap();
    let output = replay(&day, &["--out", blocked.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert_eq!(replay(&scratch.path().join("nowhere"), &[]).status.code(), Some(2));
    assert_eq!(replay(&day, &["--seed", "seven"]).status.code(), Some(2));
}

fn replay(day: &Path, flags: &[&str]) -> Output {
    // What a machine under load is warned of is not the replay's.
    food().arg("replay").arg(day).args(flags).env("PARTIE_LOG", "off").output().unwrap()
}

/// Two hours of one town: five restaurants, that many orders in a rush, eight drivers of whom half come later.
pub(crate) fn write_day(directory: &Path, orders: i64) -> PathBuf {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    // The generator of Marsaglia (2003): any scatter will do, as long as it is always the same.
    let mut dice = |sides: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % sides) as i64
    };
    let mut texts = [
        "restaurant\tx\ty\n".to_owned(),
        "order\tx\ty\tplacement_time\trestaurant\tready_time\n".to_owned(),
        "courier\tx\ty\ton_time\toff_time\n".to_owned(),
        "header\n320\t4\t4\t40\t90\t10\t15\n".to_owned(),
    ];
    for number in 1..=5 {
        writeln!(texts[0], "r{number}\t{}\t{}", 2000 + dice(2000), 2000 + dice(2000)).unwrap();
    }
    for number in 1..=orders {
        let (placed, restaurant) = (600 + dice(60) + dice(60), 1 + dice(5));
        let (x, y, ready) = (dice(6000), dice(6000), placed + 5 + dice(20));
        writeln!(texts[1], "o{number}\t{x}\t{y}\t{placed}\tr{restaurant}\t{ready}").unwrap();
    }
    for number in 1..=8 {
        let on = if number % 2 == 0 { 630 } else { 590 };
        writeln!(texts[2], "c{number}\t{}\t{}\t{on}\t{}", 1000 * number, dice(6000), on + 210).unwrap();
    }
    let day = directory.join("day");
    fs::create_dir_all(&day).unwrap();
    for (file, text) in DAY.iter().zip(texts) {
        fs::write(day.join(file), text).unwrap();
    }
    day
}
