//! Tests of the pool.

use std::time::Duration;

use super::*;

fn cheap() -> Config {
    Config { memory_kib: 64, passes: 1, threads: Some(1), queue: 1 }
}

#[tokio::test]
async fn a_hash_is_of_its_password_alone() {
    let passwords = Passwords::start(&cheap()).unwrap();
    let hash = passwords.hash("correct horse").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    let good = Verdict { matches: true, is_outdated: false };
    assert_eq!(passwords.verify("correct horse", Some(&hash)).await, Ok(good));
    for bad in ["", "correct hors", "correct horse ", "Correct horse", "correct\u{a0}horse"] {
        assert!(!passwords.verify(bad, Some(&hash)).await.unwrap().matches, "{bad:?}");
    }
    assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "salted");
}

#[tokio::test]
async fn nobody_has_no_password_and_a_broken_hash_is_nobody_s() {
    let passwords = Passwords::start(&cheap()).unwrap();
    let long = "x".repeat(LONGEST + 1);
    let hash = passwords.hash(&long[1..]).await.unwrap();
    assert!(!passwords.verify(&long, Some(&hash)).await.unwrap().matches, "cut off nowhere");
    for broken in [
        "",
        "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA",
        "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAA",
        &hash[..hash.len() - 1],
        &hash.replace("m=64", "m=9999999"),
        &hash.replace("t=1", "t=1000"),
        &hash.replace("p=1", "p=2"),
    ] {
        let verdict = passwords.verify(&long[1..], Some(broken)).await.unwrap();
        assert_eq!(verdict, Verdict { matches: false, is_outdated: false }, "{broken}");
    }
    assert!(!passwords.verify("", None).await.unwrap().matches);
}

#[tokio::test]
async fn other_parameters_are_found_out() {
    let hash = Passwords::start(&cheap()).unwrap().hash("correct horse").await.unwrap();
    let now = Passwords::start(&Config { memory_kib: 128, ..cheap() }).unwrap();
    let verdict = now.verify("correct horse", Some(&hash)).await.unwrap();
    assert_eq!(verdict, Verdict { matches: true, is_outdated: true });
}

#[test]
fn the_reference_s_hash_is_read() {
    // argon2 0.6's own vector for Argon2id, made by the reference implementation: "password", "somesalt", m=256, t=2.
    let text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let hash = Hash::read(text).unwrap();
    assert_eq!(hash.to_string(), text);
    assert_eq!(compute(&hash.params().unwrap(), b"password", hash.salt()).unwrap(), hash.tag());
}

#[tokio::test]
async fn a_full_pool_says_so_at_once() {
    let passwords = Passwords::start(&Config { memory_kib: 19 * 1024, passes: 20, ..cheap() }).unwrap();
    let verify = || passwords.verify("correct horse", None);
    let all = tokio::join!(verify(), verify(), verify(), verify(), verify(), verify());
    let all = [all.0, all.1, all.2, all.3, all.4, all.5];
    let refused = all.iter().filter(|one| **one == Err(Saturated)).count();
    assert!((3..=5).contains(&refused), "{all:?}");
    // And then there is room again.
    let after = tokio::time::timeout(Duration::from_secs(20), verify()).await;
    assert!(after.unwrap().is_ok());
}

#[test]
fn parameters_nobody_could_use_are_refused() {
    for (memory_kib, passes) in [(0, 2), (64, 0), (MOST_MEMORY + 1, 2)] {
        let config = Config { memory_kib, passes, ..cheap() };
        assert!(matches!(Passwords::start(&config), Err(PasswordError::Parameters(_))), "{config:?}");
    }
}
