//! An OpenID provider: oidc-provider from npm, which gives programs access tokens.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use crate::guard::{Directory, free_port, guarded};

/// How long it may take to be ready, in hundredths of a second.
const PATIENCE: u32 = 3000;

/// An OpenID provider with keys for RS256, ES256 and EdDSA. Dropping it ends it; so does the end of the process.
#[derive(Debug)]
pub struct OidcProvider {
    port: u16,
    server: Child,
    /// Where its script and its log are.
    _dir: Directory,
}

// === impl OidcProvider ===

impl OidcProvider {
    /// A running provider, whose access tokens are for that audience.
    ///
    /// # Panics
    /// When it is not installed, or does not start within half a minute.
    pub fn start(audience: &str) -> Self {
        let (dir, port) = (Directory::new("oidc"), free_port());
        let (script, log) = (dir.path().join("oidc.mjs"), dir.path().join("log"));
        fs::write(&script, include_str!("oidc.mjs")).unwrap();
        fs::write(&log, "").unwrap();
        let mut command = guarded("-KILL", &log);
        command.args(["node"]).arg(&script).arg(installed()).args([&port.to_string(), audience]);
        let server = command.spawn().unwrap();
        let provider = Self { port, server, _dir: dir };
        let said = || fs::read_to_string(&log).unwrap_or_default();
        for _ in 0..PATIENCE {
            if said().contains("ready") {
                return provider;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("oidc-provider does not start: {}", said());
    }

    /// `iss` of its tokens, below which its metadata are.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it answers a program that asks for a token which is signed by that algorithm: JSON with `access_token`. Its
    /// roles are `auditor` and `service`, in `realm_access.roles`, its scope is `orders.read`.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn token(&self, algorithm: &str) -> String {
        let asked = format!("grant_type=client_credentials&resource=urn:food:{algorithm}&scope=orders.read");
        // console:secret
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Basic Y29uc29sZTpzZWNyZXQ=\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{asked}",
            self.port,
            asked.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }
}

/// The directory in which `cargo xtask test --only setup` has installed it.
fn installed() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let inside = Path::new("xtask/oidc-provider");
    let found = test.ancestors().map(|dir| dir.join(inside)).find(|path| path.join("node_modules").exists());
    found.unwrap_or_else(|| panic!("oidc-provider is missing: cargo xtask test --only setup installs it"))
}
