//! The facts of the machine, without which a figure says nothing.

use std::num::NonZeroUsize;
use std::path::Path;
use std::{fs, io};

/// What and its value. What the system does not tell is `unknown`, never left out.
pub fn facts() -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, NonZeroUsize::get);
    vec![
        ("cpu", field(&read("/proc/cpuinfo"), "model name")),
        ("cores", cores.to_string()),
        ("memory", field(&read("/proc/meminfo"), "MemTotal")),
        (
            "kernel",
            Some(read("/proc/sys/kernel/osrelease").trim().to_owned())
                .filter(|text| !text.is_empty())
                .unwrap_or_else(unknown),
        ),
        ("load", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
    ]
}

/// The kind of the file system a directory is on, as Linux says.
///
/// # Errors
/// When there is no such directory.
pub fn file_system(dir: &Path) -> io::Result<String> {
    let dir = fs::canonicalize(dir)?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let nearest = mounts.filter(|(at, _)| dir.starts_with(at)).max_by_key(|(at, _)| at.len());
    Ok(nearest.map_or_else(unknown, |(_, kind)| kind.to_owned()))
}

/// The value of the first `key : value` line.
fn field(text: &str, key: &str) -> String {
    let value = |line: &str| {
        line.split_once(':').filter(|(name, _)| name.trim() == key).map(|(_, v)| v.trim().to_owned())
    };
    text.lines().find_map(value).unwrap_or_else(unknown)
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: A Processor\n";
        assert_eq!(field(text, "model name"), "A Processor");
        assert_eq!(field(text, "name"), "unknown");
    }
}
