//! Factorials by a product tree: numbers of like size are multiplied with each other, which is what fast multiplication
//! is fast at.

use std::sync::atomic::{AtomicBool, Ordering};

use dashu_int::UBig;

/// So many factors are multiplied one after the other.
const LEAF: u64 = 16;

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
    Some(product(from, middle - 2, stop)? * product(middle, to, stop)?)
}

/// How many decimal digits it has.
pub(crate) fn digits(value: &UBig) -> u64 {
    if *value == UBig::ZERO { 1 } else { value.ilog(&UBig::from(10_u8)) as u64 + 1 }
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
    fn it_stops_when_it_is_told_to() {
        assert_eq!(factorial(1_000_000, &AtomicBool::new(true)), None);
    }
}
