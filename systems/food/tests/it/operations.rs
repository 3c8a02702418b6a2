//! What operators do to the running program, and what disks do to it.
//!
//! `backup` copies and restores it; `disk` takes its space and its syncs away.

mod backup;
#[cfg(target_os = "linux")]
mod disk;
