//! The players' way to the system: HTTP/1.1 over real sockets, which are kept for the next request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use partie::contract::{
    Body, BoxError, BoxFuture, Call, Channel, Client, FaultKind, Operation, Platform, Request, Response,
    Transport,
};
use tokio::net::TcpStream;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 16 << 20;

/// A client of one address. Cheap to clone; all clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Http(Arc<Wire>);

#[derive(Debug)]
struct Wire {
    address: SocketAddr,
    /// Connections without a request under way, the one used last at the end.
    unused: Mutex<Vec<SendRequest<Body>>>,
    connections: AtomicU64,
    requests: AtomicU64,
}

// === impl Http ===

impl Http {
    /// A client of that address. Nothing is connected yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let wire = Wire {
            address,
            unused: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        };
        Self(Arc::new(wire))
    }

    /// A typed client over this one.
    pub(crate) fn client<C: Client>(&self) -> C {
        C::over(Channel::new(self.clone()))
    }

    /// How many requests were sent.
    pub(crate) fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Over how many connections they went.
    pub(crate) fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }
}

impl Transport for Http {
    fn send(
        &self,
        _: Call,
        _: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let wire = Arc::clone(&self.0);
        Box::pin(async move { wire.send(request).await.map_err(unreachable) })
    }
}

// === impl Wire ===

impl Wire {
    /// Sends the request and reads the whole answer. The connection of an answer nobody waits for any more is closed.
    async fn send(&self, mut request: Request) -> Result<Response, BoxError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        request.headers_mut().insert(HOST, HeaderValue::from_str(&self.address.to_string())?);
        let (connection, answer) = loop {
            let mut connection = match self.take().await {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.try_send_request(request).await {
                Ok(answer) => break (connection, answer),
                // The server hung up on an unused connection before the request was written: another one will do.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        };
        let (head, body) = answer.into_parts();
        let body = Body::stream(body).collect(LARGEST).await?;
        self.unused().push(connection);
        Ok(Response::from_parts(head, body.into()))
    }

    /// The connection used last, unless the server has closed it.
    async fn take(&self) -> Option<SendRequest<Body>> {
        loop {
            let mut connection = self.unused().pop()?;
            // It may still have to see the end of its last answer.
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<SendRequest<Body>>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, BoxError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How it ends is learnt from its requests.
        tokio::spawn(async move { connection.await.ok() });
        sender.ready().await?;
        Ok(sender)
    }
}

fn unreachable(error: BoxError) -> Platform {
    Platform::new(FaultKind::UpstreamUnavailable).with_detail(error.to_string()).caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use food_contracts::delivery::DriversClient;
    use food_contracts::restaurants::{ListRestaurants, RestaurantsClient};
    use partie::{Environment, Gateway};

    use super::*;

    #[tokio::test]
    async fn connections_are_kept_and_a_request_under_way_has_its_own() {
        let system = partie::System::new("town")
            .service(food_restaurants::service())
            .service(food_delivery::service())
            .gateway(Gateway::default());
        let mut config = system.defaults().clone();
        (config.ephemeral, config.gateway.workers) = (true, Some(0));
        config.gateway.listen.set_port(0);
        let running = system.launch(config, Environment::default()).await.unwrap();

        let http = Http::new(running.address());
        let restaurants: RestaurantsClient = http.client();
        for _ in 0..3 {
            restaurants.list(&running.call(), ListRestaurants::default()).await.unwrap();
        }
        assert_eq!((http.requests(), http.connections()), (3, 1));

        // A problem comes as what it is.
        let (drivers, call): (DriversClient, _) =
            (http.client(), running.call_as("nobody", &["driver"]).unwrap());
        let unknown = drivers.driver(&call, "me".to_owned()).await.unwrap_err();
        assert_eq!((unknown.code(), http.connections()), ("driver-not-found", 1));

        // A long poll keeps the one, so others take another.
        let word = serde_json::from_str(r#"{"status":"available"}"#).unwrap();
        drivers.set_status(&call, "me".to_owned(), word).await.unwrap();
        let waiting = call.clone().with_wait(Duration::from_secs(20));
        let poll = tokio::spawn(async move { drivers.offers(&waiting, "me".to_owned()).await });
        running.activity().quiet_but(1).await;
        restaurants.list(&running.call(), ListRestaurants::default()).await.unwrap();
        assert_eq!((http.requests(), http.connections()), (7, 2));
        poll.abort();
        running.activity().quiet_but(0).await;
        running.stop().await.unwrap();
    }
}
