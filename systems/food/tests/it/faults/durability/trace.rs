//! What strace wrote down: system calls with the times they began and ended, counted in lines.

use std::collections::BTreeMap;

/// System calls in the order they began.
pub(super) struct Trace(Vec<SystemCall>);

#[derive(Debug, Clone)]
pub(super) struct SystemCall {
    pub(super) begun: usize,
    /// Never, if it did not end.
    pub(super) ended: usize,
    /// From its name on.
    text: String,
}

// === impl Trace ===

impl Trace {
    /// Reads `pid name(arguments) = result`, also in two halves: `<unfinished ...>` and `<... name resumed>`.
    pub(super) fn parse(text: &str) -> Self {
        let mut calls: Vec<SystemCall> = Vec::new();
        // Where the unfinished call of a thread is.
        let mut unfinished: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let Some((pid, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if rest.starts_with("<... ") {
                if let Some(call) = unfinished.remove(pid) {
                    calls[call].ended = number;
                }
                continue;
            }
            let is_whole = !rest.ends_with("<unfinished ...>");
            if !is_whole {
                unfinished.insert(pid, calls.len());
            }
            let ended = if is_whole { number } else { usize::MAX };
            calls.push(SystemCall { begun: number, ended, text: rest.to_owned() });
        }
        Self(calls)
    }

    /// The first call that begins from there on and writes such a text to such a file.
    pub(super) fn first_write(&self, file: &str, what: &str, from: usize) -> Option<SystemCall> {
        self.first(from, |call| !call.is_sync() && call.is_on(file) && call.text.contains(what))
    }

    /// The first call that begins from there on and forces that file to disk.
    pub(super) fn first_sync(&self, file: &str, from: usize) -> Option<SystemCall> {
        self.first(from, |call| call.is_sync() && call.is_on(file))
    }

    fn first(&self, from: usize, is_it: impl Fn(&SystemCall) -> bool) -> Option<SystemCall> {
        self.0.iter().find(|call| call.begun >= from && is_it(call)).cloned()
    }
}

impl SystemCall {
    fn is_sync(&self) -> bool {
        self.text.starts_with("fsync(") || self.text.starts_with("fdatasync(")
    }

    /// Whether its descriptor is that file; what it writes does not count.
    fn is_on(&self, file: &str) -> bool {
        self.text.split([',', ')']).next().is_some_and(|descriptor| descriptor.contains(file))
    }
}

#[test]
fn calls_are_read_whole_and_in_halves() {
    let trace = Trace::parse(
        "7 pwrite64(3</d/a-wal>, \"soup\", 4, 0) = 4\n\
         8 fdatasync(3</d/a-wal> <unfinished ...>\n\
         7 write(9<socket:[1]>, \"soup, /d/a-wal>\", 5) = 5\n\
         8 <... fdatasync resumed>)                = 0\n\
         8 +++ killed by SIGKILL +++\n",
    );
    let sync = trace.first_sync("/a-wal>", 0).unwrap();
    assert_eq!((sync.begun, sync.ended), (1, 3));
    assert!(trace.first_sync("/a-wal>", 2).is_none());
    assert_eq!(trace.first_write("/a-wal>", "soup", 0).unwrap().begun, 0);
    assert!(trace.first_write("/a-wal>", "soup", 1).is_none(), "a name in what is written is not a file");
    assert_eq!(trace.first_write("<", "soup", 1).unwrap().begun, 2);
}
