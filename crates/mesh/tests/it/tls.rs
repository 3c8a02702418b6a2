//! TLS at the listener and towards upstreams: what is shown, to whom, and what happens when it changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_contract::{Body, Deadline, FaultKind, Request};
use partie_mesh::{
    ClientTls, Handles, Limits, Mesh, MeshConfig, Peer, ServerTls, TlsError, TlsFiles, TlsPair, Trust,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{Authority, Directory, Leaf, client_config, connect};
use crate::support::{FOREVER, Server, echo, fake, text, within};

const SHORT: Duration = Duration::from_millis(60);
const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: kitchen.example\r\n\r\n";

/// A directory with an authority, and files for `kitchen.example`.
fn kitchen() -> (Directory, Authority, TlsFiles) {
    let (directory, authority) = (Directory::new(), Authority::new("test"));
    directory.write("ca.crt", &authority.pem());
    let (certificate, key) = authority.leaf(&["kitchen.example"], &[]).write(&directory, "kitchen");
    (directory, authority, TlsFiles::new(certificate, key))
}

async fn call(mesh: &Mesh, request: Request) -> Result<String, partie_contract::Platform> {
    let from = Peer::InProcess("test".into());
    let answer = mesh.forward("kitchen", from, request, Deadline::after(FOREVER)).await?;
    let body = answer.into_body().collect(16 << 20).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn grpc() -> Request {
    let request = http::Request::post("/kitchen.v1.Menu/List").header("content-type", "application/grpc");
    request.body(Body::from(vec![0; 5])).unwrap()
}

#[tokio::test]
async fn calls_go_through_tls_in_both_protocols() {
    let (directory, _, files) = kitchen();
    let serve = fake(|_, request: Request| async move {
        let (version, host) = (request.version(), request.headers().get("host").cloned());
        let size = request.into_body().collect(16 << 20).await.unwrap().len();
        text(format!("{version:?} {} {size} {}", host.unwrap().to_str().unwrap(), "x".repeat(size)))
    });
    let server = Server::start_tls(Limits::default(), ServerTls::open(files).unwrap(), serve);
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    let trust = Trust::File(directory.path("ca.crt"));
    let tls = ClientTls::new("kitchen.example", &trust).unwrap();
    mesh.connect_tls("kitchen", &[server.address], tls);
    let host = format!("kitchen.example:{}", server.address.port());
    assert_eq!(call(&mesh, Request::default()).await.unwrap(), format!("HTTP/1.1 {host} 0 "));
    // More than any buffer holds, there and back.
    let large = http::Request::put("/").body(Body::from(vec![b'x'; 3_000_000])).unwrap();
    let answer = within(call(&mesh, large)).await.unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {host} 3000000 xxx")) && answer.len() > 3_000_000);
    assert!(call(&mesh, grpc()).await.unwrap().starts_with(&format!("HTTP/2.0 {host} 5")));

    // Of somebody else nothing is believed.
    for (host, trust) in [("menu.example", &trust), ("kitchen.example", &Trust::Public)] {
        let mesh =
            Mesh::new(MeshConfig { hold: Duration::ZERO, ..MeshConfig::default() }, Handles::default());
        mesh.connect_tls("kitchen", &[server.address], ClientTls::new(host, trust).unwrap());
        let fault = call(&mesh, Request::default()).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::UpstreamUnavailable, "{host}");
    }
    drop(mesh);
    server.stopped().await;
}

#[tokio::test]
async fn a_protocol_is_agreed_on_or_there_is_no_connection() {
    let (directory, _, files) = kitchen();
    let server = Server::start_tls(Limits::default(), ServerTls::open(files).unwrap(), echo());
    let ca = directory.path("ca.crt");
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&[], None),
    ] {
        let stream = connect(server.address, "kitchen.example", client_config(&ca, offered)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    }
    let refused = connect(server.address, "kitchen.example", client_config(&ca, &["spdy/3"])).await;
    assert!(refused.unwrap_err().to_string().contains("NoApplicationProtocol"));
    server.stopped().await;
}

#[tokio::test]
async fn each_host_has_its_certificate() {
    let (directory, authority, mut files) = kitchen();
    for (name, hosts) in [("menu", &["menu.example", "carte.example"][..]), ("wild", &["*.branch.example"])] {
        let (certificate, key) = authority.leaf(hosts, &[]).write(&directory, name);
        files.more.push(TlsPair { certificate, key });
    }
    let server = Server::start_tls(Limits::default(), ServerTls::open(files).unwrap(), echo());
    let config = client_config(&directory.path("ca.crt"), &[]);
    for (host, shown) in [
        ("kitchen.example", true),
        ("menu.example", true),
        ("MENU.example", true),
        ("carte.example", true),
        ("north.branch.example", true),
        ("a.north.branch.example", false),
        ("elsewhere.example", false),
    ] {
        assert_eq!(connect(server.address, host, config.clone()).await.is_ok(), shown, "{host}");
    }
    server.stopped().await;
}

/// What is logged on the thread of a test.
#[derive(Default, Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let writer = move || log.clone();
        tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(writer).finish())
    }

    /// Waits until it says so that often.
    async fn says(&self, text: &str, times: usize) {
        while String::from_utf8_lossy(&self.0.lock().unwrap()).matches(text).count() < times {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Asks on a connection that is there.
async fn ask<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"GET /a ") {
        answer.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn new_files_are_shown_to_new_connections_and_broken_ones_never() {
    let (directory, authority, files) = kitchen();
    let log = Log::default();
    let _logged = log.begin();
    let server = Server::start_tls(Limits::default(), ServerTls::open(files).unwrap(), echo());
    let config = client_config(&directory.path("ca.crt"), &[]);
    let shown = || async {
        let stream = connect(server.address, "kitchen.example", config.clone()).await.unwrap();
        CertificateDer::clone(&stream.get_ref().1.peer_certificates().unwrap()[0]).into_owned()
    };
    let mut before = connect(server.address, "kitchen.example", config.clone()).await.unwrap();
    let first = shown().await;

    let second = authority.leaf(&["kitchen.example"], &[]);
    second.write(&directory, "kitchen");
    let becomes = |wanted: CertificateDer<'static>| {
        let shown = &shown;
        async move {
            while shown().await != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    within(becomes(second.der())).await;
    assert_ne!(first, second.der());
    ask(&mut before).await;

    // A key of somebody else's, then nonsense.
    let third = authority.leaf(&["kitchen.example"], &[]);
    for (count, broken) in [&third.key, "nonsense", ""].into_iter().enumerate() {
        directory.write("kitchen.key", broken);
        within(log.says("a new certificate cannot be used: the old one stays", count + 1)).await;
        assert_eq!(shown().await, second.der());
    }
    third.write(&directory, "kitchen");
    within(becomes(third.der())).await;
    ask(&mut before).await;
    drop(before);
    server.stopped().await;
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_and_who_says_nothing_is_not_waited_for() {
    let (_directory, _, files) = kitchen();
    let limits = Limits { handshake: SHORT, ..Limits::default() };
    let server = Server::start_tls(limits, ServerTls::open(files).unwrap(), echo());
    let answer = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("this port speaks TLS"), "{answer}");
    assert!(server.connect().await.is_closed_silently().await);
    let mut half = server.connect().await;
    half.send(b"\x16\x03\x01\x02\x00\x01").await;
    assert!(half.is_closed_silently().await);
    server.stopped().await;
}

#[tokio::test]
async fn a_drain_says_goodbye_through_tls() {
    let (directory, _, files) = kitchen();
    let limits = Limits { lame_duck: Duration::ZERO, ..Limits::default() };
    let server = Server::start_tls(limits, ServerTls::open(files).unwrap(), echo());
    let config = client_config(&directory.path("ca.crt"), &[]);
    let mut used = connect(server.address, "kitchen.example", config).await.unwrap();
    ask(&mut used).await;
    let hanging = server.connect().await;
    server.stop.stop();
    // With a close_notify, so that nobody takes it for a cut.
    assert_eq!(within(used.read(&mut [0; 8])).await.unwrap(), 0);
    server.stopped().await;
    drop(hanging);
}

#[tokio::test]
async fn a_listener_may_want_to_know_who_connects() {
    let (directory, _, mut files) = kitchen();
    let friends = Authority::new("friends");
    files.clients = Some(directory.write("friends.crt", &friends.pem()));
    let server = Server::start_tls(Limits::default(), ServerTls::open(files).unwrap(), echo());
    let shows = |leaf: Option<Leaf>| {
        let mut config = ClientConfig::clone(&client_config(&directory.path("ca.crt"), &[]));
        if let Some(leaf) = leaf {
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            let own = CertifiedKey::from_der(vec![leaf.der()], key, &ring::default_provider()).unwrap();
            config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(own));
        }
        async {
            let mut stream = connect(server.address, "kitchen.example", Arc::new(config)).await?;
            stream.write_all(REQUEST).await?;
            // In TLS 1.3 the client is done before it is judged.
            within(stream.read(&mut [0; 8])).await
        }
    };
    assert_eq!(shows(Some(friends.leaf(&["friend.example"], &[]))).await.unwrap(), 8);
    assert!(shows(None).await.is_err());
    assert!(shows(Some(Authority::new("friends").leaf(&["friend.example"], &[]))).await.is_err());
    server.stopped().await;
}

#[tokio::test]
async fn what_cannot_be_shown_is_said_at_once() {
    let (directory, authority, files) = kitchen();
    let missing = TlsFiles { key: directory.path("nowhere.key"), ..files.clone() };
    assert!(matches!(ServerTls::open(missing), Err(TlsError::Read { .. })));
    let (_, other) = authority.leaf(&["kitchen.example"], &[]).write(&directory, "other");
    for files in [
        TlsFiles { key: other, ..files.clone() },
        TlsFiles { key: files.certificate.clone(), ..files.clone() },
        TlsFiles { certificate: files.key.clone(), ..files.clone() },
        TlsFiles { clients: Some(files.key.clone()), ..files },
    ] {
        let error = ServerTls::open(files).unwrap_err();
        assert!(matches!(&error, TlsError::Unusable { what, .. } if what.contains("kitchen.")), "{error}");
    }
    assert!(ClientTls::new("no host", &Trust::Public).is_err());
}
