//! Factorials by a product tree: numbers of like size are multiplied with each other, which is what fast multiplication
//! is fast at.

use std::sync::atomic::{AtomicBool, Ordering};

use dashu_int::UBig;
use dashu_int::ops::BitTest as _;
use partie::runtime::Compute;

/// So many factors are multiplied one after the other.
const LEAF: u64 = 16;
/// So far the factors go that are multiplied before somebody else may go first: some tenth of a millisecond.
const TURN: u64 = 1_000;

/// n!, unless it is told to stop before it is done.
///
/// The twos are left out and put back with one shift. What is left is the odd numbers up to n, those up to n/2 once more,
/// those up to n/4 once more, and so on.
pub(crate) fn factorial(n: u32, stop: &AtomicBool) -> Option<UBig> {
    let (mut odd, mut all) = (UBig::ONE, UBig::ONE);
    let mut low = 0;
    for shift in (0..u32::BITS - n.leading_zeros()).rev() {
        // From the smallest range to the largest, each continues the product of the one before.
        let high = n >> shift;
        odd *= product((u64::from(low) + 1) | 1, u64::from(high), stop)?;
        if high > low + TURN as u32 {
            Compute::give_way();
        }
        all *= &odd;
        low = high;
    }
    Some(all << (n - n.count_ones()) as usize)
}

/// The product of the odd numbers from `from`, which is odd, to `to`.
fn product(from: u64, to: u64, stop: &AtomicBool) -> Option<UBig> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    if to < from + 2 * LEAF {
        return Some((from..=to).step_by(2).fold(UBig::ONE, |product, factor| product * factor));
    }
    let middle = (from + (to - from) / 2) | 1;
    if to - from > TURN {
        Compute::give_way();
    }
    Some(product(from, middle - 2, stop)? * product(middle, to, stop)?)
}

/// How many decimal digits it has.
///
/// The logarithm of a float says it, but for numbers that may be on either side of a power of ten: the first 64 bits are
/// exact to 16 places, of which a logarithm of millions leaves nine behind the point. Only those are counted.
pub(crate) fn digits(value: &UBig) -> u64 {
    if *value == UBig::ZERO {
        return 1;
    }
    let below = value.bit_len().saturating_sub(64);
    let first = u64::try_from(value >> below).unwrap_or(u64::MAX);
    let logarithm = (first as f64).log10() + below as f64 * std::f64::consts::LOG10_2;
    if (logarithm - logarithm.round()).abs() < 1e-6 {
        return value.ilog(&UBig::from(10_u8)) as u64 + 1;
    }
    logarithm as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_product_of_all_numbers_up_to_n() {
        let mut one_by_one = UBig::ONE;
        for n in 0..=700_u32 {
            one_by_one *= n.max(1);
            let at_once = factorial(n, &AtomicBool::new(false)).unwrap();
            assert_eq!(at_once, one_by_one, "{n}");
            assert_eq!(digits(&at_once), at_once.to_string().len() as u64, "{n}");
        }
        assert_eq!(digits(&factorial(20_000, &AtomicBool::new(false)).unwrap()), 77_338);
    }

    #[test]
    fn digits_are_counted_where_they_change() {
        let ten = UBig::from(10_u8);
        assert_eq!(digits(&UBig::ZERO), 1);
        for exponent in (0..60).chain([100, 1_000, 30_000]) {
            let power = ten.pow(exponent);
            for (value, expected) in [
                (&power - UBig::ONE, exponent.max(1)),
                (power.clone(), exponent + 1),
                (&power + UBig::ONE, exponent + 1),
                (&power * 3_u8, exponent + 1),
                (&power * 9_u8, exponent + 1),
            ] {
                assert_eq!(digits(&value), expected as u64, "10^{exponent}");
            }
        }
    }

    #[test]
    fn it_stops_when_it_is_told_to() {
        assert_eq!(factorial(1_000_000, &AtomicBool::new(true)), None);
    }
}
