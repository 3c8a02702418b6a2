//! A service that is no part of the system: a program of its own, found in the registry where it announced itself.

use std::net::SocketAddr;

use partie::{Environment, Gateway, Service, StartError, System};
use partie_contract::{Call, Outcome, OutcomeExt as _, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Price {
    cents: i64,
}

/// What things cost, says a program in another language.
#[contract(service = "prices", version = 1)]
trait Prices {
    /// The price of the day.
    #[get("/prices/today", public)]
    async fn today(&self, cx: &Call) -> Outcome<Price>;
}

/// Asks for the price.
#[contract(service = "shop", version = 1)]
trait Shop {
    /// What it costs here.
    #[get("/offers/today", public)]
    async fn offer(&self, cx: &Call) -> Outcome<Price>;
}

struct Counter(PricesClient);

impl Shop for Counter {
    async fn offer(&self, cx: &Call) -> Outcome<Price> {
        Ok(self.0.today(cx).await.unexpected()?)
    }
}

fn system() -> System {
    let shop = Service::new("shop")
        .calls::<PricesClient>()
        .start(async |s| Ok(Counter(s.client())))
        .serve(Shop::routes());
    System::new("outside").service(shop).gateway(Gateway::default())
}

/// A program that answers every request with a price, and is asked about its health that way too.
async fn prices() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            if stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\
                              Connection: close\r\n\r\n{\"cents\":450}";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    address
}

/// The status line of an answer.
async fn put(address: &str, path: &str, body: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}");
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_announces_itself_in_the_registry_is_called_by_the_mesh() {
    let system = system().outside("prices");
    let mut config = system.defaults().clone();
    config.ephemeral = true;
    config.gateway.workers = Some(0);
    config.gateway.listen.set_port(0);
    let running = system.launch(config, Environment::default()).await.unwrap();
    let shop: ShopClient = running.client();
    let registry = running.registry_url().unwrap();
    let registry = registry.strip_prefix("http://").unwrap();

    // Whoever asks before it is there waits for it a moment.
    let early = tokio::spawn({
        let (shop, call) = (running.client::<ShopClient>(), running.call());
        async move { shop.offer(&call).await }
    });
    let address = prices().await;
    let (host, port) = (address.ip(), address.port());
    let check = format!("{{\"HTTP\":\"http://{address}/health\",\"Interval\":\"10s\"}}");
    let body = format!("{{\"Name\":\"prices\",\"Address\":\"{host}\",\"Port\":{port},\"Check\":{check}}}");
    assert_eq!(put(registry, "/v1/agent/service/register", body).await, "HTTP/1.1 200 OK");
    assert_eq!(early.await.unwrap().unwrap(), Price { cents: 450 });
    assert_eq!(shop.offer(&running.call()).await.unwrap(), Price { cents: 450 });
    // A name of the system's own is not to be had.
    let own = format!("{{\"Name\":\"shop\",\"Address\":\"{host}\",\"Port\":{port}}}");
    assert_eq!(put(registry, "/v1/agent/service/register", own).await, "HTTP/1.1 403 Forbidden");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_called_has_to_be_part_of_the_system_or_named_as_outside() {
    let refused = |system: System| {
        Box::pin(async move {
            let mut config = system.defaults().clone();
            config.ephemeral = true;
            config.gateway.listen.set_port(0);
            match system.launch(config, Environment::default()).await {
                Err(StartError::Edges(error)) => error.to_string(),
                other => panic!("{other:?}"),
            }
        })
    };
    assert!(refused(system()).await.contains("name it with `outside`"));
    assert!(refused(system().outside("prices").outside("shop")).await.contains("two services named shop"));
    assert!(
        refused(system().outside("prices").outside("gateway"))
            .await
            .contains("no service can be named gateway")
    );
}
