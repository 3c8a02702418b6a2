//! The Python that runs Flask services, of the tutorial's chain and of the sidecar's example: a virtual environment with
//! what `bench/flask/requirements.txt` pins.

use std::path::PathBuf;

use crate::process::{Result, program, root, run, succeeds, target_dir};

/// The environment variable in which the benchmark looks for it.
pub(super) const PYTHON: &str = "BENCH_FLASK_PYTHON";

/// Makes the environment if it is not there, or not what is pinned.
pub(crate) fn python() -> Result<PathBuf> {
    let dir = target_dir()?.join("xtask").join("flask");
    let python = dir.join("bin").join("python");
    let pinned = root().join("bench/flask/requirements.txt");
    let noted = dir.join("requirements.txt");
    let wanted = std::fs::read_to_string(&pinned).map_err(|e| format!("{}: {e}", pinned.display()))?;
    if python.exists() && std::fs::read_to_string(&noted).is_ok_and(|noted| noted == wanted) {
        return Ok(python);
    }
    let mut probe = program("python3");
    probe.args(["-c", "import venv, ensurepip"]);
    if !succeeds(probe) {
        return Err("Flask services need Python: sudo apt-get install python3-venv".into());
    }
    let mut venv = program("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&dir);
    run(venv)?;
    let mut pip = program(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&pinned);
    run(pip).map_err(|e| format!("{e}; it needs PyPI once"))?;
    // Last, so that an environment that was not finished is made again.
    std::fs::write(&noted, wanted).map_err(|e| format!("{}: {e}", noted.display()))?;
    Ok(python)
}
