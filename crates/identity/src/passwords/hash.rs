//! A hash as it is stored: a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$SALT$TAG`.

use std::fmt;

use argon2::Params;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{MOST_MEMORY, TAG};

/// The most passes a stored hash may ask for.
const MOST_PASSES: u32 = 64;

/// The parts of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hash {
    memory: u32,
    passes: u32,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

// === impl Hash ===

impl Hash {
    pub(super) fn new(params: &Params, salt: &[u8], tag: &[u8]) -> Self {
        Self { memory: params.m_cost(), passes: params.t_cost(), salt: salt.to_vec(), tag: tag.to_vec() }
    }

    /// Reads what [`Display`](fmt::Display) writes; nothing that would cost more than it may.
    pub(super) fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let (memory, rest) = rest.split_once(",t=")?;
        let (passes, rest) = rest.split_once(",p=1$")?;
        let (salt, tag) = rest.split_once('$')?;
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
        let read = Self {
            memory: memory.parse().ok()?,
            passes: passes.parse().ok()?,
            salt: decode(salt)?,
            tag: decode(tag)?,
        };
        let fits = read.memory <= MOST_MEMORY && read.passes <= MOST_PASSES && read.tag.len() == TAG;
        (fits && read.params().is_some()).then_some(read)
    }

    pub(super) fn params(&self) -> Option<Params> {
        Params::new(self.memory, self.passes, 1, Some(TAG)).ok()
    }

    /// Whether it was made with these parameters.
    pub(super) fn is_of(&self, params: &Params) -> bool {
        (self.memory, self.passes) == (params.m_cost(), params.t_cost())
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.tag
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, passes, salt, tag } = self;
        let encode = |bytes| STANDARD_NO_PAD.encode(bytes);
        write!(f, "$argon2id$v=19$m={memory},t={passes},p=1${}${}", encode(salt), encode(tag))
    }
}
