//! Keys over HTTP: from providers that are there, away, huge, and liars.

use std::sync::Arc;

use partie_identity::{
    Algorithm, Discovery, FetchError, Fetcher, Issuer, JwksAddress, KeySource, LARGEST_DOCUMENT, Refresh,
    RemoteKeys, Verifier,
};
use partie_runtime::{Ids, Stop};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::support::{LIMIT, Pages, Stream, grant, signer};

fn fetcher() -> Fetcher {
    Fetcher::new(None, false).unwrap()
}

fn at(pages: &Pages, path: &str) -> JwksAddress {
    JwksAddress::new(fetcher(), &pages.url(path)).unwrap()
}

#[tokio::test]
async fn discovery_leads_to_keys_that_verify() {
    let pages = Pages::start().await;
    let issuer = pages.url("/realms/staff");
    let signer = signer(Algorithm::Es256, &issuer);
    let metadata = json!({ "issuer": issuer, "jwks_uri": pages.url("/keys") });
    pages.page("/realms/staff/.well-known/openid-configuration", &metadata.to_string());
    pages.page("/keys", &signer.jwks().to_string());
    let source: Arc<dyn KeySource> = Arc::new(Discovery::new(fetcher(), &issuer).unwrap());
    let keys = RemoteKeys::new(source, Refresh::default(), Ids::seeded(7));
    let verifier = Verifier::new([Issuer::remote(&issuer, keys).audience("food")]);
    let stop = Stop::default();
    verifier.keep_fresh(&stop);
    let token = signer.issue(&grant()).unwrap();
    assert_eq!(verifier.authenticate(&token).await.unwrap().subject, "customer-1");
    assert_eq!((pages.asked(), verifier.problem()), (2, None));
    stop.finish().await;
}

#[tokio::test]
async fn metadata_that_lie_are_not_believed() {
    let pages = Pages::start().await;
    let issuer = pages.url("");
    pages.page("/keys", &signer(Algorithm::EdDsa, &issuer).jwks().to_string());
    let source = Discovery::new(fetcher(), &issuer).unwrap();
    for (metadata, why) in [
        (json!({ "issuer": "https://other.example", "jwks_uri": pages.url("/keys") }), "other.example"),
        (json!({ "issuer": format!("{issuer}/"), "jwks_uri": pages.url("/keys") }), "issuer"),
        (json!({ "jwks_uri": pages.url("/keys") }), "issuer"),
        (json!({ "issuer": issuer, "jwks_uri": "http://192.0.2.1/keys" }), "plain-http"),
        (json!({ "issuer": issuer, "jwks_uri": "file:///etc/passwd" }), "file:///etc/passwd"),
        (json!({ "issuer": issuer }), "not an address"),
        (json!([]), "issuer"),
    ] {
        pages.page("/.well-known/openid-configuration", &metadata.to_string());
        let asked = pages.asked();
        let error = source.fetch().await.unwrap_err();
        assert!(
            matches!(&error, FetchError::Unusable { reason, .. } if reason.to_string().contains(why)),
            "{error}"
        );
        assert_eq!(pages.asked(), asked + 1, "nothing else is asked for");
    }
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (pages, elsewhere) = (Pages::start().await, Pages::start().await);
    elsewhere.page("/keys", &signer(Algorithm::EdDsa, "x").jwks().to_string());
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = elsewhere.url("/keys");
        pages.raw("/keys", format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
        let error = at(&pages, "/keys").fetch().await.unwrap_err();
        assert!(matches!(error, FetchError::Status { status: 301..=308, .. }), "{error}");
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let pages = Pages::start().await;
    let body = vec![b' '; LARGEST_DOCUMENT + 1];
    let mut told = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    told.extend_from_slice(&body);
    pages.raw("/told", told);
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=LARGEST_DOCUMENT / 4096 {
        chunked.extend_from_slice(b"1000\r\n");
        chunked.extend_from_slice(&[b' '; 4096]);
        chunked.extend_from_slice(b"\r\n");
    }
    pages.raw("/chunked", chunked);
    let mut open = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    open.extend_from_slice(&body);
    pages.raw("/open", open);
    for path in ["/told", "/chunked", "/open"] {
        let error = at(&pages, path).fetch().await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{path}: {error}");
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_not_taken_for_one() {
    let pages = Pages::start().await;
    for (path, answer, unreachable) in [
        ("/html", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", false),
        ("/cut", "HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{\"keys\":", true),
        ("/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("/noise", "\0\0\0\0\0\0\0\0", true),
        ("/silence", "", true),
    ] {
        pages.raw(path, answer);
        let error = at(&pages, path).fetch().await.unwrap_err();
        match unreachable {
            true => assert!(matches!(error, FetchError::Unreachable { .. }), "{path}: {error}"),
            false => assert!(matches!(error, FetchError::Unusable { .. }), "{path}: {error}"),
        }
    }
    for status in ["404 Not Found", "500 Internal Server Error", "204 No Content", "206 Partial Content"] {
        pages.raw("/status", format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        let error = at(&pages, "/status").fetch().await.unwrap_err();
        assert!(matches!(error, FetchError::Status { .. }), "{status}: {error}");
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = JwksAddress::new(fetcher(), &format!("http://{gone}/")).unwrap().fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn tls_is_believed_by_its_authority_and_its_name_only() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let ca = std::env::temp_dir().join(format!("partie-identity-ca-{}.pem", std::process::id()));
    std::fs::write(&ca, certificate.pem()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let pages = Pages::start_with(move |stream| {
        let acceptor = acceptor.clone();
        Box::pin(async move {
            acceptor.accept(stream).await.ok().map(|stream| Box::new(stream) as Box<dyn Stream>)
        })
    })
    .await;
    let jwks = signer(Algorithm::EdDsa, "x").jwks();
    pages.page("/keys", &jwks.to_string());
    let ask = async |fetcher: Fetcher, host: &str| {
        let source = JwksAddress::new(fetcher, &format!("https://{host}:{}/keys", pages.port())).unwrap();
        tokio::time::timeout(LIMIT, source.fetch()).await.unwrap()
    };
    let trusting = Fetcher::new(Some(&ca), false).unwrap();
    std::fs::remove_file(&ca).unwrap();
    assert_eq!(ask(trusting.clone(), "localhost").await.unwrap(), jwks);
    let error = ask(trusting, "127.0.0.1").await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "not its name: {error}");
    let error = ask(fetcher(), "localhost").await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "nobody's authority: {error}");
}
