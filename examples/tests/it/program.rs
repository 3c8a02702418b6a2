//! An example, running, and whoever asks it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A program that listens. Dropping it ends it at once.
pub(crate) struct Program {
    child: Child,
    address: String,
    data: Option<PathBuf>,
}

// === impl Program ===

impl Program {
    /// Starts it with those arguments, and waits until it says where it listens.
    pub(crate) fn start(binary: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut child = Command::new(binary).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address, data: None }
    }

    /// Starts it on a free port, with a directory of its own.
    pub(crate) fn on_data(name: &str, binary: &str) -> Self {
        let data = std::env::temp_dir().join(format!("{name}-it-{}", std::process::id()));
        let words = ["--listen", "127.0.0.1:0", "--data"].map(OsStr::new);
        let mut program = Self::start(binary, words.into_iter().chain([data.as_os_str()]));
        program.data = Some(data);
        program
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The whole answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let head = "Host: example\r\nConnection: close\r\nContent-Type: application/json";
        let length = body.len();
        write!(socket, "{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it as a person would, which succeeds.
    pub(crate) fn end(mut self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(data) = &self.data {
            drop(std::fs::remove_dir_all(data));
        }
    }
}
