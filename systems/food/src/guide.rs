//! Three requests a newcomer can paste: look, order, follow.

use std::sync::Arc;

use food_contracts::restaurants::{ListRestaurants, RestaurantsClient};
use partie::Running;

/// The customer of the guide.
const CUSTOMER: &str = "newcomer";

/// The requests, with a token that works and the first restaurant there is. Pasted in order they need no editing.
pub(crate) async fn requests(running: Arc<Running>) -> Vec<String> {
    let url = running.url();
    let look = format!("curl {url}/api/v1/restaurants");
    let Some(order) = order(&running).await else { return vec![look] };
    let follow = format!("curl -N {url}/api/v1/orders/$ORDER/stream -H \"Authorization: Bearer $TOKEN\"");
    let mut lines = vec![look];
    lines.extend(order);
    lines.push(follow);
    lines
}

/// An order of the first dish of the first restaurant, brought to the restaurant's own door.
async fn order(running: &Running) -> Option<[String; 2]> {
    let token = running.token(CUSTOMER, &["customer"]).ok()?;
    let restaurants: RestaurantsClient = running.client();
    let page = restaurants.list(&running.call(), ListRestaurants::default()).await.ok()?;
    let restaurant = page.data.first()?;
    let menu = restaurants.menu(&running.call(), restaurant.id).await.ok()?.0;
    let item = menu.items.iter().find(|item| item.available)?;
    let body = format!(
        "{{\"restaurant_id\":\"{}\",\"items\":[{{\"item_id\":\"{}\",\"quantity\":1}}],\
         \"drop_off\":{{\"lat\":{},\"lon\":{}}},\"contact\":{{\"phone\":\"+4930123456\"}}}}",
        restaurant.id, item.id, restaurant.location.lat, restaurant.location.lon
    );
    Some([
        format!("TOKEN={token}"),
        format!(
            "ORDER=$(curl -s {}/api/v1/orders -H \"Authorization: Bearer $TOKEN\" \
             -H 'Content-Type: application/json' -H \"Idempotency-Key: $(date +%s)-$$\" -d '{body}' \
             | tee /dev/stderr | sed 's/.*\"tracking_id\":\"\\([^\"]*\\)\".*/\\1/')",
            running.url()
        ),
    ])
}
