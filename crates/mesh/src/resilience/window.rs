//! Two counts over the last while, in steps, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ticks::Ticks;

/// Bits of each count: four million in one step, which is more than a process can do in a second.
const COUNT: u32 = 22;
const MOST: u64 = (1 << COUNT) - 1;
/// Bits that tell which step a slot was last used for.
const STEP: u64 = (1 << (64 - 2 * COUNT)) - 1;

/// Exact counts in a window of `N` steps. An average that decays would hide a fast burst behind a slow past.
#[derive(Debug)]
pub(crate) struct Window<const N: usize> {
    step: u64,
    slots: [AtomicU64; N],
}

// === impl Window ===

impl<const N: usize> Window<N> {
    pub(crate) fn new(whole: Duration) -> Self {
        let step = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX) / N as u64;
        Self { step: step.max(1), slots: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Adds to both counts.
    pub(crate) fn add(&self, now: Ticks, one: u32, other: u32) {
        let step = self.step(now);
        let slot = &self.slots[(step % N as u64) as usize];
        let add = |slot: u64| {
            let (of, a, b) = parts(slot);
            let (a, b) = if of == step & STEP { (a, b) } else { (0, 0) };
            let (a, b) = ((a + u64::from(one)).min(MOST), (b + u64::from(other)).min(MOST));
            Some((step & STEP) << (2 * COUNT) | a << COUNT | b)
        };
        // It cannot fail: there is always something to write.
        slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
    }

    /// Both counts of the whole window.
    pub(crate) fn sum(&self, now: Ticks) -> (u64, u64) {
        let step = self.step(now);
        let recent = |slot: &AtomicU64| {
            let (of, a, b) = parts(slot.load(Ordering::Relaxed));
            (step.wrapping_sub(of) & STEP < N as u64).then_some((a, b))
        };
        self.slots.iter().filter_map(recent).fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1))
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.slots.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
    }

    /// Steps begin with 1, so that an unused slot is in the past.
    fn step(&self, now: Ticks) -> u64 {
        now.as_nanos() / self.step + N as u64
    }
}

fn parts(slot: u64) -> (u64, u64, u64) {
    (slot >> (2 * COUNT), slot >> COUNT & MOST, slot & MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Ticks {
        Ticks::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn counts_leave_the_window_step_by_step() {
        let window = Window::<10>::new(Duration::from_secs(10));
        assert_eq!(window.sum(at(0)), (0, 0));
        for second in 0..20 {
            window.add(at(second), 1, 2);
            window.add(at(second), 2, 0);
        }
        for (now, sum) in [(19, (30, 20)), (20, (27, 18)), (28, (3, 2)), (29, (0, 0)), (1_000, (0, 0))] {
            assert_eq!(window.sum(at(now)), sum, "{now}");
        }
        window.add(at(1_000), 1, 0);
        assert_eq!(window.sum(at(1_000)), (1, 0));
        window.clear();
        assert_eq!(window.sum(at(1_000)), (0, 0));
    }

    #[test]
    fn a_count_stops_at_its_most_instead_of_spilling_over() {
        let window = Window::<2>::new(Duration::from_secs(2));
        window.add(at(0), u32::MAX, u32::MAX);
        window.add(at(0), 1, 1);
        assert_eq!(window.sum(at(0)), (MOST, MOST));
    }

    #[test]
    fn threads_lose_nothing() {
        let window = Window::<10>::new(Duration::from_secs(10));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|i| window.add(at(i % 10), 1, 1)));
            }
        });
        assert_eq!(window.sum(at(9)), (40_000, 40_000));
    }
}
