//! TLS to PostgreSQL: whom a store believes, and whom it does not.

use std::path::PathBuf;

use partie_store::{Config, Handles, Store};
use partie_testservers::Postgres;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{Dir, ITEMS, ids};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_checked_as_the_address_asks_for() {
    let (ours, theirs) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    let files = [("server.crt", &*certificate.pem()), ("server.key", &*key.serialize_pem())];
    let server = Postgres::start(&files, &["ssl=on"]);
    let url = server.database();
    let dir = Dir::new();
    let write = |name: &str, pem: String| -> PathBuf {
        let file = dir.path().join(name);
        std::fs::write(&file, pem).unwrap();
        file
    };
    let (ours, theirs) = (write("ours.pem", ours.pem()), write("theirs.pem", theirs.pem()));
    let (ours, theirs) = (ours.display(), theirs.display());
    let by_name = url.replace("127.0.0.1", "localhost");
    let mut config = Config::default();
    config.outage_patience = std::time::Duration::ZERO;
    for (address, complaint) in [
        (format!("{url}?sslmode=require"), None),
        (format!("{url}?sslmode=verify-full&sslrootcert={ours}"), None),
        (format!("{url}?sslmode=verify-full&sslrootcert={theirs}"), Some("invalid peer certificate")),
        (format!("{by_name}?sslmode=verify-ca&sslrootcert={ours}"), None),
        (format!("{by_name}?sslmode=verify-full&sslrootcert={ours}"), Some("not valid for name")),
        (format!("{url}?sslmode=require&sslrootcert={theirs}"), Some("invalid peer certificate")),
    ] {
        let opened = Store::connect(&address, "test", &[ITEMS], Handles::system(), config.clone());
        match (opened, complaint) {
            (Ok(store), None) => {
                assert!(ids(&store).await.is_empty());
                let plain = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
                             WHERE a.application_name LIKE 'partie %' AND NOT s.ssl";
                assert_eq!(tokio::task::block_in_place(|| server.sql("test_0", plain)), "0", "{address}");
                store.close().await;
            }
            (Err(error), Some(complaint)) => {
                assert!(error.to_string().contains(complaint), "{address}: {error}")
            }
            (opened, _) => panic!("{address}: {opened:?}"),
        }
    }
}
