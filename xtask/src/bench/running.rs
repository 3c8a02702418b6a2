//! A program started for a measurement: found by the address it prints, stopped when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use crate::process::{Result, program};

/// Longer than any start that is worth measuring.
const PATIENCE: Duration = Duration::from_secs(60);

/// Owns the process: dropping it kills it, so that a failed measurement leaves nothing behind.
pub(crate) struct Running {
    child: Child,
    addresses: Receiver<SocketAddr>,
}

impl Running {
    /// Starts the program in `dir`, listening on a port of the system's choice.
    pub(crate) fn start(binary: &Path, dir: &Path, listen: (&str, &str)) -> Result<Self> {
        let mut command = program(binary);
        command.current_dir(dir).env(listen.0, listen.1).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", binary.display()))?;
        let (send, addresses) = sync_channel(16);
        let outputs: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|o| Box::new(o) as _), child.stderr.take().map(|o| Box::new(o) as _)];
        for output in outputs.into_iter().flatten() {
            let send = send.clone();
            // Reads to the end, so that the program never waits for somebody to take its log lines.
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                    if let Some(address) = address_in(&line) {
                        send.try_send(address).ok();
                    }
                }
            });
        }
        Ok(Self { child, addresses })
    }

    /// Waits until the program has answered a GET of this path with success.
    pub(crate) fn first_answer(&self, path: &str) -> Result {
        let waited = "the program printed no http://IP:PORT";
        let address = self.addresses.recv_timeout(PATIENCE).map_err(|e| format!("{waited}: {e}"))?;
        // The listener is bound before its address is printed: a connection waits there and is not refused.
        let status = get(address, path).map_err(|e| format!("GET {path} from {address}: {e}"))?;
        if status == 200 { Ok(()) } else { Err(format!("GET {path} was answered with {status}")) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.ok_or_else(|| std::io::Error::other(format!("no HTTP answer: {line:?}")))
}

/// The address of the first `http://IP:PORT` in a line of output.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once("http://")?.1;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit() && !".:[]".contains(c)).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_address_is_found_in_a_line_of_output() {
        for line in [
            "edge on http://127.0.0.1:4321",
            "\u{1b}[1mhttp://127.0.0.1:4321/docs\u{1b}[0m",
            "http://127.0.0.1:4321, x",
        ] {
            assert_eq!(address_in(line), Some(([127, 0, 0, 1], 4321).into()), "{line}");
        }
        assert_eq!(address_in("http://example.org"), None);
        assert_eq!(address_in("no address"), None);
    }

    #[test]
    fn the_status_of_an_answer_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            // The whole request is read: closing a socket with unread bytes resets the connection.
            let request: Vec<String> = BufReader::new(&stream)
                .lines()
                .map_while(std::result::Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            (&stream).write_all(b"HTTP/1.1 503 No\r\n\r\n").unwrap();
            request
        });
        assert_eq!(get(address, "/menu").unwrap(), 503);
        assert_eq!(server.join().unwrap()[0], "GET /menu HTTP/1.1");
    }
}
