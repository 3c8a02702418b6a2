//! The outside tools of the test run: installs what is missing, or says exactly how.

use std::path::PathBuf;

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
    Tool {
        name: "python3 with venv",
        why: "an outside program validates the OpenAPI files, and the tutorial's gRPC client is one",
        probe: &["python3", "-c", "import venv, ensurepip"],
        package: "python3-venv",
    },
    TRACER,
];

const TRACER: Tool = Tool {
    name: "strace",
    why: "the durability test watches the system calls of a commit",
    probe: &["strace", "--version"],
    package: "strace",
};

/// A virtual environment of Python, and what is in it. Pinned, so that a new release of it cannot break a build.
struct Venv {
    name: &'static str,
    packages: &'static [(&'static str, &'static str)],
}

/// Validates the OpenAPI files from outside.
const VALIDATOR: Venv = Venv { name: "openapi-validator", packages: &[("openapi-spec-validator", "0.9.0")] };
/// The tutorial's gRPC client; the tests of the nCr system look for it in the build directory.
const GRPCIO: Venv = Venv { name: "grpcio", packages: &[("grpcio", "1.85.1"), ("grpcio-tools", "1.85.1")] };

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
    for venv in [VALIDATOR, GRPCIO] {
        if venv.python().is_err() {
            venv.install()?;
            installed.push(venv.name);
        }
    }
    Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(", ")) })
}

/// Fails unless the durability test can trace system calls.
pub(crate) fn require_tracer() -> Result {
    if present(&TRACER) { Ok(()) } else { Err(missing(&TRACER)) }
}

/// The Python that has the OpenAPI validator.
pub(crate) fn validator() -> Result<PathBuf> {
    VALIDATOR.python()
}

/// Fails unless the tutorial's gRPC client can run.
pub(crate) fn require_grpcio() -> Result {
    GRPCIO.python().map(|_| ())
}

impl Venv {
    /// Its Python, if all packages are there in their versions.
    fn python(&self) -> Result<PathBuf> {
        let python = self.dir()?.join("bin").join("python");
        for (package, version) in self.packages {
            let absent =
                || format!("{package} {version} is missing: cargo xtask test --only setup installs it");
            let mut probe = program(&python);
            probe.args(["-c", &format!("import importlib.metadata as m; print(m.version('{package}'))")]);
            if !python.exists() || capture(probe)?.trim() != *version {
                return Err(absent());
            }
        }
        Ok(python)
    }

    fn dir(&self) -> Result<PathBuf> {
        Ok(target_dir()?.join("xtask").join(self.name))
    }

    fn install(&self) -> Result {
        let dir = self.dir()?;
        let mut venv = program("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&dir);
        run(venv)?;
        let mut pip = program(dir.join("bin").join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(self.packages.iter().map(|(package, version)| format!("{package}=={version}")));
        run(pip).map_err(|e| format!("{e}; it needs PyPI once"))?;
        self.python().map(|_| ())
    }
}

fn present(tool: &Tool) -> bool {
    let mut command = program(tool.probe[0]);
    command.args(&tool.probe[1..]);
    // System calls are traced on Linux only, and so is the durability test.
    succeeds(command) || (tool.name == TRACER.name && !cfg!(target_os = "linux"))
}

/// Installs without asking only where nobody else is concerned: as root on a machine with apt.
fn install(tool: &Tool) -> Result {
    let mut id = program("id");
    id.arg("-u");
    let mut apt = program("apt-get");
    apt.arg("--version");
    if capture(id)?.trim() != "0" || !succeeds(apt) {
        return Err(missing(tool));
    }
    for arguments in
        [&["update", "-qq"][..], &["install", "-qq", "--yes", "--no-install-recommends", tool.package]]
    {
        let mut apt = program("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(apt)?;
    }
    if present(tool) { Ok(()) } else { Err(missing(tool)) }
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
