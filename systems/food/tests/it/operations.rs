//! What operators do to the running program, and what disks do to it.
//!
//! `backup` copies and restores it; `retention` asks what it keeps, and what it has given up; `chaos` lets things go wrong on purpose; `disk` takes its space and its syncs away.

mod backup;
mod chaos;
#[cfg(target_os = "linux")]
mod disk;
mod retention;
