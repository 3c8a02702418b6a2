//! Items of a menu: when one can be ordered, and how its portions come and go.

use food_contracts::ItemId;
use food_contracts::restaurants::{self as api, ItemChange, NewItem};
use partie::contract::{Currency, Money, Timestamp, Violation};

/// An item of a menu.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) id: ItemId,
    /// Its place on the menu, from 1. The tutorial's routes call it by that.
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) price: Money,
    pub(crate) emoji: String,
    /// Sold out by hand, "86", until `back_at` if that is set. Time alone brings it back: nothing has to run then.
    pub(crate) sold_out: bool,
    pub(crate) back_at: Option<Timestamp>,
    /// What is left; not counted if absent.
    pub(crate) portions: Option<u32>,
}

// === impl Item ===

impl Item {
    /// An item of a new menu.
    pub(crate) fn new(id: ItemId, number: u32, new: &NewItem) -> Self {
        Self {
            id,
            number,
            name: new.name.clone(),
            price: new.price,
            emoji: new.emoji.clone(),
            sold_out: false,
            back_at: None,
            portions: new.portions,
        }
    }

    /// Whether it can be ordered.
    pub(crate) fn is_available(&self, now: Timestamp) -> bool {
        !self.is_off(now) && self.portions != Some(0)
    }

    /// Takes portions for an order, if there are that many and the item can be ordered.
    pub(crate) fn take(&mut self, portions: u32, now: Timestamp) -> bool {
        if !self.is_available(now) {
            return false;
        }
        match &mut self.portions {
            None => true,
            Some(left) => left.checked_sub(portions).map(|rest| *left = rest).is_some(),
        }
    }

    /// Puts portions of an order back that will not be cooked.
    pub(crate) fn give_back(&mut self, portions: u32) {
        self.portions = self.portions.map(|left| left.saturating_add(portions));
    }

    /// Changes what the owner wants changed.
    ///
    /// # Errors
    /// Everything that is wrong with the change.
    pub(crate) fn change(&mut self, change: &ItemChange, now: Timestamp) -> Result<(), Vec<Violation>> {
        let mut wrong = Vec::new();
        if let Some(price) = change.price {
            wrong.extend(price_violations(price, self.price.currency(), "/price"));
        }
        if let Some(back_at) = change.back_at {
            if !change.available.map_or_else(|| self.is_off(now), |available| !available) {
                wrong.push(Violation::new(
                    "/back_at",
                    "goes with an item that is sold out, `\"available\": false`",
                ));
            }
            if back_at <= now {
                wrong.push(Violation::new("/back_at", "is over already"));
            }
        }
        if change.available == Some(true) && change.portions.or(self.portions) == Some(0) {
            wrong.push(Violation::new("/portions", "there are none left: say how many there are now"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let was_off = self.is_off(now);
        if let Some(available) = change.available {
            // The time of an earlier absence is not the time of this one.
            if available || !was_off {
                self.back_at = None;
            }
            self.sold_out = !available;
        }
        self.back_at = change.back_at.or(self.back_at);
        self.price = change.price.unwrap_or(self.price);
        self.portions = change.portions.or(self.portions);
        Ok(())
    }

    /// As others see it.
    pub(crate) fn view(self, now: Timestamp) -> api::Item {
        api::Item {
            available: self.is_available(now),
            back_at: self.back_at.filter(|_| self.is_off(now)),
            id: self.id,
            name: self.name,
            price: self.price,
            emoji: self.emoji,
            portions: self.portions,
        }
    }

    fn is_off(&self, now: Timestamp) -> bool {
        self.sold_out && self.back_at.is_none_or(|back_at| now < back_at)
    }
}

/// What is wrong with a price on a menu of that currency.
pub(crate) fn price_violations(price: Money, currency: Currency, at: &str) -> Vec<Violation> {
    let mut wrong = Vec::new();
    if price.amount() < 0 {
        wrong.push(Violation::new(format!("{at}/amount"), "must not be negative"));
    }
    if price.currency() != currency {
        wrong.push(Violation::new(
            format!("{at}/currency"),
            format!("everything on the menu is in {currency}"),
        ));
    }
    wrong
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    pub(crate) fn item(number: u128, cents: i64, portions: Option<u32>) -> Item {
        Item {
            id: partie::contract::Id::from_uuid(uuid::Uuid::from_u128(number)),
            number: number as u32,
            name: format!("Dish {number}"),
            price: Money::new(cents, Currency::USD).unwrap(),
            emoji: String::new(),
            sold_out: false,
            back_at: None,
            portions,
        }
    }

    fn minutes(minutes: u64) -> Timestamp {
        NOW + Duration::from_secs(60 * minutes)
    }

    #[test]
    fn the_last_portion_is_sold_once_and_can_come_back() {
        let mut soup = item(1, 500, Some(2));
        assert!(!soup.take(3, NOW) && soup.take(2, NOW) && !soup.take(1, NOW));
        assert!(!soup.is_available(NOW));
        soup.give_back(1);
        assert!(soup.take(1, NOW));
        let mut uncounted = item(2, 500, None);
        assert!(uncounted.take(99, NOW));
        uncounted.give_back(99);
        assert_eq!(uncounted.portions, None);
    }

    #[test]
    fn a_sold_out_item_comes_back_by_itself() {
        let mut soup = item(1, 500, None);
        let off = ItemChange { available: Some(false), back_at: Some(minutes(5)), ..ItemChange::default() };
        soup.change(&off, NOW).unwrap();
        assert!(!soup.is_available(minutes(4)) && soup.is_available(minutes(5)));
        assert_eq!(soup.clone().view(minutes(4)).back_at, Some(minutes(5)));
        assert_eq!(soup.clone().view(minutes(5)).back_at, None);
        // Sold out again later, for good: the old time does not count.
        soup.change(&ItemChange { available: Some(false), ..ItemChange::default() }, minutes(9)).unwrap();
        assert!(!soup.is_available(minutes(1000)));
        soup.change(&ItemChange { available: Some(true), ..ItemChange::default() }, minutes(9)).unwrap();
        assert!(soup.is_available(minutes(9)));
    }

    #[test]
    fn all_that_is_wrong_with_a_change_is_said_at_once() {
        let euros = Money::new(-1, "EUR".parse().unwrap()).unwrap();
        let none = ItemChange::default();
        for (change, expected) in [
            (
                ItemChange { price: Some(euros), back_at: Some(NOW), ..none.clone() },
                &["/price/amount", "/price/currency", "/back_at", "/back_at"][..],
            ),
            (ItemChange { available: Some(true), back_at: Some(minutes(1)), ..none.clone() }, &["/back_at"]),
            (ItemChange { available: Some(true), portions: Some(0), ..none.clone() }, &["/portions"]),
            (ItemChange { available: Some(false), portions: Some(0), ..none.clone() }, &[]),
            (none, &[]),
        ] {
            let wrong = item(1, 500, None).change(&change, NOW).err().unwrap_or_default();
            let pointers: Vec<_> = wrong.iter().map(|violation| violation.pointer.as_str()).collect();
            assert_eq!(pointers, expected, "{change:?}");
        }
    }
}
