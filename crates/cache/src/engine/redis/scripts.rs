//! What is done on the server: three scripts, each about one key.
//!
//! A slot is a hash: `t` its token, `f` its floor, `v` the version of its entry and `d` the entry's data; an entry without
//! data is one of something that does not exist. The time of the key is the time of what is in it.
//!
//! Numbers in Lua are floating point, so versions go as text of one length, whose order is the order of the numbers.

use redis::Script;

/// What is there; opens the slot if there is no entry. Arguments: a fresh token, how long it stays open.
const READ: &str = r"
local slot = redis.call('HMGET', KEYS[1], 't', 'f', 'v', 'd')
if slot[3] then return slot end
if not slot[1] then
    redis.call('HSET', KEYS[1], 't', ARGV[1])
    slot[1] = ARGV[1]
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return slot
";

/// Keeps an entry if it may. Arguments: the token, the version, for how long, the data if there is any.
const PUT: &str = r"
local slot = redis.call('HMGET', KEYS[1], 't', 'f', 'v')
if slot[1] ~= ARGV[1] then return 0 end
if slot[2] and ARGV[2] < slot[2] then return 0 end
if slot[3] and ARGV[2] < slot[3] then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[2])
if ARGV[4] then
    redis.call('HSET', KEYS[1], 'd', ARGV[4])
else
    redis.call('HDEL', KEYS[1], 'd')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
";

/// Raises the floor and drops what lies below. Arguments: the version, a fresh token, how long the floor is kept.
const INVALIDATE: &str = r"
local slot = redis.call('HMGET', KEYS[1], 't', 'f', 'v')
if not slot[1] then redis.call('HSET', KEYS[1], 't', ARGV[2]) end
if not slot[2] or slot[2] < ARGV[1] then redis.call('HSET', KEYS[1], 'f', ARGV[1]) end
if slot[3] and slot[3] >= ARGV[1] then return end
redis.call('HDEL', KEYS[1], 'v', 'd')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
";

pub(super) struct Scripts {
    pub(super) read: Script,
    pub(super) put: Script,
    pub(super) invalidate: Script,
}

// === impl Scripts ===

impl Scripts {
    pub(super) fn new() -> Self {
        Self { read: Script::new(READ), put: Script::new(PUT), invalidate: Script::new(INVALIDATE) }
    }
}

/// Twenty digits, of which the order is that of the numbers, the negative ones included.
pub(super) fn to_text(version: i64) -> String {
    format!("{:020}", version.wrapping_sub(i64::MIN).cast_unsigned())
}

/// The number of such a text.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let number: u64 = text.parse().ok()?;
    Some(number.cast_signed().wrapping_add(i64::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_versions_is_that_of_their_texts() {
        let versions = [i64::MIN, i64::MIN + 1, -1, 0, 1, 9, 10, 1 << 53, (1 << 53) + 1, i64::MAX];
        let texts = versions.map(to_text);
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 20), "{texts:?}");
        assert_eq!(texts.map(|text| from_text(&text)), versions.map(Some));
        assert_eq!(from_text("x"), None);
    }
}
