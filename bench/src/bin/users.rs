//! What users cost: logins beside the bare hash of their passwords, refreshes, and the verification of tokens.
//!
//! `cargo xtask bench users [ROUNDS] [SECONDS]` (5 rounds of 4 s): the bare hash and the program as it ships take turns;
//! medians count. The method and the figures are in `docs/bench/users.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::hint::black_box;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use bench::{Child, Connection, End, Error, Table, facts, median, request, rounds_and_time};
use futures_util::future::try_join_all;
use partie::identity::{self, Grant, Signer, Verifier};
use partie_runtime::monotonic;
use serde_json::{Value, json};

/// How many of the bare hashes a second logins have to reach.
const LEAST: f64 = 0.9;
/// Accounts, and connections that sign in to them.
const ACCOUNTS: usize = 64;
const CALLERS: usize = 8;
/// Tokens that are verified: fewer than are remembered.
const TOKENS: usize = 2_000;
const PASSWORD: &str = "a difference engine";

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (rounds, time) = rounds_and_time("users", &arguments, (5, 4))?;
    let dist = std::env::current_exe()?.parent().map_or_else(PathBuf::new, Path::to_owned);
    let dir = dist.join(format!("bench-users-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{rounds} rounds of {time:?}, in turns\n");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(compare(&dist.join("users"), &dir, rounds, time)).and_then(|()| verify());
    fs::remove_dir_all(&dir)?;
    result
}

/// Logins beside the bare hash, and refreshes.
async fn compare(binary: &Path, dir: &Path, rounds: usize, time: Duration) -> Result<(), Error> {
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(dir).env("PARTIE__REGISTRY__CONSUL", "false");
    // Every login is a line of its audit, which is written but need not be read here.
    command.stderr(Stdio::null());
    let program = Child::run(command, End::Kill)?;
    let to = program.address();
    for number in 0..ACCOUNTS {
        register(binary, dir, to, number).await?;
    }
    let (mut hashes, mut logins, mut refreshes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let hash = bare(time)?;
        let login = per_second(to, time, sign_in).await?;
        let refresh = per_second(to, time, keep_fresh).await?;
        // Nobody measures what has not warmed up.
        if round > 0 {
            println!(
                "round {round}  hashes {hash:>7.1}/s  logins {login:>7.1}/s  refreshes {refresh:>8.0}/s"
            );
            hashes.push(hash);
            logins.push(login);
            refreshes.push(refresh);
        }
    }
    let mut table = Table::new(&["", "a second"]);
    for (name, of) in [("bare Argon2id", &hashes), ("logins", &logins), ("refreshes", &refreshes)] {
        table.row(name, [format!("{:.0}", median(of.iter().copied()))]);
    }
    println!("\n{table}");
    // Of neighbours in time: what slows the machine down slows both.
    let ratio = median(hashes.iter().zip(&logins).map(|(hash, login)| login / hash));
    println!("at least {LEAST}: {}", if ratio >= LEAST { "kept" } else { "BROKEN" });
    println!("RATIO login_vs_argon2 {ratio:.2}");
    println!("resident     {} KiB\n", program.resident_kib()?);
    Ok(())
}

/// Hashes a second on all cores, by the library alone.
fn bare(time: Duration) -> Result<f64, Error> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(|error| error.to_string())?;
    let begun = monotonic();
    let counted: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| {
                let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                scope.spawn(move || {
                    let (mut count, mut tag) = (0, [0; 32]);
                    while begun.elapsed() < time {
                        if argon
                            .hash_password_into(PASSWORD.as_bytes(), b"sixteen bytes of", &mut tag)
                            .is_ok()
                        {
                            count += 1;
                        }
                        black_box(tag);
                    }
                    count
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    Ok(counted as f64 / begun.elapsed().as_secs_f64())
}

/// How often a second callers get something done, each one thing after the other.
async fn per_second<F>(to: SocketAddr, time: Duration, caller: impl Fn(Caller) -> F) -> Result<f64, Error>
where
    F: Future<Output = Result<usize, Error>>,
{
    let begun = monotonic();
    let until = begun + time;
    let callers = (0..CALLERS).map(|number| caller(Caller { to, number, until }));
    let counted: usize = try_join_all(callers).await?.into_iter().sum();
    Ok(counted as f64 / begun.elapsed().as_secs_f64())
}

/// Somebody with a connection of their own.
#[derive(Clone, Copy)]
struct Caller {
    to: SocketAddr,
    number: usize,
    until: std::time::Instant,
}

async fn sign_in(caller: Caller) -> Result<usize, Error> {
    let mut connection = Connection::new(caller.to);
    let mut count = 0;
    while monotonic() < caller.until {
        let account = (caller.number + count * CALLERS) % ACCOUNTS;
        login(&mut connection, account).await?;
        count += 1;
    }
    Ok(count)
}

async fn keep_fresh(caller: Caller) -> Result<usize, Error> {
    let mut connection = Connection::new(caller.to);
    let mut token = login(&mut connection, caller.number).await?;
    let mut count = 0;
    while monotonic() < caller.until {
        let body = json!({ "refresh_token": token });
        let tokens = ask(&mut connection, "/api/v1/auth/refresh", &body).await?;
        token = text(&tokens, "refresh_token")?;
        count += 1;
    }
    Ok(count)
}

/// Signs in and gives the refresh token.
async fn login(connection: &mut Connection, account: usize) -> Result<String, Error> {
    let body = json!({ "email": email(account), "password": PASSWORD });
    text(&ask(connection, "/api/v1/auth/login", &body).await?, "refresh_token")
}

async fn register(binary: &Path, dir: &Path, to: SocketAddr, number: usize) -> Result<(), Error> {
    let mut connection = Connection::new(to);
    let new = json!({ "email": email(number), "password": PASSWORD });
    ask(&mut connection, "/api/v1/users", &new).await?;
    for _ in 0..200 {
        let mail = Command::new(binary)
            .arg("mail")
            .arg("--data")
            .arg(dir)
            .args(["--to", &email(number)])
            .output()?;
        let mail = String::from_utf8(mail.stdout)?;
        if let Some((_, token)) = mail.split_once("?token=") {
            let proof = json!({ "token": token.split_whitespace().next() });
            ask(&mut connection, "/api/v1/users/verify-email", &proof).await?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("there is no mail to {}", email(number)).into())
}

async fn ask(connection: &mut Connection, path: &str, body: &Value) -> Result<Value, Error> {
    let answer = connection.exchange(&request("POST", path, "", body.to_string().as_bytes())).await?;
    if !(200..300).contains(&answer.status) {
        return Err(format!("{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

fn text(of: &Value, name: &str) -> Result<String, Error> {
    Ok(of[name].as_str().ok_or_else(|| format!("there is no {name} in {of}"))?.to_owned())
}

fn email(number: usize) -> String {
    format!("ada{number}@example.org")
}

/// Tokens that were never seen, and the same again.
fn verify() -> Result<(), Error> {
    let mut table = Table::new(&["verification of a token, us", "cold", "warm"]);
    for algorithm in [identity::Algorithm::EdDsa, identity::Algorithm::Es256] {
        let signer = Signer::from_pkcs8(&Signer::generate(algorithm)?, "https://id.example.org")?;
        let grant = Grant::new("users", "01a2006f-3aac-72a9-bc99-322b0da325a0", Duration::from_secs(300))
            .role("user");
        let tokens: Vec<String> = (0..TOKENS).map(|_| signer.issue(&grant)).collect::<Result<_, _>>()?;
        let verifier = Verifier::from_jwks(&signer.jwks(), "https://id.example.org", "users")?;
        let once = || -> Result<f64, Error> {
            let begun = monotonic();
            for token in &tokens {
                black_box(verifier.verify(token).map_err(|fault| fault.to_string())?);
            }
            Ok(begun.elapsed().as_secs_f64() * 1e6 / TOKENS as f64)
        };
        let cold = once()?;
        let warm = median((0..9).map(|_| once()).collect::<Result<Vec<_>, _>>()?);
        table.row(algorithm.as_str(), [format!("{cold:.1}"), format!("{warm:.2}")]);
    }
    println!("{table}");
    Ok(())
}
