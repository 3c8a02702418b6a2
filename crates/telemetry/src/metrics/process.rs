//! The figures of the process, read from `/proc` when somebody asks.

use std::fs;

/// Linux reports to user space in hundredths of a second whatever the kernel ticks in (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Appends what can be read. Elsewhere than on Linux that is nothing.
///
/// The names are those of Prometheus' own client libraries, not OpenTelemetry's: every dashboard and alert in use
/// asks for them.
pub(super) fn write(text: &mut String) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let system = fs::read_to_string("/proc/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);

    metric(text, "cpu_seconds_total", "counter", "User and system CPU time, in seconds", cpu(&stat));
    metric(text, "resident_memory_bytes", "gauge", "Resident memory, in bytes", resident(&status));
    metric(text, "threads", "gauge", "Threads", field(&status, "Threads:"));
    // The listing itself holds one.
    metric(text, "open_fds", "gauge", "Open file descriptors", open.map(|open| open - 1.0));
    metric(text, "max_fds", "gauge", "File descriptors that may be open", field(&limits, "Max open files"));
    metric(
        text,
        "start_time_seconds",
        "gauge",
        "Start, in seconds since the Unix epoch",
        start(&stat, &system),
    );
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str, value: Option<f64>) {
    if let Some(value) = value {
        text.push_str(&format!(
            "# HELP process_{name} {help}\n# TYPE process_{name} {kind}\nprocess_{name} {value}\n\n"
        ));
    }
}

/// The first number after a key at the start of a line.
fn field(text: &str, key: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The field of `/proc/PID/stat` with that number in proc(5), where 3 is the state. The program's name before it is in
/// parentheses and may hold anything.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

fn resident(status: &str) -> Option<f64> {
    Some(field(status, "VmRSS:")? * 1024.0)
}

fn start(stat: &str, system: &str) -> Option<f64> {
    Some(field(system, "btime ")? + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 3 0 12345 1000 200";
        assert_eq!(cpu(stat), Some(2.0));
        assert_eq!(start(stat, "cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_123.45));
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2_097_152.0));
        assert_eq!(resident("Name:\tx\n"), None);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let mut text = String::new();
        metric(&mut text, "x", "gauge", "X", None);
        assert_eq!(text, "");
    }
}
