//! Programs that come from npm: each in a directory of its own in the target directory.

use std::path::PathBuf;

use crate::process::{Result, program, run, target_dir};

/// A package, pinned, so that a new release of it cannot break a build.
struct Package {
    name: &'static str,
    version: &'static str,
}

/// A certified OpenID provider. The tests of identity look for it there.
const OIDC: Package = Package { name: "oidc-provider", version: "8.8.1" };

/// Installs what is missing, and names it.
pub(super) fn step() -> Result<Vec<&'static str>> {
    let mut installed = Vec::new();
    for package in [&OIDC] {
        if !present(package)? {
            install(package)?;
            installed.push(package.name);
        }
    }
    Ok(installed)
}

fn dir(package: &Package) -> Result<PathBuf> {
    Ok(target_dir()?.join("xtask").join(package.name))
}

fn present(package: &Package) -> Result<bool> {
    let manifest = dir(package)?.join("node_modules").join(package.name).join("package.json");
    let version = format!("\"version\": \"{}\"", package.version);
    Ok(std::fs::read_to_string(manifest).is_ok_and(|text| text.contains(&version)))
}

fn install(package: &Package) -> Result {
    let dir = dir(package)?;
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    // One of its own, so that npm does not look for one further up.
    let manifest = dir.join("package.json");
    std::fs::write(&manifest, "{ \"private\": true }\n")
        .map_err(|e| format!("{}: {e}", manifest.display()))?;
    let mut npm = program("npm");
    npm.current_dir(&dir).args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]);
    npm.arg(format!("{}@{}", package.name, package.version));
    run(npm).map_err(|e| format!("{e}; it needs npm's registry once"))?;
    match present(package)? {
        true => Ok(()),
        false => Err(format!("npm did not install {} {}", package.name, package.version)),
    }
}
