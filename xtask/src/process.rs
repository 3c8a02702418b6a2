//! Runs other programs for the steps: echoed, without standard input, with errors that name the command.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What every command and step gives: a value, or the sentence to print last.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The repository. Cargo says it at run time; the fallback serves a binary that was started by hand.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A program to run from the repository root.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    // Cargo describes xtask itself in these. Build scripts that watch them (ring's does) would run again each time a
    // developer alternates between `cargo test` and `cargo xtask test`.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_this_package) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_this_package(variable: &str) -> bool {
    let own = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_MANIFEST_LINKS", "CARGO_BIN_NAME"];
    variable.starts_with("CARGO_PKG_")
        || own.contains(&variable)
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&variable)
}

/// The cargo that started this program, so that both agree on the toolchain.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs a command whose output goes straight to the terminal.
pub(crate) fn run(mut command: Command) -> Result {
    echo(&command);
    let status = command.status().map_err(|e| not_started(&command, &e))?;
    if status.success() { Ok(()) } else { Err(ended(&command, status)) }
}

/// Runs a command and gives what it printed to standard output. Standard error goes to the terminal.
pub(crate) fn capture(mut command: Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| not_started(&command, &e))?;
    if !output.status.success() {
        return Err(ended(&command, output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("`{}` printed no UTF-8: {e}", shown(&command)))
}

/// Runs a command, prints each line of its standard output and gives it to `look` as well.
pub(crate) fn follow(mut command: Command, mut look: impl FnMut(&str)) -> Result {
    echo(&command);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| not_started(&command, &e))?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n').map_while(std::result::Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            look(&line);
        }
    }
    let status = child.wait().map_err(|e| not_started(&command, &e))?;
    if status.success() { Ok(()) } else { Err(ended(&command, status)) }
}

/// Whether a command can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// The build directory, wherever CARGO_TARGET_DIR or a configuration file puts it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let text = capture(cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo names no target directory".into())
}

/// Tracked files, and new ones that git would take: what is about to be committed counts already.
pub(crate) fn files_of(root: &Path) -> Result<Vec<String>> {
    let mut git = program("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = capture(git)?;
    // Git goes on listing a deleted file until the deletion is committed.
    let present = listed.split('\0').filter(|path| !path.is_empty() && root.join(path).is_file());
    Ok(present.map(str::to_owned).collect())
}

/// How long something took.
#[expect(clippy::disallowed_methods, reason = "xtask measures real time and takes part in no simulation")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}

fn echo(command: &Command) {
    println!("$ {}", shown(command));
}

/// The command as a person would type it: the program without its directory.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_else(|| command.get_program());
    std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` cannot be started: {error}", shown(command))
}

fn ended(command: &Command, status: std::process::ExitStatus) -> String {
    format!("`{}` ended with {status}", shown(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_command_and_its_end() {
        let mut command = program("sh");
        command.args(["-c", "exit 3"]);
        assert_eq!(run(command).unwrap_err(), "`sh -c exit 3` ended with exit status: 3");
        assert!(capture(program("no-such-program-here")).unwrap_err().contains("cannot be started"));
    }

    #[test]
    fn output_is_followed_line_by_line() {
        let mut command = program("printf");
        command.arg("one\\ntwo");
        let mut lines = Vec::new();
        follow(command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn children_do_not_inherit_the_description_of_xtask() {
        assert!(describes_this_package("CARGO_PKG_NAME") && describes_this_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_this_package("CARGO_TARGET_DIR") && !describes_this_package("CARGO"));
        let mut command = program("sh");
        command.args(["-c", "echo ${CARGO_PKG_NAME:-none}"]);
        assert_eq!(capture(command).unwrap(), "none\n");
    }
}
