//! The registry over the wire: who is let in, what a list says, and what a restart of the registry changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_contract::{
    BoxFuture, Call, Caller, Channel, Client as _, Deadline, Fault, FaultKind, Inbound, Operation, Outcome,
    Params, Platform, Request, Response, Routes, Transport,
};
use partie_identity::{Applicant, Authority, Grant, Issuer, Joins, Signer, Verifier};
use partie_mesh::discovery::{
    Announcement, EmbeddedRegistry, EmbeddedRegistryConfig, Following, Instance, Registry,
};
use partie_runtime::{Ids, Stop};
use tokio::sync::watch;

use super::registry::{After, Announce, Apply};
use super::*;

const SETTLING: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(60);

/// A registry in a process that may be another one after a while.
#[derive(Clone)]
struct Line {
    desk: watch::Sender<Option<Arc<RegistryDesk>>>,
    signer: Signer,
    ids: Ids,
    /// Which tokens have been used, over its lives.
    joins: Arc<TestFile>,
}

/// A file that goes with the test.
struct TestFile(PathBuf);

impl Drop for TestFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

impl Line {
    fn new() -> Self {
        // PKCS#8 of an Ed25519 key (RFC 8410) with the first seed of RFC 8032.
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let signer = Signer::from_pkcs8(&[&head[..], &[7; 32]].concat(), "test").unwrap();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let joins = std::env::temp_dir().join(format!("partie-joins-{}-{number}", std::process::id()));
        let joins = Arc::new(TestFile(joins));
        let line = Self { desk: watch::Sender::new(None), signer, ids: Ids::seeded(1), joins };
        line.restart();
        line
    }

    /// Another process, which knows nothing.
    fn restart(&self) {
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

    fn stop(&self) {
        self.desk.send_replace(None);
    }

    fn desk(&self) -> Arc<RegistryDesk> {
        self.desk.borrow().clone().unwrap()
    }

    fn caller(&self, grant: &Grant) -> Caller {
        let token = self.signer.issue(grant).unwrap();
        Caller::Verified(self.signer.verifier("food").verify(&token).unwrap())
    }

    fn call(&self, grant: &Grant) -> Call {
        self.calls()().with_caller(self.caller(grant))
    }

    fn calls(&self) -> Arc<dyn Fn() -> Call + Send + Sync> {
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
            let inbound = Inbound {
                // The road of a real request would verify the token again.
                call: call.with_caller(line.shown(&head.headers)),
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
async fn only_somebody_who_may_be_that_service_is_let_in() {
    let line = Line::new();
    let minute = Duration::from_secs(60);
    for (grant, needle) in [
        (join_grant("food", "delivery"), "for delivery, not for orders"),
        (Grant::new("food", "service:orders", minute).role("service"), "service:orders is none"),
        (Grant::new("food", "join:orders", minute).role("customer"), "join:orders is none"),
        (Grant::new("food", "ada", minute).role("join"), "ada is none"),
    ] {
        let reason = refusal(line.desk().announce(&line.call(&grant), announce("orders")).await);
        assert!(reason.contains(needle), "{reason}");
    }
    let join = line.call(&join_grant("food", "orders"));
    for address in ["here", "localhost:80", ""] {
        let wrong = Announce { address: address.to_owned(), ..announce("orders") };
        assert!(refusal(line.desk().announce(&join, wrong).await).contains("IP address"));
    }
    let everywhere = Announce { address: "0.0.0.0:80".to_owned(), ..announce("orders") };
    assert!(refusal(line.desk().announce(&join, everywhere).await).contains("nobody can call"));
    // Whoever is let in can come back with what it was given, as the same service only.
    let admitted = line.desk().announce(&join, announce("orders")).await.unwrap();
    let member = line.signer.verifier("food").verify(&admitted.token).unwrap();
    let member = line.calls()().with_caller(Caller::Verified(member));
    line.restart();
    assert!(line.desk().announce(&member, announce("orders")).await.is_ok());
    assert!(refusal(line.desk().announce(&member, announce("delivery")).await).contains("not for delivery"));
}

#[tokio::test(start_paused = true)]
async fn a_join_token_lets_one_instance_in_whatever_the_registry_forgets() {
    let line = Line::new();
    let join = line.call(&join_grant("food", "orders"));
    let another = || Announce { id: "2".to_owned(), ..announce("orders") };
    // What is refused for another reason does not use it up.
    let wrong = Announce { address: "here".to_owned(), ..another() };
    refusal(line.desk().announce(&join, wrong).await);
    line.desk().announce(&join, announce("orders")).await.unwrap();
    line.desk().announce(&join, announce("orders")).await.unwrap();
    for _ in 0..2 {
        let reason = refusal(line.desk().announce(&join, another()).await);
        assert_eq!(reason, "the join token has been used");
        line.restart();
    }
    let fresh = line.call(&join_grant("food", "orders"));
    line.desk().announce(&fresh, another()).await.unwrap();
}

/// A new key for that service.
fn apply(service: &str) -> Apply {
    let application = Applicant::new("food", service).unwrap().application().unwrap();
    let (public_key, proof) = (application.public_key, application.proof);
    Apply { service: service.to_owned(), public_key, proof }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_let_in_is_certified_as_what_the_token_names() {
    let line = Line::new();
    let join = line.call(&join_grant("food", "orders"));
    let first = apply("orders");
    let certificate = line.desk().certify(&join, first.clone()).await.unwrap();
    assert!(
        certificate.certificate.contains("BEGIN CERTIFICATE") && certificate.expires > certificate.issued
    );
    // An answer can be lost: the same key may come again, over restarts too.
    line.restart();
    line.desk().certify(&join, first).await.unwrap();
    let reserved = line.call(&join_grant("food", "registry"));
    for (call, apply, needle) in [
        (&join, apply("orders"), "has been used"),
        (&join, apply("menu"), "for orders, not for menu"),
        (&join, Apply { proof: String::new(), ..apply("orders") }, "proof of the key"),
        (&line.calls()().with_peer("menu".into()), apply("orders"), "menu is not orders"),
        (&line.calls()(), apply("orders"), "is none"),
        (&reserved, apply("registry"), "takes the key of the system"),
    ] {
        let reason = refusal(line.desk().certify(call, apply).await);
        assert!(reason.contains(needle), "{reason}");
    }
    // Nobody else comes in by that token, announced or not.
    let reason = refusal(line.desk().announce(&join, announce("orders")).await);
    assert_eq!(reason, "the join token has been used");
}

#[tokio::test(start_paused = true)]
async fn who_has_joined_has_what_it_takes_to_be_that_service_and_no_other() {
    let line = Line::new();
    let join = line.call(&join_grant("food", "orders"));
    let given = line.desk().certify(&join, apply("orders")).await.unwrap();
    // It knows the tokens of the system by what it was given, and its own are among them.
    let own = Issuer::system("test", &given.keys.clone().into()).unwrap().audience("food");
    let verifier = Verifier::new([own]);
    let service = verifier.verify(&given.token).unwrap();
    let member = verifier.verify(&given.member).unwrap();
    assert_eq!((&*service.subject, &*member.subject), ("service:orders", "member:orders"));
    let roles = |identity: &partie_contract::Identity| identity.roles.join(" ");
    assert_eq!((roles(&service), roles(&member)), ("service".to_owned(), "member".to_owned()));
    assert!(!format!("{:?}", given.keys).contains("\"d\""), "nothing to sign with");

    // What it was given renews all of it, with a new key, and comes back over restarts of the platform.
    line.restart();
    let call = |token: &str| {
        let caller = Caller::Verified(verifier.verify(token).unwrap());
        line.calls()().with_caller(caller).with_peer("orders".into())
    };
    let renewed = line.desk().certify(&call(&given.member), apply("orders")).await.unwrap();
    assert_ne!(renewed.certificate, given.certificate);
    line.desk().announce(&call(&renewed.member), announce("orders")).await.unwrap();
    line.desk().certify(&call(&renewed.member), apply("orders")).await.unwrap();

    // It is nobody else by that, and its token for other services lets nobody in.
    for (token, service, needle) in [
        (&renewed.member, "delivery", "orders is not delivery"),
        (&renewed.token, "orders", "service:orders is none"),
    ] {
        let reason = refusal(line.desk().certify(&call(token), apply(service)).await);
        assert!(reason.contains(needle), "{reason}");
        let reason = refusal(line.desk().announce(&call(token), announce(service)).await);
        assert!(reason.contains(needle), "{reason}");
    }
    // In the hands of another service, or of nobody, neither.
    let stolen = |peer: Option<&str>| {
        let caller = Caller::Verified(verifier.verify(&renewed.member).unwrap());
        let call = line.calls()().with_caller(caller);
        match peer {
            Some(peer) => call.with_peer(peer.into()),
            None => call,
        }
    };
    let reason = refusal(line.desk().certify(&stolen(Some("menu")), apply("orders")).await);
    assert_eq!(reason, "menu is not orders");
    let reason = refusal(line.desk().certify(&stolen(None), apply("orders")).await);
    assert!(reason.contains("shows its certificate"), "{reason}");
    let reason = refusal(line.desk().certify(&stolen(None), apply("delivery")).await);
    assert!(reason.contains("not for delivery"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_join_token_is_read_by_who_cannot_check_it() {
    let line = Line::new();
    let authority = Authority::derived(b"the key", "food").unwrap();
    let token = |grant: &Grant| line.signer.issue(grant).unwrap();
    let anchored = token(&join_grant("food", "orders").anchor(authority.anchor().clone()));
    let read = JoinToken::read(&anchored, "orders").unwrap();
    assert_eq!((&*read.system, &*read.service), ("food", "orders"));
    assert_eq!(read.anchor.as_ref(), Some(authority.anchor()));
    assert_eq!(JoinToken::read(&token(&join_grant("food", "orders")), "orders").unwrap().anchor, None);
    for (text, needle) in [
        (anchored.clone(), "for orders, not for menu"),
        (token(&Grant::new("food", "ada", LONG).role("customer")), "ada is none"),
        (anchored.replace('.', ""), "the join token is no good: a token has three parts"),
    ] {
        let reason = JoinToken::read(&text, "menu").unwrap_err();
        assert!(reason.contains(needle), "{reason}");
    }
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
