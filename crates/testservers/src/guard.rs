//! What lives no longer than its test: directories, and servers that end when their input does.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes when it is dropped, or when the process ends, however that ends.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Removes it once its input ends.
    janitor: Child,
}

// === impl Directory ===

impl Directory {
    pub(crate) fn new(of: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("partie-{of}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        let mut janitor = Command::new("sh");
        janitor.args(["-c", "trap '' INT TERM; cat > /dev/null; sleep 1; rm -rf \"$0\""]).arg(&path);
        let janitor = janitor.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Self { path, janitor }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        drop(self.janitor.wait());
    }
}

/// A shell that runs the program whose name and arguments are still to be added, with what it says in that file. It
/// sends the program that signal when its own input ends, which it does with our process.
pub(crate) fn guarded(signal: &str, log: &Path) -> Command {
    // A background process of a shell has no input of its own; the third descriptor keeps ours for it.
    let script = format!(
        "exec 3<&0; \"$@\" < /dev/null >> \"$0\" 2>&1 & pid=$!
         (cat <&3 > /dev/null; kill {signal} $pid) 2> /dev/null & cat=$!
         wait $pid; kill $cat"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(log);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Free a moment ago; the system does not give it out again at once.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
