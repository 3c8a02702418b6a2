//! Who gets a certificate, what is in it, and who does not.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::grant::Grant;
use crate::keyfile::KeyError;

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("partie-identity-ca-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn the_root_is_made_once_and_is_its_owners() {
    let directory = Directory::new();
    let first = Authority::open(&directory.0, "food").unwrap();
    let key = directory.0.join("authority.pk8");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&key).unwrap();
    let second = Authority::open(&directory.0, "food").unwrap();
    assert_eq!(std::fs::read(&key).unwrap(), before);
    assert_eq!(std::fs::read_to_string(directory.0.join("authority.crt")).unwrap(), second.certificate());
    assert_eq!(first.certificate().len(), second.certificate().len());

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = Authority::open(&directory.0, "food").unwrap_err();
    assert!(matches!(error, AuthorityError::Key(KeyError::Exposed { mode: 0o640, .. })), "{error}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, "nonsense").unwrap();
    let error = Authority::open(&directory.0, "food").unwrap_err();
    assert!(matches!(error, AuthorityError::Key(KeyError::NotAKey { .. })), "{error}");
}

#[test]
fn all_who_have_the_systems_key_have_the_same_root() {
    let public = |authority: &Authority| {
        let pem = authority.certificate().to_owned();
        let body: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
        // SubjectPublicKeyInfo of Ed25519, and the key behind it.
        let head = [0x30, 0x2A, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 3, 0x21, 0];
        let at = der.windows(head.len()).position(|part| part == head).unwrap() + head.len();
        der[at..at + 32].to_vec()
    };
    let one = Authority::derived(b"the key", "food").unwrap();
    assert_eq!(public(&one), public(&Authority::derived(b"the key", "food").unwrap()));
    assert_ne!(public(&one), public(&Authority::derived(b"another", "food").unwrap()));
    assert_ne!(public(&one), public(&Authority::derived(b"the key", "shop").unwrap()));
}

#[test]
fn whoever_has_the_key_is_certified_and_nobody_else() {
    let directory = Directory::new();
    let authority = Authority::open(&directory.0, "food").unwrap();
    let (orders, menu) = (Applicant::new("food", "orders").unwrap(), Applicant::new("food", "menu").unwrap());
    let (good, other) = (orders.application().unwrap(), menu.application().unwrap());
    let certified = authority.certify(&good, &["desk"]).unwrap();
    assert!(certified.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(certified.authority, authority.certificate());
    assert!(orders.key_pem().contains("PRIVATE KEY"));

    let refused = |application: &Application| authority.certify(application, &[]).unwrap_err();
    for application in [
        Application { service: "menu".into(), ..good.clone() },
        Application { public_key: other.public_key.clone(), ..good.clone() },
        Application { proof: other.proof, ..good.clone() },
        Application { proof: String::new(), ..good.clone() },
        Application { proof: "!".into(), ..good.clone() },
        Application { public_key: String::new(), ..good.clone() },
        // Of the same service in another system.
        Applicant::new("shop", "orders").unwrap().application().unwrap(),
    ] {
        let error = refused(&application);
        assert!(matches!(error, AuthorityError::Proof { .. }), "{application:?}: {error}");
    }
    for name in ["", "Orders", "or.ders", "or/ders", "*", "-orders", "orders-", "ör", &"x".repeat(64)] {
        let application = Applicant::new("food", name).unwrap().application().unwrap();
        assert!(matches!(refused(&application), AuthorityError::Name { .. }), "{name}");
        assert!(matches!(authority.certify(&good, &[name]), Err(AuthorityError::Name { .. })), "{name}");
        assert!(matches!(Authority::open(&directory.0, name), Err(AuthorityError::Name { .. })), "{name}");
    }
}

#[test]
fn who_asks_again_is_the_same_one() {
    let directory = Directory::new();
    let path = directory.0.join("joined-orders.key");
    let asked = || Applicant::kept("food", "orders", &path).unwrap().application().unwrap();
    assert_eq!(asked().public_key, asked().public_key);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    Authority::derived(b"the key", "food").unwrap().certify(&asked(), &[]).unwrap();
    std::fs::write(&path, "nonsense").unwrap();
    let error = Applicant::kept("food", "orders", &path).unwrap_err();
    assert!(matches!(error, AuthorityError::Key(KeyError::NotAKey { .. })), "{error}");
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_it_is_left() {
    let directory = Directory::new();
    let authority = Authority::open(&directory.0, "food").unwrap();
    let application = Applicant::new("food", "orders").unwrap().application().unwrap();
    let hour = Duration::from_hours(1);
    let certified = authority.certify_at(&application, &[], 1_000_000, 3 * hour).unwrap();
    assert_eq!((certified.issued, certified.expires), (1_000_000, 1_010_800));
    assert_eq!(certified.renew_in(1_000_000), 2 * hour);
    assert_eq!(certified.renew_in(1_003_600), hour);
    assert_eq!(certified.renew_in(1_007_200), Duration::ZERO);
    assert_eq!(certified.renew_in(i64::MAX), Duration::ZERO);
}

#[test]
fn a_join_token_lets_one_key_in_and_a_restart_does_not_forget_it() {
    let directory = Directory::new();
    let path = directory.0.join("joins");
    let joins = Joins::open_at(&path, 100).unwrap();
    joins.spend_at("a.b.c", 200, "key", 100).unwrap();
    joins.spend_at("a.b.c", 200, "key", 110).unwrap();
    for token in ["a.b.c", "a.b.C", "a.b."] {
        let error = joins.spend_at(token, 200, "another", 110).unwrap_err();
        assert!(matches!(error, JoinError::Used), "{token}: {error}");
    }
    joins.spend_at("a.d.c", 120, "another", 110).unwrap();
    drop(joins);

    // Cut off in the middle of a line.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}200 abc")).unwrap();
    let joins = Joins::open_at(&path, 150).unwrap();
    assert!(matches!(joins.spend_at("a.b.c", 200, "another", 150), Err(JoinError::Used)));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1, "what is over is forgotten");
    assert!(matches!(Joins::open(&directory.0), Err(JoinError::File { .. })));
}

#[test]
fn a_join_token_says_whom_to_believe() {
    let authority = Authority::derived(b"the key", "food").unwrap();
    let grant = Grant::new("food", "join:orders", Duration::from_mins(10)).role("join");
    let token = crate::fixture::signer().issue(&grant.clone().anchor(authority.anchor().clone())).unwrap();
    let invitation = Invitation::read(&token).unwrap();
    assert_eq!((&*invitation.system, &*invitation.subject), ("food", "join:orders"));
    assert_eq!(invitation.anchor.as_ref(), Some(authority.anchor()));
    // To those who have the key it is a token like any other.
    let identity = crate::fixture::signer().verifier("food").verify(&token).unwrap();
    assert_eq!((identity.expires, &*identity.subject), (invitation.expires, "join:orders"));

    let without = crate::fixture::signer().issue(&grant).unwrap();
    assert_eq!(Invitation::read(&without).unwrap().anchor, None);
    let said = |claims: &str| {
        use base64::Engine;
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        Invitation::read(&format!("{}.{}.{}", part("{}"), part(claims), part("")))
    };
    assert!(said(r#"{"aud":"food","sub":"join:orders","exp":1}"#).is_ok());
    for wrong in [
        "{}",
        r#"{"aud":"food","sub":"join:orders"}"#,
        r#"{"aud":["food"],"sub":"join:orders","exp":1}"#,
        r#"{"aud":"food","sub":"join:orders","exp":1,"ca":"AAAA"}"#,
        r#"{"aud":"food","sub":"join:orders","exp":1,"ca":"!"}"#,
    ] {
        assert!(said(wrong).is_err(), "{wrong}");
    }
    assert!(Invitation::read("nonsense").is_err());
    assert_eq!("AAAA".parse::<Anchor>(), Err(NotAnAnchor));
    assert_eq!(authority.anchor().to_string().parse::<Anchor>().as_ref(), Ok(authority.anchor()));
}

#[test]
fn an_anchor_is_enough_to_check_certificates_with() {
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    let authority = Authority::derived(b"the key", "food").unwrap();
    let application = Applicant::new("food", "platform").unwrap().application().unwrap();
    let certified = authority.certify(&application, &["registry"]).unwrap();
    let leaf = CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap();
    let believes = |root: &str, host: &str| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let host = ServerName::try_from(host.to_owned()).unwrap();
        verifier.verify_server_cert(&leaf, &[], &host, &[], UnixTime::now()).is_ok()
    };
    let root = authority.anchor().root("food").unwrap();
    assert_ne!(root, authority.certificate());
    assert!(
        believes(&root, "registry.food.internal")
            && believes(authority.certificate(), "registry.food.internal")
    );
    assert!(!believes(&root, "orders.food.internal"));
    let another = Authority::derived(b"another key", "food").unwrap();
    assert!(!believes(&another.anchor().root("food").unwrap(), "registry.food.internal"));
    assert!(!believes(&authority.anchor().root("shop").unwrap(), "registry.food.internal"));
    assert!(matches!(authority.anchor().root("Shop"), Err(AuthorityError::Name { .. })));
}

#[test]
fn papers_are_kept_for_the_next_start_and_are_their_owners() {
    let directory = Directory::new();
    let path = directory.0.join("joined-orders.json");
    assert_eq!(Papers::load(&path).unwrap(), None);
    let authority = Authority::derived(b"the key", "food").unwrap();
    let applicant = Applicant::new("food", "orders").unwrap();
    let certified = authority.certify(&applicant.application().unwrap(), &[]).unwrap();
    let papers = Papers {
        system: "food".into(),
        service: "orders".into(),
        anchor: authority.anchor().to_string(),
        key: applicant.key_pem(),
        certified: certified.clone(),
        member: "member".into(),
        token: "token".into(),
        keys: crate::fixture::signer().jwks(),
    };
    papers.save(&path).unwrap();
    papers.save(&path).unwrap();
    assert_eq!(Papers::load(&path).unwrap().as_ref(), Some(&papers));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 1, "no draft stays");
    assert!(!format!("{papers:?}").contains("PRIVATE"));

    let (now, another) = (certified.issued, Authority::derived(b"another", "food").unwrap());
    assert!(papers.are_good("food", "orders", None, now));
    assert!(papers.are_good("food", "orders", Some(authority.anchor()), now));
    assert!(!papers.are_good("food", "orders", Some(another.anchor()), now));
    assert!(!papers.are_good("food", "menu", None, now) && !papers.are_good("shop", "orders", None, now));
    assert!(!papers.are_good("food", "orders", None, certified.expires));
    let half = Duration::from_mins(30);
    assert_eq!((papers.renew_in(now), papers.renew_in(now + 1800)), (half, Duration::ZERO));

    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(Papers::load(&path), Err(PapersError::Unreadable { .. })));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Papers::load(&path), Err(PapersError::Read(KeyError::Exposed { mode: 0o640, .. }))));
    assert!(matches!(papers.save(&directory.0.join("none/papers")), Err(PapersError::Write { .. })));
}
