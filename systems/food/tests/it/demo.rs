//! What a newcomer sees: the pasted order is cooked, driven and delivered, and carries on after `kill -9`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::program::{Scratch, food};

/// The program with its demo actors, and what it says to paste.
struct Demo {
    child: Child,
    paste: Vec<String>,
}

impl Demo {
    fn start(data: &Scratch, listen: &str) -> Self {
        let mut command = food();
        command.args(["--listen", listen, "--data"]).arg(data.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line == "try:").expect("a guide");
        let paste = lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect();
        Self { child, paste }
    }

    fn address(&self) -> String {
        let url = self.paste[0].split("http://").nth(1).unwrap();
        url.split('/').next().unwrap().to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Already dead is fine too.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a shell says to these lines.
fn shell(lines: &[String]) -> String {
    let output = Command::new("bash").arg("-c").arg(lines.join("\n")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn events(stream: &str) -> Vec<&str> {
    let names = stream.lines().filter_map(|line| line.strip_prefix("event: "));
    names.filter(|name| name.starts_with("order.")).collect()
}

const WHOLE: [&str; 7] = [
    "order.placed",
    "order.confirmed",
    "order.preparing",
    "order.ready",
    "order.picked_up",
    "order.delivered",
    "order.completed",
];

#[test]
fn what_the_guide_says_to_paste_orders_and_delivers() {
    let data = Scratch::new("paste");
    let demo = Demo::start(&data, "127.0.0.1:0");
    assert_eq!(demo.paste.len(), 4, "look, a token, order, follow: {:?}", demo.paste);
    let said = shell(&demo.paste);
    assert!(said.starts_with("{\"data\":[{\"id\""), "{said}");
    assert_eq!(events(&said), WHOLE);
    let told = std::fs::read_to_string(data.path().join("notifications.jsonl")).unwrap();
    assert!(told.lines().count() >= 3, "{told}");
}

#[test]
fn an_order_carries_on_after_kill_9_and_its_stream_after_the_last_event_seen() {
    let data = Scratch::new("carry-on");
    let mut demo = Demo::start(&data, "127.0.0.1:0");
    let (address, paste) = (demo.address(), demo.paste.clone());
    // The order, and the stream until the kitchen cooks.
    let first = [&paste[1..3], &["echo $ORDER".to_owned()]].concat();
    let order = shell(&first).trim().to_owned();
    let follow = paste[3].replace("$ORDER", &order);
    let mut reading = Command::new("bash");
    reading.arg("-c").arg([paste[1].clone(), format!("exec {follow}")].join("\n"));
    let mut reading = reading.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stream = BufReader::new(reading.stdout.take().unwrap());
    let (mut line, mut seen) = (String::new(), 0);
    while !line.starts_with("event: order.preparing") {
        line.clear();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the stream ended early");
        seen = line.strip_prefix("id: ").map_or(seen, |id| id.trim().parse().unwrap());
    }
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
    stream.read_to_string(&mut String::new()).ok();
    reading.wait().unwrap();

    let again = Demo::start(&data, &address);
    let resume = format!("{follow} -H 'Last-Event-ID: {seen}'");
    let rest = shell(&[paste[1].clone(), resume]);
    assert_eq!(events(&rest), WHOLE[3..], "{rest}");
    assert!(rest.starts_with(&format!("id: {}\n", seen + 1)), "{rest}");
    drop(again);
}
