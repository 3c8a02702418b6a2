//! Somebody who talks to the program over one connection, and says everything again until it was heard.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;
use serde_json::Value;

use super::stage::Stage;
use super::states;
use crate::program::Answer;

/// How long somebody says the same before they give up, which fails the test.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long they wait before they say it again.
const A_MOMENT: Duration = Duration::from_millis(15);

/// Somebody with a token.
pub(crate) struct Caller<'s> {
    stage: &'s Stage,
    token: String,
    line: Option<BufReader<TcpStream>>,
}

// === impl Caller ===

impl<'s> Caller<'s> {
    pub(crate) fn new(stage: &'s Stage, subject: &str, role: &str) -> Self {
        Self { stage, token: stage.token(subject, role), line: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.insist("GET", path, "", None)
    }

    /// Asks for news, and waits for some up to so many seconds.
    pub(crate) fn wait(&mut self, path: &str, seconds: u32) -> Answer {
        self.insist("GET", path, &format!("Prefer: wait={seconds}\r\n"), None)
    }

    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.insist("PUT", path, "", Some(body))
    }

    /// The key is the same however often it has to be said.
    pub(crate) fn post(&mut self, path: &str, key: &str, body: Option<&Value>) -> Answer {
        self.insist("POST", path, &format!("Idempotency-Key: {key}\r\n"), body)
    }

    /// Something that may be said twice.
    pub(crate) fn report(&mut self, path: &str, body: &Value) -> Answer {
        self.insist("POST", path, "", Some(body))
    }

    /// Says it until there is an answer that is one: yes, or a no for a reason.
    fn insist(&mut self, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Answer {
        let until = monotonic() + PATIENCE;
        loop {
            let last = match self.exchange(method, path, headers, body) {
                Ok(answer) => match answer.status {
                    200..300 => {
                        if self.stage.is_watched {
                            states::hear(path, &answer);
                        }
                        return answer;
                    }
                    // Somebody on the way broke off, is not there, or is too late.
                    502..=504 => format!("{answer:?}"),
                    409 if answer.code() == "idempotency-in-progress" => format!("{answer:?}"),
                    400..500 => return answer,
                    _ => panic!("{method} {path}: {answer:?}"),
                },
                Err(error) => {
                    self.line = None;
                    error.to_string()
                }
            };
            assert!(monotonic() < until, "{method} {path} is not answered: {last}");
            thread::sleep(A_MOMENT);
        }
    }

    fn exchange(&mut self, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Result<Answer> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => {
                let socket = TcpStream::connect(self.stage.address())?;
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(socket)
            }
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: food\r\nAuthorization: Bearer {}\r\n{headers}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        line.get_mut().write_all(request.as_bytes())?;
        let answer = read(&mut line)?;
        if !answer.head.contains("connection: close") {
            self.line = Some(line);
        }
        Ok(answer)
    }
}

/// Reads one answer whose length is known.
fn read(line: &mut BufReader<TcpStream>) -> Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if line.read_line(&mut head)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
    }
    let head = head.to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let length = head.lines().find_map(|header| header.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    let mut text = vec![0; length];
    line.read_exact(&mut text)?;
    Ok(Answer { status, head, text: String::from_utf8(text).expect("UTF-8") })
}
