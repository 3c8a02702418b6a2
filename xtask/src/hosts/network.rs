//! Two hosts and the link between them. This process is on host A.

use crate::process::{Result, capture, program};

/// The addresses of the hosts.
pub(super) const A: &str = "10.77.0.1";
pub(super) const B: &str = "10.77.0.2";
/// The name of host B.
const OTHER: &str = "host-b";

/// Makes host B, and joins it with this one. Only what is in this process's own namespaces is touched.
pub(super) fn join() -> Result {
    for line in [
        // Programs look up themselves there; and names of hosts are nobody else's.
        "mount -t proc proc /proc",
        "mount -t tmpfs tmpfs /run",
        "ip link set lo up",
        "ip netns add host-b",
        "ip link add link-a type veth peer name link-b netns host-b",
        "ip address add 10.77.0.1/24 dev link-a",
        "ip link set link-a up",
        "ip -n host-b link set lo up",
        "ip -n host-b address add 10.77.0.2/24 dev link-b",
        "ip -n host-b link set link-b up",
    ] {
        said(line)?;
    }
    Ok(())
}

/// Cuts host B off. It is B's end of the link that goes down: what A sends is lost without an answer.
pub(super) fn cut() -> Result {
    said("ip -n host-b link set link-b down")
}

/// Joins the hosts again.
pub(super) fn mend() -> Result {
    said("ip -n host-b link set link-b up")
}

/// What makes a command run on host B.
pub(super) fn on_b() -> [&'static str; 4] {
    ["ip", "netns", "exec", OTHER]
}

fn said(line: &str) -> Result {
    let mut words = line.split(' ');
    let mut command = program(words.next().unwrap_or_default());
    command.args(words);
    capture(command).map(drop)
}
