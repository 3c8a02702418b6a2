//! What can be said: one template for each occasion.

use food_contracts::notifications as api;

use crate::render;

/// A text with `{variable}` places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) const ORDER_PLACED: Template = Template {
    name: "order-placed",
    text: "{restaurant} has your order over {total}. You will hear when it is confirmed.",
};
pub(crate) const ORDER_CONFIRMED: Template =
    Template { name: "order-confirmed", text: "{restaurant} has confirmed your order." };
pub(crate) const ORDER_REJECTED: Template =
    Template { name: "order-rejected", text: "{restaurant} could not take your order: {reason}." };
pub(crate) const ORDER_PICKED_UP: Template = Template {
    name: "order-picked-up",
    text: "{driver} has picked up your order from {restaurant} and will be there {eta}.",
};
pub(crate) const ORDER_DELIVERED: Template = Template {
    name: "order-delivered",
    text: "Your order from {restaurant} was delivered. Enjoy your meal!",
};
pub(crate) const ORDER_CANCELLED: Template =
    Template { name: "order-cancelled", text: "Your order from {restaurant} was cancelled: {reason}." };
/// Whatever somebody wants said.
pub(crate) const MESSAGE: Template = Template { name: "message", text: "{message}" };

const ALL: [Template; 7] = [
    MESSAGE,
    ORDER_CANCELLED,
    ORDER_CONFIRMED,
    ORDER_DELIVERED,
    ORDER_PICKED_UP,
    ORDER_PLACED,
    ORDER_REJECTED,
];

/// The template of that name.
pub(crate) fn named(name: &str) -> Option<Template> {
    ALL.into_iter().find(|template| template.name == name)
}

/// All of them, by name.
pub(crate) fn all() -> api::Templates {
    let view = |template: Template| api::Template {
        name: template.name.to_owned(),
        text: template.text.to_owned(),
        variables: render::names(template.text).into_iter().map(str::to_owned).collect(),
    };
    api::Templates { data: ALL.into_iter().map(view).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_listed_by_name_each_once() {
        assert!(ALL.is_sorted_by(|one, next| one.name < next.name));
        for template in ALL {
            assert_eq!(named(template.name), Some(template));
        }
        assert_eq!(named("order-eaten"), None);
    }

    #[test]
    fn places_are_named_as_clients_write_them() {
        for template in all().data {
            for name in &template.variables {
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{template:?}");
                assert!(!name.is_empty(), "{template:?}");
            }
        }
    }
}
