//! The network between the machines: one bridge, an address for each, and no way out.

use crate::process::{Result, capture, program};

/// The machines and their addresses.
pub(super) const MACHINES: &[(&str, &str)] = &[
    ("laptop", "10.77.0.9"),
    ("machine-1", "10.77.0.1"),
    ("machine-2", "10.77.0.2"),
    ("machine-3", "10.77.0.3"),
];

/// Makes them. Only what is in this process's own namespaces is touched.
pub(super) fn join() -> Result {
    // Programs look up themselves there; and names of machines are nobody else's.
    for line in [
        "mount -t proc proc /proc",
        "mount -t tmpfs tmpfs /run",
        "ip link add lan type bridge",
        "ip link set lan up",
    ] {
        said(line)?;
    }
    for (number, (name, address)) in MACHINES.iter().enumerate() {
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add port-{number} type veth peer name eth0 netns {name}"),
            format!("ip link set port-{number} master lan up"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} address add {address}/24 dev eth0"),
            format!("ip -n {name} link set eth0 up"),
        ] {
            said(&line)?;
        }
    }
    Ok(())
}

fn said(line: &str) -> Result {
    let mut words = line.split(' ');
    let mut command = program(words.next().unwrap_or_default());
    command.args(words);
    capture(command).map(drop)
}
