//! What customers order: baskets from the menus of the restaurants there are.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::request;
use crate::{Connection, Error};

/// The restaurants' ids, and orders of one to three lines, as bodies.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) restaurants: Vec<String>,
    pub(super) orders: Vec<Vec<u8>>,
}

impl Market {
    /// Looks around, through the public API.
    pub(super) async fn visit(to: SocketAddr) -> Result<Self, Error> {
        let mut connection = Connection::new(to);
        let listed = get(&mut connection, "/api/v1/restaurants").await?;
        let (mut restaurants, mut orders) = (Vec::new(), Vec::new());
        for restaurant in listed["data"].as_array().ok_or("no restaurants")? {
            let id = restaurant["id"].as_str().ok_or("a restaurant without an id")?;
            let menu = get(&mut connection, &format!("/api/v1/restaurants/{id}/menu")).await?;
            let items = menu["items"].as_array().ok_or("no menu")?;
            for lines in 1..=items.len().min(3) {
                let order = json!({
                    "restaurant_id": id,
                    "items": items.iter().take(lines).zip(1..).map(|(item, quantity)| {
                        json!({ "item_id": item["id"], "quantity": quantity })
                    }).collect::<Vec<_>>(),
                    "drop_off": restaurant["location"],
                    "contact": { "phone": "+4930123456" },
                });
                orders.push(order.to_string().into_bytes());
            }
            restaurants.push(id.to_owned());
        }
        Ok(Self { restaurants, orders })
    }
}

async fn get(connection: &mut Connection, path: &str) -> Result<Value, Error> {
    let answer = connection.exchange(&request("GET", path, "", b"")).await?;
    Ok(serde_json::from_slice(&answer.body)?)
}
