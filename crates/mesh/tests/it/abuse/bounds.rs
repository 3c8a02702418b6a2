//! What abuse costs: memory and descriptors of another process, which has to serve others all the while.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use partie_mesh::{Handles, Limits, Listener};
use partie_runtime::Stop;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::http2::{GET, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame};
use crate::support::{echo, within};

/// How many connections a client of the test holds at once.
const MANY: usize = 100;
/// What one of them may cost, in kilobytes: its buffers for a head of 64 KiB, twice, and what is around them.
const EACH: u64 = 200;
/// What may stay when they are gone, in kilobytes: allocators keep something.
const STAYS: u64 = 24 << 10;

/// The process the others abuse. Not a test: it serves until its standard input ends.
#[test]
#[ignore = "it is the other process of a test"]
fn serves_until_it_is_left() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let limits = Limits { connections_per_address: 2 * MANY, ..Limits::default() };
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(any, limits, 1, Handles::default()).unwrap();
        println!("\nlistening on {}", listener.local_addr());
        let run = tokio::spawn(listener.run(echo(), Stop::default()));
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
            .await
            .unwrap()
            .unwrap();
        run.abort();
    });
}

struct Victim {
    process: Child,
    address: SocketAddr,
}

impl Victim {
    async fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["abuse::bounds::serves_until_it_is_left", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = loop {
            let line = within(lines.next_line()).await.unwrap().unwrap();
            if let Some(address) = line.strip_prefix("listening on ") {
                break address.parse().unwrap();
            }
        };
        let victim = Self { process, address };
        // What is made once is made now.
        for _ in 0..50 {
            victim.serves().await;
        }
        victim
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.process.id().unwrap())
    }

    /// Resident memory, in kilobytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).unwrap().count()
    }

    async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.address)).await.unwrap()
    }

    /// Somebody else's request is answered, if not at once: a worker that has to catch up says so.
    async fn serves(&self) {
        let served = async {
            while !self.answers().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(served).await;
    }

    async fn answers(&self) -> bool {
        let mut stream = self.connect().await;
        stream.write_all(b"GET /fine HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let served = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("GET /fine ");
        assert!(served || answer.starts_with("HTTP/1.1 503 "), "{answer}");
        served
    }

    /// Waits until only that many descriptors are open.
    async fn only(&self, descriptors: usize) {
        let closed = async {
            while self.descriptors() > descriptors {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(closed).await;
    }
}

/// Writes as much as is taken at once.
async fn push(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    let written = tokio::time::timeout(Duration::from_millis(50), stream.write_all(bytes)).await;
    matches!(written, Ok(Ok(())))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn abuse_has_a_price_that_is_known_and_paid_back() {
    let victim = Victim::start().await;
    let (memory, descriptors) = (victim.memory(), victim.descriptors());
    let huge = "x".repeat(1 << 20);
    let resets = |from: u32| -> Vec<u8> {
        let each = |n: u32| {
            let id = from + 2 * n;
            [frame(HEADERS, 5, id, GET), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
        };
        (0..2_000).flat_map(each).collect()
    };
    let open = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let abuses: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("half a head", b"GET / HTTP/1.1\r\nHost: a\r\nx: ".to_vec()),
        (
            "almost a whole large head",
            format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}", &huge[..60_000]).into_bytes(),
        ),
        ("a head beyond all bounds", format!("GET / HTTP/1.1\r\nHost: a\r\nx: {huge}").into_bytes()),
        ("fields without end", format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(50_000)).into_bytes()),
        ("half a body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nab".to_vec()),
        (
            "a chunk without end",
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n{huge}")
                .into_bytes(),
        ),
        (
            "an extension without end",
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;{huge}").into_bytes(),
        ),
        (
            "trailers without end",
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: {huge}")
                .into_bytes(),
        ),
        ("a pipeline that nobody reads", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20_000).into_bytes()),
        ("requests taken back", [open.clone(), resets(1)].concat()),
        (
            "a head in pieces without end",
            [open.clone(), frame(HEADERS, 1, 1, GET), frame(9, 0, 1, &huge.as_bytes()[..16_000]).repeat(64)]
                .concat(),
        ),
        ("pings", [open.clone(), frame(6, 0, 0, &[0; 8]).repeat(60_000)].concat()),
        ("settings", [open.clone(), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]).repeat(60_000)].concat()),
        ("empty data", [open, frame(HEADERS, 4, 1, GET), frame(0, 0, 1, &[]).repeat(60_000)].concat()),
    ];
    for (what, bytes) in abuses {
        let mut streams = Vec::new();
        // Large ones are kept to a few, for this side has to hold them too.
        let count = if bytes.len() > 100_000 { MANY / 8 } else { MANY };
        for _ in 0..count {
            let mut stream = victim.connect().await;
            push(&mut stream, &bytes).await;
            streams.push(stream);
        }
        victim.serves().await;
        let (used, open) = (victim.memory().saturating_sub(memory), victim.descriptors());
        assert!(used <= STAYS + EACH * count as u64, "{what}: {used} kB for {count} connections");
        assert!(open <= descriptors + count + 2, "{what}: {open} descriptors");
        drop(streams);
        victim.only(descriptors).await;
    }
    victim.serves().await;
    let stays = victim.memory().saturating_sub(memory);
    assert!(stays <= STAYS, "{stays} kB stay");
}
