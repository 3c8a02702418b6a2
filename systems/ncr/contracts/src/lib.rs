//! The contracts of the nCr system: who can be asked for what, and in which protocol.
//!
//! `calculator` is what people ask over HTTP, `seed` the tutorial's way to ask the same. `math_v1` and `fact` are what
//! the calculator asks over gRPC, and anybody else may too, with the feature `grpc`: generated from the files in `proto`,
//! which `cargo xtask proto` does without a protoc.
#![forbid(unsafe_code)]

pub mod calculator;
#[cfg(feature = "grpc")]
#[rustfmt::skip]
#[expect(missing_docs, unused_qualifications, reason = "generated")]
#[allow(clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction, reason = "generated")]
mod generated;
mod integer;
pub mod seed;

/// The gRPC service `math.v1.Factorial`: factorials as they are.
#[cfg(feature = "grpc")]
pub use generated::math_v1;
/// The tutorial's gRPC service, of no package: factorials as floats.
#[cfg(feature = "grpc")]
pub use generated::no_package as fact;
pub use integer::{Integer, NotAnInteger};

/// The descriptors of both, for reflection.
#[cfg(feature = "grpc")]
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
