//! One issuer, three gateways, and what is taken back.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::stream;
use partie_contract::{
    BoxFuture, EventStream, FaultKind, Reply as _, Request, Response, Revocation, RevocationNews, StreamItem,
};
use partie_identity::{Algorithm, Grant, IssuerConfig, Signer};
use partie_mesh::{Handles, Limits, Listener, MeshConfig, Peer, Serve};
use partie_runtime::{monotonic, trust_now};
use tokio::sync::broadcast;

use super::*;

const ISSUER: &str = "https://users.example";
/// How long any of this may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a revocation may take to every gateway, for 99 of 100.
const BOUND: Duration = Duration::from_secs(1);

/// A service that issues tokens, as others see it.
struct Users {
    signer: Signer,
    news: broadcast::Sender<Revocation>,
}

impl Users {
    fn token(&self, session: usize) -> String {
        let grant = Grant::new("food", "ann", Duration::from_secs(300)).session(format!("s-{session}"));
        self.signer.issue(&grant).unwrap()
    }

    fn stream(&self) -> Response {
        let news = self.news.subscribe();
        let events = stream::unfold((true, news), |(first, mut news)| async move {
            let heartbeat = tokio::time::sleep(Duration::from_secs(1));
            let revocations = tokio::select! {
                () = std::future::ready(()), if first => Vec::new(),
                revocation = news.recv() => vec![revocation.unwrap()],
                () = heartbeat => Vec::new(),
            };
            let data = RevocationNews { at: trust_now() * 1000, complete: first, revocations };
            Some((Ok(StreamItem { id: None, event: "revocations".into(), data }), (false, news)))
        });
        EventStream::new(events).into_response().unwrap()
    }
}

impl Serve for Users {
    fn serve(self: Arc<Self>, _: Peer, request: Request) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            let is_service = request.headers().contains_key("authorization");
            match request.uri().path() {
                "/.well-known/jwks.json" => Response::new(self.signer.jwks().to_string().into_bytes().into()),
                "/api/v1/auth/revocations/stream" if is_service => self.stream(),
                _ => http::Response::builder().status(404).body(partie_contract::Body::empty()).unwrap(),
            }
        })
    }
}

fn signer(issuer: &str) -> Signer {
    Signer::from_pkcs8(&Signer::generate(Algorithm::EdDsa).unwrap(), issuer).unwrap()
}

/// What one gateway believes, which reaches the issuer over a socket of its own.
fn gateway(users: SocketAddr, stop: &Stop) -> Arc<Verifier> {
    let mut config = Config::default();
    config.identity.issuers.insert("users".to_owned(), IssuerConfig::service("users", ISSUER));
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.connect("users", users);
    let own = signer("partie:food");
    let tokens = ServiceTokens::new(own.clone(), "food", "gateway").unwrap();
    let trust =
        Trust::open(&config, "food", own.trusted("food"), &mesh, &Ids::from_entropy(), &tokens).unwrap();
    let verifier = Arc::clone(&trust.verifier);
    trust.keep_fresh(stop);
    verifier
}

/// When each of the tokens is refused there, in order.
async fn refused(verifier: &Verifier, tokens: &[String]) -> Vec<Instant> {
    let mut refused = Vec::new();
    for token in tokens {
        while verifier.verify(token).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        refused.push(monotonic());
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_reach_three_gateways_within_a_second() {
    const REVOKED: usize = 200;
    let users = Arc::new(Users { signer: signer(ISSUER), news: broadcast::Sender::new(REVOKED) });
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = Listener::bind(anywhere, Limits::default(), 0, Handles::default()).unwrap();
    let (address, stop) = (listener.local_addr(), Stop::default());
    let serving = tokio::spawn(listener.run(Arc::clone(&users) as Arc<dyn Serve>, stop.clone()));
    let gateways: Vec<_> = (0..3).map(|_| gateway(address, &stop)).collect();

    let tokens: Vec<String> = (0..REVOKED).map(|session| users.token(session)).collect();
    for gateway in &gateways {
        for token in &tokens {
            gateway.authenticate(token).await.unwrap();
        }
        assert_eq!(gateway.problem(), None);
    }
    let watched: Vec<_> = gateways
        .iter()
        .map(|gateway| {
            let (gateway, tokens) = (Arc::clone(gateway), tokens.clone());
            tokio::spawn(async move { refused(&gateway, &tokens).await })
        })
        .collect();
    let mut revoked = Vec::new();
    for session in 0..REVOKED {
        let until = trust_now() + 300;
        let session = Some(format!("s-{session}"));
        revoked.push(monotonic());
        users.news.send(Revocation { session, subject: None, issued_before: 0, until }).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut took = Vec::new();
    for gateway in watched {
        let refused = tokio::time::timeout(LIMIT, gateway).await.unwrap().unwrap();
        took.extend(refused.iter().zip(&revoked).map(|(refused, revoked)| refused.duration_since(*revoked)));
    }
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 < BOUND, "{p99:?}");

    let late = users.token(0);
    let fault = gateways[0].authenticate(&late).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unauthenticated, "a session that is over stays so");
    stop.stop();
    serving.await.unwrap().unwrap();
    stop.finish().await;
}
