//! The registry over the wire: what a list says, and what a restart of the registry changes.

mod joining;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_contract::{
    BoxFuture, Call, Caller, Channel, Client as _, Deadline, Fault, FaultKind, Inbound, Operation, Outcome,
    Params, Platform, Request, Response, Routes, Transport,
};
use partie_identity::{Authority, Grant, Joins, Signer};
use partie_mesh::discovery::{
    Announcement, EmbeddedRegistry, EmbeddedRegistryConfig, Following, Instance, Registry,
};
use partie_runtime::{Ids, Stop};
use tokio::sync::watch;

use super::registry::{After, Announce};
use super::*;

const SETTLING: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(60);

/// A registry in a process that may be another one after a while.
#[derive(Clone)]
pub(crate) struct Line {
    desk: watch::Sender<Option<Arc<RegistryDesk>>>,
    signer: Signer,
    ids: Ids,
    /// Which tokens have been used, over its lives.
    joins: Arc<TestFile>,
    /// Who calls, if he has proven that by a certificate.
    peer: Option<Arc<str>>,
}

/// A file that goes with the test.
struct TestFile(PathBuf);

impl Drop for TestFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

impl Line {
    pub(crate) fn new() -> Self {
        // PKCS#8 of an Ed25519 key (RFC 8410) with the first seed of RFC 8032.
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let signer = Signer::from_pkcs8(&[&head[..], &[7; 32]].concat(), "partie:food").unwrap();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let joins = std::env::temp_dir().join(format!("partie-joins-{}-{number}", std::process::id()));
        let joins = Arc::new(TestFile(joins));
        let line = Self { desk: watch::Sender::new(None), signer, ids: Ids::seeded(1), joins, peer: None };
        line.restart();
        line
    }

    /// The same as that service reaches it.
    pub(crate) fn of(&self, service: &str) -> Self {
        Self { peer: Some(service.into()), ..self.clone() }
    }

    /// Another process, which knows nothing.
    pub(crate) fn restart(&self) {
        let config = EmbeddedRegistryConfig { settling: SETTLING, ..EmbeddedRegistryConfig::default() };
        let registry = EmbeddedRegistry::start(config);
        let admission = Admission {
            joins: Some(Joins::open(&self.joins.0).unwrap()),
            authority: Some(Authority::derived(b"the key", "food").unwrap()),
            reserved: &["registry"],
        };
        let (ids, closing) = (&self.ids, Stop::default());
        let desk = RegistryDesk::open(registry, "food", self.signer.clone(), admission, ids, closing);
        self.desk.send_replace(Some(Arc::new(desk)));
    }

    pub(crate) fn stop(&self) {
        self.desk.send_replace(None);
    }

    pub(crate) fn desk(&self) -> Arc<RegistryDesk> {
        self.desk.borrow().clone().unwrap()
    }

    fn caller(&self, grant: &Grant) -> Caller {
        let token = self.signer.issue(grant).unwrap();
        Caller::Verified(self.signer.verifier("food").verify(&token).unwrap())
    }

    pub(crate) fn call(&self, grant: &Grant) -> Call {
        self.calls()().with_caller(self.caller(grant))
    }

    pub(crate) fn calls(&self) -> Arc<dyn Fn() -> Call + Send + Sync> {
        let ids = self.ids.clone();
        Arc::new(move || Call::new(Deadline::after(LONG), ids.trace()))
    }

    /// The registry as a process sees it that may be that service.
    fn remote(&self, service: &str) -> RemoteRegistry {
        let client = RegistryWireClient::over(Channel::new(self.clone()));
        let verifier = Arc::new(self.signer.verifier("food"));
        let pass = self.caller(&join_grant("food", service));
        RemoteRegistry::new("line".to_owned(), client, self.calls(), verifier, pass)
    }
}

impl Transport for Line {
    fn send(
        &self,
        call: Call,
        operation: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let (line, mut lives) = (self.clone(), self.desk.subscribe());
        Box::pin(async move {
            let broken = || Platform::new(FaultKind::UpstreamUnavailable);
            let desk = lives.borrow_and_update().clone().ok_or_else(broken)?;
            let (head, body) = request.into_parts();
            // The road of a real request would verify the token again.
            let call = call.with_caller(line.shown(&head.headers));
            let inbound = Inbound {
                call: match &line.peer {
                    Some(peer) => call.with_peer(Arc::clone(peer)),
                    None => call,
                },
                operation,
                path: head.uri.path().to_owned(),
                params: Params::default(),
                query: head.uri.query().map(str::to_owned),
                body: body.collect(1 << 20).await?,
            };
            let routes: Routes<RegistryDesk> = RegistryWire::routes();
            let mut pairs = routes.contract().operations.iter().zip(routes.endpoints());
            let endpoint = pairs.find(|(known, _)| known.name == operation.name).unwrap().1;
            tokio::select! {
                answer = endpoint(desk, inbound) => Ok(answer),
                _ = lives.changed() => Err(broken()),
            }
        })
    }
}

impl Line {
    fn shown(&self, headers: &http::HeaderMap) -> Caller {
        let token = partie_identity::bearer(headers, false).unwrap();
        token.map_or(Caller::Anonymous, |token| {
            Caller::Verified(self.signer.verifier("food").verify(token).unwrap())
        })
    }
}

fn announce(service: &str) -> Announce {
    Announce {
        service: service.to_owned(),
        id: "1".to_owned(),
        address: "127.0.0.1:9".to_owned(),
        weight: 100,
        lease_ms: 10_000,
        tls: false,
    }
}

fn refusal<T>(outcome: Outcome<T, RegistryWireError>) -> String {
    match outcome {
        Err(Fault::Domain(RegistryWireError::JoinRefused { reason })) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is let in"),
    }
}

async fn eventually(following: &Following, addresses: &[&str]) {
    let mut lists = following.watch();
    let is_so = |list: &Arc<[Instance]>| {
        list.iter().map(|one| one.address.to_string()).eq(addresses.iter().map(|one| (*one).to_owned()))
    };
    let waited = tokio::time::timeout(LONG, lists.wait_for(is_so)).await;
    assert!(waited.is_ok(), "{following:?} is not {addresses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_is_answered_when_it_is_news() {
    let line = Line::new();
    let desk = line.desk();
    let call = line.calls()().with_wait(Duration::from_secs(20));
    let list = async |after: After| desk.list(&call, after).await.unwrap();
    let nothing = After { service: "orders".to_owned(), life: 0, index: 0, settling: false };
    let first = list(nothing.clone()).await;
    assert!(first.settling && first.instances.is_empty());
    let known = |listing: &WireListing| After {
        life: listing.life,
        index: listing.index,
        settling: listing.settling,
        ..nothing.clone()
    };
    // News: an instance.
    let join = line.call(&join_grant("food", "orders"));
    let (second, ()) = tokio::join!(list(known(&first)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        desk.announce(&join, announce("orders")).await.unwrap();
    });
    assert_eq!((second.instances.len(), second.settling), (1, true));
    // News: the list is whole now; the lease is over.
    let third = list(known(&second)).await;
    assert_eq!((third.instances.len(), third.settling), (1, false));
    let fourth = list(known(&third)).await;
    assert_eq!(fourth.instances.len(), 0);
    // None: it is as it was.
    let fifth = list(known(&fourth)).await;
    assert_eq!(fifth.index, fourth.index);
    // Another life: news at once, whatever the numbers say.
    line.restart();
    let stranger = line.desk().list(&call, known(&first)).await.unwrap();
    assert_ne!(stranger.life, first.life);
}

#[tokio::test(start_paused = true)]
async fn instances_come_back_to_a_registry_that_has_lost_its_memory() {
    let line = Line::new();
    let orders: Arc<dyn Registry> = Arc::new(line.remote("orders"));
    let instance = Instance::new("orders-1", "127.0.0.1:9".parse().unwrap());
    let announcement = Announcement::make(Arc::clone(&orders), "orders", instance, line.ids.clone());
    let gateway: Arc<dyn Registry> = Arc::new(line.remote("gateway"));
    let following = Following::begin(Arc::clone(&gateway), "orders", line.ids.clone());
    tokio::time::timeout(LONG, announcement.stands()).await.unwrap();
    eventually(&following, &["127.0.0.1:9"]).await;

    line.stop();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(following.instances().len(), 1, "the last list stays");
    line.restart();
    tokio::time::timeout(LONG, announcement.stands()).await.unwrap();
    // Long after the settling it is there, for those too who know nothing.
    tokio::time::sleep(SETTLING * 2).await;
    eventually(&Following::begin(gateway, "orders", line.ids.clone()), &["127.0.0.1:9"]).await;

    announcement.withdraw().await.unwrap();
    assert!(
        line.desk()
            .list(&line.calls()(), After { service: "orders".to_owned(), life: 0, index: 0, settling: false })
            .await
            .unwrap()
            .instances
            .is_empty()
    );
}
