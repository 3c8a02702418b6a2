//! What the mesh costs: CPU time of a call through it, of the same call on bare hyper connections, and of calls to one
//! instance and to one of 10,000; and how long a registry takes to tell of a change.
//!
//! `cargo xtask bench mesh [ROUNDS] [SECONDS]` (7 rounds of 3 s). The server and each caller are children of this
//! program; callers run one after the other, in turns; medians count. The method and the figures are in
//! `docs/bench/mesh.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bench::mesh::{Caller, upstream, watch};
use bench::{Child, Error, Table, facts, median, rounds_and_time};

/// The first calls, which do not count.
const WARM: Duration = Duration::from_secs(1);
/// The most a call through the mesh may cost.
const LIMIT: f64 = 1.2;
/// The most a call to one of 10,000 instances may cost.
const PICK_LIMIT: f64 = 1.5;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => upstream::serve(),
        ["call", caller, to, seconds] => {
            let (calls, cpu) =
                Caller::named(caller)?.run(to.parse()?, Duration::from_secs(seconds.parse()?))?;
            println!("{calls} {}", cpu.as_micros());
            Ok(())
        }
        ref rounds => {
            let (rounds, time) = rounds_and_time("mesh", rounds, (7, 3))?;
            compare(rounds, time)
        }
    }
}

fn compare(rounds: usize, time: Duration) -> Result<(), Error> {
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{rounds} rounds of {time:?}, {} calls at a time\n", Caller::AT_ONCE);
    let server = Child::start(&["serve"])?;
    let mut costs: Vec<(Caller, Vec<f64>)> = Caller::ALL.iter().map(|caller| (*caller, Vec::new())).collect();
    for (caller, _) in &costs {
        call(*caller, server.address(), WARM)?;
    }
    for round in 1..=rounds {
        for (caller, costs) in &mut costs {
            let cost = call(*caller, server.address(), time)?;
            println!("round {round}  {:<28} {cost:>7.2} us/call", caller.name());
            costs.push(cost);
        }
    }
    let mut table = Table::new(&["call", "CPU us/call"]);
    for (caller, costs) in &costs {
        table.row(caller.name(), [format!("{:.2}", median(costs.iter().copied()))]);
    }
    println!("\n{table}");

    let latency = watch::at(10_000)?;
    println!("a change among 10,000 instances is known after {latency}\n");

    // Of neighbours in time, not of the two medians: what slows the machine down slows both.
    let of = |wanted: Caller| {
        costs
            .iter()
            .find(|(caller, _)| *caller == wanted)
            .map(|(_, costs)| costs.as_slice())
            .unwrap_or_default()
    };
    let ratio =
        |one: Caller, other: Caller| median(of(one).iter().zip(of(other)).map(|(one, other)| one / other));
    let mesh = ratio(Caller::Mesh, Caller::Hyper);
    let pick = ratio(Caller::MeshOfMany, Caller::Mesh);
    println!("at most {LIMIT}: {}", if mesh <= LIMIT { "kept" } else { "BROKEN" });
    println!("RATIO mesh_vs_hyper {mesh:.3}");
    println!("at most {PICK_LIMIT}: {}", if pick <= PICK_LIMIT { "kept" } else { "BROKEN" });
    println!("RATIO pick_10k_vs_1 {pick:.3}");
    Ok(())
}

/// CPU time of a call, in microseconds.
fn call(caller: Caller, to: SocketAddr, time: Duration) -> Result<f64, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["call", caller.name(), &to.to_string(), &time.as_secs().to_string()]);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = said
        .split_once(' ')
        .and_then(|(calls, cpu)| Some((calls.trim().parse::<f64>().ok()?, cpu.trim().parse::<f64>().ok()?)));
    match figures {
        Some((calls, cpu)) if calls > 0.0 => Ok(cpu / calls),
        _ => Err(format!("{}: {said}{}", caller.name(), String::from_utf8_lossy(&output.stderr)).into()),
    }
}
