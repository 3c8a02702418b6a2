//! Exact division: from three factorials to one binomial coefficient.

use dashu_int::UBig;
use partie::runtime::Compute;

/// A binomial coefficient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exact {
    /// Its decimal digits.
    pub(crate) text: String,
    /// If it fits.
    pub(crate) small: Option<u64>,
}

/// n! / (r! (n-r)!), all big-endian; nothing if that is no whole number, so that these were no factorials.
pub(crate) fn divide(all: &[u8], chosen: &[u8], left: &[u8]) -> Option<Exact> {
    let [all, chosen, left] = [all, chosen, left].map(UBig::from_be_bytes);
    let ways = chosen * left;
    Compute::give_way();
    if ways == UBig::ZERO {
        return None;
    }
    let (value, rest) = dashu_int::ops::DivRem::div_rem(all, ways);
    if rest != UBig::ZERO {
        return None;
    }
    Compute::give_way();
    Some(Exact { small: u64::try_from(&value).ok(), text: value.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_exact_or_nothing() {
        let exact = divide(&[120], &[2], &[6]).unwrap();
        assert_eq!((exact.text.as_str(), exact.small), ("10", Some(10)));
        let large = divide(&[1; 40], &[1], &[1]).unwrap();
        assert_eq!((large.small, large.text.len()), (None, 94));
        assert_eq!(divide(&[120], &[2], &[7]), None);
        assert_eq!(divide(&[120], &[], &[7]), None);
    }
}
