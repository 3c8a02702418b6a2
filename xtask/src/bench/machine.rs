//! The facts of the machine, without which a figure says nothing.

use std::path::Path;

use crate::process::{Result, capture, cargo, target_dir};

/// What and its value, in the order to print. What the system does not tell is `unknown`, never left out.
pub(crate) fn facts() -> Result<Vec<(&'static str, String)>> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".into());
    let mounts = read("/proc/mounts");
    let cores = std::thread::available_parallelism().map_err(|e| e.to_string())?;
    let (target, temporary) = (target_dir()?, std::env::temp_dir());
    Ok(vec![
        ("cpu", or_unknown(field(&read("/proc/cpuinfo"), "model name"))),
        ("cores", cores.to_string()),
        ("memory", or_unknown(field(&read("/proc/meminfo"), "MemTotal"))),
        (
            "kernel",
            or_unknown(Some(read("/proc/sys/kernel/osrelease").trim().to_owned()).filter(|k| !k.is_empty())),
        ),
        ("filesystem", format!("build {}, temporary {}", on(&mounts, &target), on(&mounts, &temporary))),
        ("toolchain", capture(cargo(["--version"]))?.trim().to_owned()),
    ])
}

/// The value of the first `key : value` line.
fn field(text: &str, key: &str) -> Option<String> {
    let value =
        |line: &str| line.split_once(':').filter(|(k, _)| k.trim() == key).map(|(_, v)| v.trim().to_owned());
    text.lines().find_map(value)
}

/// The type of the filesystem a directory lies on: that of the longest mount point above it.
fn on(mounts: &str, dir: &Path) -> String {
    let mut best = (0, "unknown");
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(point), Some(kind)) = (words.next(), words.next()) {
            // Later mounts hide earlier ones at the same point.
            if dir.starts_with(point) && point.len() >= best.0 {
                best = (point.len(), kind);
            }
        }
    }
    best.1.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filesystem_is_that_of_the_nearest_mount_point() {
        let mounts =
            "a / ext4 rw 0 0\nb /data xfs rw 0 0\nc /data/fast tmpfs rw 0 0\nd /data/fast btrfs rw 0 0\n";
        for (dir, expected) in
            [("/var", "ext4"), ("/data/x", "xfs"), ("/data/fast/x", "btrfs"), ("/database", "ext4")]
        {
            assert_eq!(on(mounts, Path::new(dir)), expected, "{dir}");
        }
        assert_eq!(on("", Path::new("/var")), "unknown");
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: A Processor\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A Processor"));
        assert_eq!(field(text, "name"), None);
    }
}
