//! Which answers are compressed.

use serde::{Deserialize, Serialize};

/// Which answers are compressed, with gzip, for clients that say they read it. Streams of events, gRPC, what is small and
/// what is compressed already are left as they are.
///
/// An answer that repeats what a stranger sent beside a secret can betray the secret by its size (BREACH): routes with
/// such answers say `compression = false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CompressionConfig {
    /// Smaller answers are not worth it, in bytes. An answer of unknown size is taken for a large one.
    pub smallest: usize,
    /// From 1, the fastest, to 9, the smallest.
    pub level: u32,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self { smallest: 1024, level: 4 }
    }
}
