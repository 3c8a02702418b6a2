//! Kitchens that accept at once, each by its own screen: it lists what waits and accepts all of it.

use std::net::SocketAddr;
use std::time::Duration;

use partie::runtime::Clock;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Connection, Error, request};

/// Between looks at a screen on which nothing was new.
const GLANCE: Duration = Duration::from_millis(10);
/// Tickets a kitchen accepts at the same time.
const HANDS: usize = 16;
/// Time to cook.
const COOKING: Duration = Duration::from_mins(20);

/// One kitchen.
#[derive(Debug)]
pub(super) struct Kitchen {
    pub(super) to: SocketAddr,
    /// The header line that says who asks.
    pub(super) owner: String,
    pub(super) restaurant: String,
}

/// What is read of a page of tickets.
#[derive(Deserialize)]
struct Page {
    data: Vec<Ticket>,
}

#[derive(Deserialize)]
struct Ticket {
    id: String,
}

// === impl Kitchen ===

impl Kitchen {
    /// Works until it is dropped.
    ///
    /// # Errors
    /// When the system answers with anything but success. Refusals because of too much work are taken as they come: the
    /// ticket is still there at the next look.
    pub(super) async fn work(self) -> Result<(), Error> {
        let path =
            format!("/api/v1/tickets?restaurant_id={}&status=awaiting_acceptance&limit=100", self.restaurant);
        let look = request("GET", &path, &self.owner, b"");
        let mut screen = Connection::new(self.to);
        let mut hands: Vec<_> = (0..HANDS).map(|_| Connection::new(self.to)).collect();
        loop {
            let answer = screen.exchange(&look).await?;
            let page: Page = match answer.status {
                200 => serde_json::from_slice(&answer.body)?,
                503 => Page { data: Vec::new() },
                status => return Err(format!("a kitchen's list was answered with {status}").into()),
            };
            if page.data.is_empty() {
                tokio::time::sleep(GLANCE).await;
                continue;
            }
            let mut shares: Vec<Vec<Vec<u8>>> = vec![Vec::new(); hands.len()];
            for (number, ticket) in page.data.iter().enumerate() {
                shares[number % HANDS].push(self.acceptance(ticket));
            }
            let mut working = JoinSet::new();
            for (hand, share) in hands.drain(..).zip(shares) {
                working.spawn(accept(hand, share));
            }
            while let Some(done) = working.join_next().await {
                hands.push(done??);
            }
        }
    }

    fn acceptance(&self, Ticket { id }: &Ticket) -> Vec<u8> {
        let body = json!({ "ready_by": Clock::wall().now() + COOKING }).to_string();
        let headers = format!("{}idempotency-key: accept-{id}\r\n", self.owner);
        request("POST", &format!("/api/v1/tickets/{id}/accept"), &headers, body.as_bytes())
    }
}

async fn accept(mut hand: Connection, share: Vec<Vec<u8>>) -> Result<Connection, Error> {
    for request in share {
        let answer = hand.exchange(&request).await?;
        if !matches!(answer.status, 200 | 503) {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("a kitchen's yes was answered with {} {body}", answer.status).into());
        }
    }
    Ok(hand)
}
