//! Tokens that only this service can make and read: refresh tokens, and what is sent by mail.
//!
//! A token is the ids of its row and a keyed digest (HMAC-SHA-256) of them, 256 bits that nobody can guess. So nothing of
//! a token is stored, whoever reads the database can forge none, and the token of a row can be made again: a refresh token
//! that is shown twice gives the same successor, and a mail that is sent later needs no copy of its token in a queue.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use users_contracts::SecretText;
use uuid::Uuid;

/// The bytes of an id.
const ID: usize = 16;

/// What a token is for. One of a kind is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Refresh,
    OneTime,
}

/// Makes tokens and reads them.
pub(crate) struct Minter(hmac::Key);

// === impl Minter ===

impl Minter {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token of a row.
    pub(crate) fn mint<const N: usize>(&self, purpose: Purpose, ids: [Uuid; N]) -> SecretText {
        let mut bytes: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
        let digest = hmac::sign(&self.0, &purpose.with(&bytes));
        bytes.extend_from_slice(digest.as_ref());
        URL_SAFE_NO_PAD.encode(bytes).into()
    }

    /// The row of a token, if it is one of ours.
    pub(crate) fn open<const N: usize>(&self, purpose: Purpose, token: &SecretText) -> Option<[Uuid; N]> {
        let bytes = URL_SAFE_NO_PAD.decode(token.reveal()).ok()?;
        let (ids, digest) = bytes.split_at_checked(N * ID)?;
        hmac::verify(&self.0, &purpose.with(ids), digest).ok()?;
        let mut ids = ids.chunks_exact(ID).map(|id| Uuid::from_slice(id).unwrap_or_default());
        Some(std::array::from_fn(|_| ids.next().unwrap_or_default()))
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Minter")
    }
}

// === impl Purpose ===

impl Purpose {
    fn with(self, ids: &[u8]) -> Vec<u8> {
        let purpose = match self {
            Self::Refresh => 1,
            Self::OneTime => 2,
        };
        [&[purpose][..], ids].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_row_and_one_purpose() {
        let minter = Minter::new(&[7; 32]);
        let ids = [Uuid::from_u128(42), Uuid::from_u128(7)];
        let token = minter.mint(Purpose::Refresh, ids);
        assert_eq!(minter.open(Purpose::Refresh, &token), Some(ids));
        assert_eq!(token, minter.mint(Purpose::Refresh, ids), "it can be made again");
        assert_eq!(minter.open::<2>(Purpose::OneTime, &token), None);
        assert_eq!(minter.open::<1>(Purpose::Refresh, &token), None);
        assert_eq!(Minter::new(&[8; 32]).open::<2>(Purpose::Refresh, &token), None);
        let text = token.reveal();
        for bad in ["", "AA", &text[1..], &text[..text.len() - 2], &format!("{text}AA"), &format!("{text}=")]
        {
            assert_eq!(minter.open::<2>(Purpose::Refresh, &bad.into()), None, "{bad}");
        }
        let mut other = text.as_bytes().to_vec();
        other[3] ^= 1;
        let other = String::from_utf8(other).unwrap().into();
        assert_eq!(minter.open::<2>(Purpose::Refresh, &other), None);
    }
}
