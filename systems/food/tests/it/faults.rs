//! Faults: the real program dies for real, again and again, and nothing that was answered is lost.
//!
//! `stage` is the program that dies and comes back; `play` has the people who use it meanwhile and do not care; `audit`
//! looks at what the databases hold when all is over. The tests: `failpoints` lets it die at every named place, `anytime`
//! at any moment under load, `provider` while nobody can be told anything, `mail` while mail leaves, and `durability` watches its system calls.

mod anytime;
pub(crate) mod audit;
pub(crate) mod caller;
#[cfg(target_os = "linux")]
mod durability;
mod failpoints;
mod mail;
pub(crate) mod play;
mod provider;
pub(crate) mod stage;
mod states;
pub(crate) mod wish;
