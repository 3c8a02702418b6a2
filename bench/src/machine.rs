//! The facts of the machine, without which a figure says nothing.

use std::fs;
use std::num::NonZeroUsize;

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
