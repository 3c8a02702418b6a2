//! Keys that change while tokens are verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use partie_contract::FaultKind;
use partie_runtime::{Ids, Stop};
use serde_json::json;

use crate::fixture::{ISSUER, NOW, encode, sign, signer};
use crate::remote::tests::Publisher;
use crate::remote::{KeySource, Refresh, RemoteKeys};
use crate::{Algorithm, Grant, Issuer, Signer, Verifier, jwk_set};

fn verifier(publisher: &Arc<Publisher>, refresh: Refresh) -> (Verifier, RemoteKeys, Stop) {
    let source: Arc<dyn KeySource> = Arc::clone(publisher) as _;
    let keys = RemoteKeys::new(source, refresh, Ids::seeded(7));
    let verifier = Verifier::new([Issuer::remote(ISSUER, keys.clone()).audience("food")]);
    let stop = Stop::default();
    verifier.keep_fresh(&stop);
    (verifier, keys, stop)
}

fn fresh_signer() -> Signer {
    Signer::from_pkcs8(&Signer::generate(Algorithm::EdDsa).unwrap(), ISSUER).unwrap()
}

fn token(signer: &Signer) -> String {
    signer.issue(&Grant::new("food", "a", Duration::from_secs(600))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_that_rotate_under_load_refuse_no_good_token() {
    const ROTATIONS: usize = 40;
    let first = fresh_signer();
    let publisher = Publisher::new(first.jwks());
    let refresh = Refresh { every: Duration::from_millis(2), at_most_every: Duration::ZERO };
    let (verifier, keys, stop) = verifier(&publisher, refresh);
    keys.loaded().await;
    let current = Arc::new(std::sync::Mutex::new(first));
    let (ended, verified) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (verifier, current) = (verifier.clone(), Arc::clone(&current));
            let (ended, verified) = (Arc::clone(&ended), Arc::clone(&verified));
            tokio::spawn(async move {
                while !ended.load(Ordering::Acquire) {
                    let signer = current.lock().unwrap().clone();
                    verifier.authenticate(&token(&signer)).await.unwrap();
                    verified.fetch_add(1, Ordering::AcqRel);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut published = vec![current.lock().unwrap().jwk()];
    for _ in 0..ROTATIONS {
        // The key is published and signs at once, as a careless issuer does it; the old ones stay for their tokens.
        let new = fresh_signer();
        published.push(new.jwk());
        publisher.publish(jwk_set(published.clone()));
        let before = verified.load(Ordering::Acquire);
        *current.lock().unwrap() = new;
        // As many again as there are verifiers: each has seen the new key.
        while verified.load(Ordering::Acquire) < before + 24 {
            assert!(!load.iter().any(tokio::task::JoinHandle::is_finished), "a good token was refused");
            tokio::task::yield_now().await;
        }
    }
    ended.store(true, Ordering::Release);
    for load in load {
        load.await.unwrap();
    }
    stop.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_key_is_gone_is_refused_although_it_is_remembered() {
    let (old, new) = (fresh_signer(), fresh_signer());
    let publisher = Publisher::new(old.jwks());
    let (verifier, keys, _stop) = verifier(&publisher, Refresh::default());
    keys.loaded().await;
    let remembered = token(&old);
    verifier.authenticate(&remembered).await.unwrap();
    publisher.publish(new.jwks());
    verifier.authenticate(&token(&new)).await.unwrap();
    let fault = verifier.authenticate(&remembered).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn forged_kids_are_refused_quickly_and_fetched_for_once() {
    let publisher = Publisher::new(signer().jwks());
    let (verifier, keys, _stop) = verifier(&publisher, Refresh::default());
    keys.loaded().await;
    for number in 0..1000 {
        let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": format!("forged-{number}") });
        let claims = json!({ "iss": ISSUER, "aud": "food", "sub": "a", "iat": NOW, "exp": i64::MAX });
        let forged = sign(&[number as u8; 32], &header.to_string(), &claims.to_string());
        let fault = verifier.authenticate(&forged).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Unauthenticated);
    }
    assert_eq!(publisher.asked(), 2);
    verifier.authenticate(&token(&signer())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_no_key_was_ever_learned_nobody_is_called_a_forger() {
    let publisher = Publisher::new(json!({}));
    publisher.publish(None);
    let (verifier, _keys, _stop) = verifier(&publisher, Refresh::default());
    let fault = verifier.authenticate(&token(&signer())).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamUnavailable);
    assert!(verifier.problem().unwrap().starts_with(ISSUER), "{:?}", verifier.problem());
    publisher.publish(signer().jwks());
    tokio::time::sleep(Duration::from_secs(61)).await;
    verifier.authenticate(&token(&signer())).await.unwrap();
    assert_eq!(verifier.problem(), None);
}

#[test]
fn a_private_key_that_was_published_is_not_believed() {
    let mut jwk = signer().jwk();
    jwk["d"] = encode([7; 32]).into();
    assert!(Issuer::fixed(ISSUER, &jwk_set([jwk])).is_err());
}
