//! What can be said: one template for each occasion.

use notifications_contracts::Wording;

pub(crate) const ORDER_PLACED: Wording = Wording::text(
    "order-placed",
    "{restaurant} has your order over {total}. You will hear when it is confirmed.",
);
pub(crate) const ORDER_CONFIRMED: Wording =
    Wording::text("order-confirmed", "{restaurant} has confirmed your order.");
pub(crate) const ORDER_REJECTED: Wording =
    Wording::text("order-rejected", "{restaurant} could not take your order: {reason}.");
pub(crate) const ORDER_PICKED_UP: Wording = Wording::text(
    "order-picked-up",
    "{driver} has picked up your order from {restaurant} and will be there {eta}.",
);
pub(crate) const ORDER_DELIVERED: Wording =
    Wording::text("order-delivered", "Your order from {restaurant} was delivered. Enjoy your meal!");
pub(crate) const ORDER_CANCELLED: Wording =
    Wording::text("order-cancelled", "Your order from {restaurant} was cancelled: {reason}.");

pub(crate) const ALL: [Wording; 6] =
    [ORDER_CANCELLED, ORDER_CONFIRMED, ORDER_DELIVERED, ORDER_PICKED_UP, ORDER_PLACED, ORDER_REJECTED];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_clients_write_them() {
        for wording in ALL {
            for name in wording.variables() {
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{wording:?}");
                assert!(!name.is_empty(), "{wording:?}");
            }
        }
    }
}
