//! `cargo xtask dist`: the `partie` program as it ships, laid out by what a training load has shown to be asked often.
//!
//! The compiler counts in a first build what runs how often, and uses that in a second one (profile-guided optimisation). The
//! training load is `bench/src/gateway/training.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::process::{Result, capture, cargo, program, run, succeeds, target_dir};
use crate::setup;

/// The package of the program, and its name.
const PACKAGE: &str = "partie-app";
const PROGRAM: &str = "partie";
/// The program that has the training load, and how many processes it trains.
const LOAD: &str = "gateway";
const TRAINED: usize = 2;
/// What separates flags that are encoded.
const NEXT: &str = "\x1f";
/// The profile of Cargo's that benchmarks measure, and what ships.
const PROFILE: [&str; 2] = ["--profile", "dist"];

pub(crate) fn command(arguments: &[String]) -> Result {
    if !arguments.is_empty() {
        return Err("usage: cargo xtask dist".into());
    }
    println!("{}", shipped()?.display());
    Ok(())
}

/// Builds it if it is not what the sources say, and gives its place.
///
/// Nothing is trained again, and nothing built again, while the program that counts is the same.
pub(crate) fn shipped() -> Result<PathBuf> {
    let rustc = Rustc::ask()?;
    let merge = profdata(&rustc)?;
    let dir = target_dir()?.join("pgo");
    let counts = dir.join("counts");
    let counting = build(&rustc, &dir.join("counting"), &format!("-Cprofile-generate={}", counts.display()))?;
    let load = load()?;
    let profile = dir.join(format!("{}-{}.profdata", written(&counting)?, written(&load)?));
    if !profile.exists() {
        train(&load, &counting, &counts)?;
        add_up(&merge, &counts, &profile)?;
    }
    build(&rustc, &dir.join("shipped"), &format!("-Cprofile-use={}", profile.display()))
}

/// What the compiler says of itself.
struct Rustc {
    host: String,
    llvm: String,
    sysroot: PathBuf,
}

impl Rustc {
    fn ask() -> Result<Self> {
        let rustc = || program(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let (mut version, mut sysroot) = (rustc(), rustc());
        version.arg("-vV");
        sysroot.args(["--print", "sysroot"]);
        let version = capture(version)?;
        let (host, llvm) =
            host_and_llvm(&version).ok_or_else(|| format!("rustc does not say what it is: {version}"))?;
        Ok(Self { host, llvm, sysroot: capture(sysroot)?.trim().into() })
    }
}

/// The platform, and the major version of LLVM.
fn host_and_llvm(version: &str) -> Option<(String, String)> {
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?;
    Some((field("host:")?.to_owned(), llvm.to_owned()))
}

/// The program that adds up counts: the toolchain's own, or the distribution's of the same version of LLVM.
fn profdata(rustc: &Rustc) -> Result<PathBuf> {
    let own = rustc.sysroot.join("lib/rustlib").join(&rustc.host).join("bin/llvm-profdata");
    let theirs = PathBuf::from(format!("/usr/lib/llvm-{}/bin/llvm-profdata", rustc.llvm));
    let there = || [&own, &theirs].into_iter().find(|path| path.exists()).cloned();
    if let Some(path) = there() {
        return Ok(path);
    }
    let mut component = program("rustup");
    component.args(["component", "add", "llvm-tools"]);
    if !succeeds(component) {
        let how = |e| format!("llvm-profdata is missing: rustup component add llvm-tools, or {e}");
        setup::llvm(&rustc.llvm).map_err(how)?;
    }
    there().ok_or_else(|| format!("there is no {} and no {}", own.display(), theirs.display()))
}

/// The program, built with that flag. Naming the platform keeps the flag away from build scripts and macros.
fn build(rustc: &Rustc, target_dir: &Path, flag: &str) -> Result<PathBuf> {
    let mut command = cargo(["build", "--quiet", "--package", PACKAGE, "--target", &rustc.host]);
    command.args(PROFILE).arg("--target-dir").arg(target_dir);
    // Encoded, so that spaces in a path are no ends of a flag; this goes before whatever else says flags.
    let others = std::env::var("CARGO_ENCODED_RUSTFLAGS").ok().filter(|flags| !flags.is_empty());
    let others = others
        .or_else(|| Some(std::env::var("RUSTFLAGS").ok()?.split_whitespace().collect::<Vec<_>>().join(NEXT)));
    let flags: Vec<&str> =
        others.iter().map(String::as_str).filter(|flags| !flags.is_empty()).chain([flag]).collect();
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join(NEXT));
    run(command)?;
    Ok(target_dir.join(&rustc.host).join(PROFILE[1]).join(PROGRAM))
}

/// The training load: a program of the benchmarks.
fn load() -> Result<PathBuf> {
    let mut command = cargo(["build", "--quiet", "--package", "bench", "--bin", LOAD]);
    command.args(PROFILE);
    run(command)?;
    Ok(target_dir()?.join(PROFILE[1]).join(LOAD))
}

/// When a program was built, for the name of its profile: Cargo knows a profile by its name alone.
fn written(path: &Path) -> Result<u128> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let written = fs::metadata(path).and_then(|facts| facts.modified()).map_err(|e| failed(&e))?;
    Ok(written.duration_since(SystemTime::UNIX_EPOCH).map_err(|e| failed(&e))?.as_millis())
}

/// Runs the program under the training load.
fn train(load: &Path, counting: &Path, counts: &Path) -> Result {
    if counts.exists() {
        fs::remove_dir_all(counts).map_err(|e| format!("{}: {e}", counts.display()))?;
    }
    let mut load = program(load);
    load.arg("train").arg(counting).env("LLVM_PROFILE_FILE", counts.join("%p-%m.profraw"));
    run(load)?;
    // Each of its processes leaves one, if it ends as it should.
    let left = fs::read_dir(counts).map_or(0, Iterator::count);
    if left == TRAINED {
        Ok(())
    } else {
        Err(format!("{left} processes of {TRAINED} have said what they counted"))
    }
}

/// Makes one profile of the counts of several processes.
fn add_up(merge: &Path, counts: &Path, profile: &Path) -> Result {
    let unfinished = profile.with_extension("unfinished");
    let mut add = program(merge);
    add.args(["merge", "-o"]).arg(&unfinished).arg(counts);
    run(add)?;
    fs::rename(&unfinished, profile).map_err(|e| format!("{}: {e}", profile.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_says_its_platform_and_its_llvm() {
        let text = "rustc 1.95.0 (5980 2026-04-14)\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(host_and_llvm(text), Some(("x86_64-unknown-linux-gnu".to_owned(), "22".to_owned())));
        assert_eq!(host_and_llvm("rustc 1.95.0\n"), None);
    }
}
