//! Maps whose keys are hashes already, so that nothing is hashed twice.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by 64 bits of a hash that nobody else can foresee. Whoever looks something up compares what he found.
pub(crate) type ByHash<T> = HashMap<u64, T, BuildHasherDefault<Hashed>>;

/// The hasher of what is a hash.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
