//! Baskets: what one costs, and whether the restaurant would take it now.

use std::collections::BTreeMap;

use food_contracts::restaurants::{Basket, BasketItem, Line, Quote, RestaurantError};
use partie::contract::{Money, Timestamp};

use crate::menu::Item;
use crate::restaurant::Restaurant;

/// Prices a basket and checks every rule.
///
/// What is wrong with the basket goes before what is wrong with the moment: the first stays wrong whenever it is
/// tried again. Each complaint names all the places it is about.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn quote(
    restaurant: &Restaurant,
    menu: &[Item],
    under_way: u32,
    basket: &Basket,
    now: Timestamp,
) -> Result<Quote, RestaurantError> {
    let lines = lines(menu, &basket.items)?;
    let total = total(restaurant, &lines).ok_or(RestaurantError::TotalTooLarge)?;
    if let Some(minimum) = restaurant.minimum.filter(|minimum| total.amount() < minimum.amount()) {
        return Err(RestaurantError::BelowMinimum { minimum });
    }
    if !restaurant.delivers_to(basket.drop_off) {
        return Err(RestaurantError::OutOfZone);
    }
    if !restaurant.is_open(now) {
        return Err(RestaurantError::Closed { next_open: restaurant.next_open(now) });
    }
    let pointers = unavailable(menu, &basket.items, now);
    if !pointers.is_empty() {
        return Err(RestaurantError::ItemUnavailable { pointers });
    }
    if restaurant.capacity.is_some_and(|capacity| under_way >= capacity) {
        return Err(RestaurantError::Busy);
    }
    Ok(Quote {
        restaurant_id: restaurant.id,
        restaurant_name: restaurant.name.clone(),
        pick_up: restaurant.location,
        menu_version: restaurant.menu_version,
        lines,
        total,
        prep_minutes: restaurant.prep_minutes,
    })
}

fn lines(menu: &[Item], wanted: &[BasketItem]) -> Result<Vec<Line>, RestaurantError> {
    let (mut lines, mut pointers) = (Vec::new(), Vec::new());
    for (index, wanted) in wanted.iter().enumerate() {
        match menu.iter().find(|item| item.id == wanted.item_id) {
            Some(item) => lines.push(Line {
                item_id: item.id,
                name: item.name.clone(),
                quantity: wanted.quantity,
                price: item.price,
            }),
            None => pointers.push(format!("/items/{index}/item_id")),
        }
    }
    if pointers.is_empty() { Ok(lines) } else { Err(RestaurantError::ItemInvalid { pointers }) }
}

fn total(restaurant: &Restaurant, lines: &[Line]) -> Option<Money> {
    lines.iter().try_fold(Money::zero(restaurant.currency), |sum, line| {
        sum.checked_add(line.price.checked_mul(line.quantity.get()).ok()?).ok()
    })
}

/// Where the basket wants what cannot be had: an item that is off, or more portions than there are.
fn unavailable(menu: &[Item], wanted: &[BasketItem], now: Timestamp) -> Vec<String> {
    // The same item may be on several lines; each takes from what the lines before it have left.
    let mut left: BTreeMap<_, Item> = menu.iter().map(|item| (item.id, item.clone())).collect();
    let mut pointers = Vec::new();
    for (index, wanted) in wanted.iter().enumerate() {
        let Some(item) = left.get_mut(&wanted.item_id) else { continue };
        if !item.is_available(now) {
            pointers.push(format!("/items/{index}/item_id"));
        } else if !item.take(wanted.quantity.get(), now) {
            pointers.push(format!("/items/{index}/quantity"));
        }
    }
    pointers
}

#[cfg(test)]
mod tests {
    use food_contracts::restaurants::{NewRestaurant, Pause};
    use food_contracts::{Place, Quantity};
    use partie::contract::Currency;

    use super::*;
    use crate::menu::tests::item;
    use crate::restaurant::tests::{new, restaurant};

    const NOW: Timestamp = Timestamp::EPOCH;
    const HERE: Place = Place { lat: 52.52, lon: 13.405 };
    const FAR: Place = Place { lat: 48.8566, lon: 2.3522 };

    fn dollars(amount: i64) -> Money {
        Money::new(amount * 100, Currency::USD).unwrap()
    }

    fn basket(items: &[(u128, u32)], drop_off: Place) -> Basket {
        let line = |(number, quantity): &(u128, u32)| BasketItem {
            item_id: item(*number, 0, None).id,
            quantity: Quantity::try_from(*quantity).unwrap(),
        };
        Basket { items: items.iter().map(line).collect(), drop_off }
    }

    #[test]
    fn a_basket_is_priced_by_its_lines() {
        let quote = quote(
            &restaurant(&new()),
            &[item(1, 1299, None), item(2, 50, None)],
            0,
            &basket(&[(1, 2), (2, 1), (1, 1)], HERE),
            NOW,
        )
        .unwrap();
        assert_eq!(quote.total, Money::new(3 * 1299 + 50, Currency::USD).unwrap());
        assert_eq!((quote.lines.len(), quote.lines[0].price.amount()), (3, 1299));
    }

    #[test]
    fn each_rule_has_its_answer_and_names_every_place() {
        let menu = [item(1, 1000, None), item(2, 1000, Some(3)), item(3, 1000, Some(0))];
        let plain = new();
        let minimum = NewRestaurant { minimum: Some(dollars(25)), ..new() };
        let small = NewRestaurant { capacity: Some(2), ..new() };
        let pointers = |all: &[&str]| all.iter().map(|at| (*at).to_owned()).collect::<Vec<_>>();
        for (place, under_way, basket, expected) in [
            (
                &plain,
                0,
                basket(&[(9, 1), (1, 1), (8, 1)], FAR),
                RestaurantError::ItemInvalid {
                    pointers: pointers(&["/items/0/item_id", "/items/2/item_id"]),
                },
            ),
            (&minimum, 0, basket(&[(1, 2)], FAR), RestaurantError::BelowMinimum { minimum: dollars(25) }),
            (&minimum, 0, basket(&[(1, 3)], FAR), RestaurantError::OutOfZone),
            (
                &plain,
                0,
                basket(&[(3, 1), (2, 2), (2, 2), (2, 1)], HERE),
                RestaurantError::ItemUnavailable {
                    pointers: pointers(&["/items/0/item_id", "/items/2/quantity"]),
                },
            ),
            (&small, 2, basket(&[(1, 1)], HERE), RestaurantError::Busy),
        ] {
            assert_eq!(quote(&restaurant(place), &menu, under_way, &basket, NOW), Err(expected));
        }
        let mut paused = restaurant(&plain);
        paused.pause = Some(Pause { until: None });
        let closed = quote(&paused, &menu, 0, &basket(&[(3, 1)], HERE), NOW);
        assert_eq!(closed, Err(RestaurantError::Closed { next_open: None }));
    }

    #[test]
    fn a_total_beyond_what_can_be_counted_is_refused() {
        let gold = item(1, (1 << 53) - 1, None);
        let quote = quote(&restaurant(&new()), &[gold], 0, &basket(&[(1, 2)], HERE), NOW);
        assert_eq!(quote, Err(RestaurantError::TotalTooLarge));
    }
}
