//! A mail server: aiosmtpd, which notes what it is given.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use crate::guard::{Directory, free_port, guarded};

/// How long it may take to be ready, in hundredths of a second.
const PATIENCE: u32 = 3000;

/// A mail server. Dropping it ends it at once; so does the end of the process, however that ends.
///
/// It takes mail to everybody but these: `nobody@` is refused for good, `busy-N@` for now, N times; after the mail of
/// `dies-N@` it dies without a word, N times; of `silence@` it takes the mail and never says so.
#[derive(Debug)]
pub struct MailServer {
    dir: Directory,
    port: u16,
    options: Vec<String>,
    server: Mutex<Option<Child>>,
}

// === impl MailServer ===

impl MailServer {
    /// A server that is not running yet; [`restart`](Self::restart) starts it.
    ///
    /// Options: `--login USER:PASSWORD` wants that from everybody; `--starttls CERTIFICATE KEY` wants encryption before
    /// anything else, `--tls CERTIFICATE KEY` from the first byte, each with files of PEM.
    pub fn new(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mail = Self { dir: Directory::new("mail"), port: free_port(), options, server: Mutex::new(None) };
        fs::write(mail.notes(), "").unwrap();
        fs::write(mail.script(), include_str!("mail.py")).unwrap();
        mail
    }

    /// A running server.
    ///
    /// # Panics
    /// When it is not installed, or does not start within half a minute.
    pub fn start(options: &[&str]) -> Self {
        let mail = Self::new(options);
        mail.restart();
        mail
    }

    /// Starts it, on its port and with its notes; a server that runs ends before.
    ///
    /// # Panics
    /// When it does not start within half a minute.
    pub fn restart(&self) {
        self.kill();
        let log = self.dir.path().join("log");
        fs::write(&log, "").unwrap();
        let mut command = guarded("-KILL", &log);
        command.arg(installed()).arg(self.script()).args(["--port", &self.port.to_string()]);
        command.arg("--mails").arg(self.notes()).args(&self.options);
        *self.server.lock().unwrap() = Some(command.spawn().unwrap());
        let said = || fs::read_to_string(&log).unwrap_or_default();
        for _ in 0..PATIENCE {
            if said().contains("ready") {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("aiosmtpd does not start: {}", said());
    }

    /// Ends it as the loss of its process would.
    pub fn kill(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            drop(server.stdin.take());
            server.wait().unwrap();
        }
    }

    /// Waits until it has died of a mail.
    ///
    /// # Panics
    /// When it lives on for half a minute.
    pub fn wait(&self) {
        let mut server = self.server.lock().unwrap();
        for _ in 0..PATIENCE {
            // To wait for it would end its input, and so itself.
            if server.as_mut().is_none_or(|server| server.try_wait().unwrap().is_some()) {
                *server = None;
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("the mail server does not die");
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it was given, a line of JSON each: `{"what": "mail", "from", "to", "id", "data", "tls", "user", "peer"}` of a
    /// mail, `id` being its Message-ID and `peer` the port it came from; `{"what": "asked", "to"}` of a recipient.
    pub fn notes(&self) -> PathBuf {
        self.dir.path().join("mails.jsonl")
    }

    fn script(&self) -> PathBuf {
        self.dir.path().join("mail.py")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if let Ok(Some(server)) = self.server.get_mut() {
            // The end of its input ends it.
            drop(server.stdin.take());
            drop(server.wait());
        }
    }
}

/// The Python of a package that `cargo xtask test --only setup` has installed in the target directory: the one this test was
/// built in.
///
/// # Panics
/// When it is not there.
pub fn python_with(package: &str) -> PathBuf {
    let inside = Path::new("xtask").join(package).join("bin/python");
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|dir| dir.join(&inside)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{package} is missing: cargo xtask test --only setup installs it"))
}

fn installed() -> PathBuf {
    python_with("aiosmtpd")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn it_notes_mail_and_comes_back() {
        let mail = MailServer::start(&[]);
        let address = (std::net::Ipv4Addr::LOCALHOST, mail.port());
        let mut stream = TcpStream::connect(address).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for (said, answer) in [
            ("", "220"),
            ("HELO test\r\n", "250"),
            ("MAIL FROM:<a@b.cd>\r\n", "250"),
            ("RCPT TO:<nobody@b.cd>\r\n", "550"),
            ("RCPT TO:<busy-1@b.cd>\r\n", "450"),
            ("RCPT TO:<busy-1@b.cd>\r\n", "250"),
            ("DATA\r\n", "354"),
            ("Message-ID: <one>\r\n\r\nsoup\r\n.\r\n", "250"),
        ] {
            stream.write_all(said.as_bytes()).unwrap();
            let line = lines.next().unwrap().unwrap();
            assert!(line.starts_with(answer), "{said}: {line}");
        }
        let notes = fs::read_to_string(mail.notes()).unwrap();
        assert!(notes.lines().last().unwrap().contains(r#""id": "<one>""#), "{notes}");
        mail.kill();
        assert!(TcpStream::connect(address).is_err());
        mail.restart();
        assert!(TcpStream::connect(address).is_ok());
        assert_eq!(fs::read_to_string(mail.notes()).unwrap(), notes);
    }
}
