//! The program `ncr`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Each gRPC call takes buffers of 8 KiB, over which glibc's allocator tidies up every time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ncr::system_in(|name| std::env::var(name).ok()).main()
}
