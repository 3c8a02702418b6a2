//! What the players are going to do, in the order in which they do it.

use std::collections::BTreeMap;

use partie::contract::Timestamp;

/// Things to do, each at its time. At the same time, things of an earlier turn go first, and within a turn those that
/// were put in first: same things, same order.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    things: BTreeMap<(Timestamp, Turn, u64), T>,
    put_in: u64,
}

/// Who goes first when several have something to do at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// What is ready at a time can be picked up at that time.
    Kitchens,
    /// Whoever comes or is free at a time can be asked at that time.
    Drivers,
    /// Orders come last.
    Customers,
}

// === impl Agenda ===

impl<T> Agenda<T> {
    /// Nothing to do.
    pub(crate) fn new() -> Self {
        Self { things: BTreeMap::new(), put_in: 0 }
    }

    /// Puts something in.
    pub(crate) fn put(&mut self, at: Timestamp, turn: Turn, thing: T) {
        self.put_in += 1;
        self.things.insert((at, turn, self.put_in), thing);
    }

    /// When there is something to do next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.things.first_key_value().map(|((at, ..), _)| *at)
    }

    /// Takes the next thing out that is due by now, with the time it is due at.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        let first = self.things.first_entry().filter(|first| first.key().0 <= now)?;
        let ((at, ..), thing) = first.remove_entry();
        Some((at, thing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_by_time_then_by_turn_then_as_they_were_put_in() {
        let at = Timestamp::from_millis;
        let mut agenda = Agenda::new();
        agenda.put(at(2), Turn::Kitchens, "late");
        agenda.put(at(1), Turn::Customers, "order");
        agenda.put(at(1), Turn::Drivers, "come");
        agenda.put(at(1), Turn::Drivers, "leave");
        agenda.put(at(1), Turn::Kitchens, "ready");
        assert_eq!((agenda.next(), agenda.due(at(0))), (Some(at(1)), None));
        let mut done = Vec::new();
        while let Some((due, thing)) = agenda.due(at(1)) {
            assert_eq!(due, at(1));
            done.push(thing);
        }
        assert_eq!(done, ["ready", "come", "leave", "order"]);
        assert_eq!((agenda.next(), agenda.due(at(5))), (Some(at(2)), Some((at(2), "late"))));
        assert_eq!(agenda.next(), None);
    }
}
