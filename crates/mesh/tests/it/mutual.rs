//! Services that prove themselves to each other by certificates.

use std::time::Duration;

use partie_contract::{Deadline, FaultKind, Platform, Request};
use partie_mesh::discovery::Instance;
use partie_mesh::{
    ClientTls, Credentials, Handles, Limits, Mesh, MeshConfig, Peer, ServerTls, Strangers, Trust,
    refused_handshake,
};
use tokio::io::AsyncReadExt;

use crate::certificates::{Authority, Directory, client_config, connect};
use crate::support::{FOREVER, Server, fake, text, within};

/// A listener of that service, which says who called.
fn listen(credentials: Credentials) -> Server {
    let serve = fake(|peer, _| async move {
        match peer {
            Peer::Service { name, address } => text(format!("{name} {}", address.port())),
            other => text(format!("{other:?}")),
        }
    });
    Server::start_tls(Limits::default(), ServerTls::services(credentials, Strangers::Refused), serve)
}

fn mesh(credentials: Option<Credentials>) -> Mesh {
    let config = MeshConfig { hold: Duration::ZERO, ..MeshConfig::default() };
    let mesh = Mesh::new(config, Handles::default());
    if let Some(credentials) = credentials {
        mesh.secure(credentials);
    }
    mesh
}

fn lead(mesh: &Mesh, service: &str, server: &Server) {
    let instance = Instance::new("one", server.address).with_tls(true);
    mesh.connect_instances(service, &[instance]);
}

async fn call(mesh: &Mesh, service: &str, kind: &str) -> Result<String, Platform> {
    let request = http::Request::post("/").header("content-type", kind).body(Default::default()).unwrap();
    let from = Peer::InProcess("test".into());
    let answer: http::Response<_> =
        within(mesh.forward(service, from, Request::from(request), Deadline::after(FOREVER))).await?;
    Ok(String::from_utf8_lossy(&answer.into_body().collect(100).await?).into_owned())
}

const JSON: &str = "application/json";

#[tokio::test]
async fn each_side_knows_the_other_by_its_certificate() {
    let authority = Authority::new("food");
    let server = listen(authority.credentials(&authority.service("orders")));
    let mesh = mesh(Some(authority.credentials(&authority.service("delivery"))));
    lead(&mesh, "orders", &server);
    for kind in [JSON, "application/grpc"] {
        let answer = call(&mesh, "orders", kind).await.unwrap();
        assert!(answer.starts_with("delivery "), "{kind}: {answer}");
    }
    // The same instance under another name is somebody else.
    lead(&mesh, "menu", &server);
    let fault = call(&mesh, "menu", JSON).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamUnavailable);
    drop(mesh);
    server.stopped().await;
}

#[tokio::test]
async fn whoever_is_not_of_the_system_gets_no_answer() {
    let (authority, other) = (Authority::new("food"), Authority::new("food"));
    let server = listen(authority.credentials(&authority.service("orders")));
    let believing = |leaf: &crate::certificates::Leaf| Credentials::new(leaf.pem(&authority.pem())).unwrap();
    let strangers = [
        None,
        // Of an authority nobody believes, though it believes ours.
        Some(believing(&other.service("delivery"))),
        // Of our authority, and another system.
        Some(believing(&authority.leaf(&["x.shop.internal"], &["spiffe://shop/delivery"]))),
    ];
    for stranger in strangers {
        let mesh = mesh(stranger);
        lead(&mesh, "orders", &server);
        let answered = call(&mesh, "orders", JSON).await;
        assert!(answered.is_err(), "{answered:?}");
    }
    // And a server of another authority is not believed.
    let theirs = listen(other.credentials(&other.service("orders")));
    let mesh = mesh(Some(authority.credentials(&authority.service("delivery"))));
    lead(&mesh, "orders", &theirs);
    assert_eq!(call(&mesh, "orders", JSON).await.unwrap_err().kind(), FaultKind::UpstreamUnavailable);
    drop(mesh);
    server.stopped().await;
    theirs.stopped().await;
}

#[tokio::test]
async fn a_certificate_names_one_service_or_none_is_proven() {
    let authority = Authority::new("food");
    for uris in [
        &[][..],
        &["https://food/orders"],
        &["spiffe://food/orders", "spiffe://food/menu"],
        &["spiffe://food/"],
        &["spiffe:///orders"],
        &["spiffe://food/orders/1"],
        &["spiffe://food/Orders"],
    ] {
        let leaf = authority.leaf(&["orders.food.internal"], uris);
        assert!(Credentials::new(leaf.pem(&authority.pem())).is_err(), "{uris:?}");
    }
    let orders = authority.credentials(&authority.service("orders"));
    assert_eq!((orders.system(), orders.service()), ("food", "orders"));
    let error = orders.replace(authority.service("menu").pem(&authority.pem())).unwrap_err();
    assert!(error.to_string().contains("not for orders"), "{error}");
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_the_old_ones_go_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let both = format!("{}{}", old.pem(), new.pem());
    let orders = Credentials::new(old.service("orders").pem(&old.pem())).unwrap();
    let delivery = Credentials::new(old.service("delivery").pem(&old.pem())).unwrap();
    let server = listen(orders.clone());
    let first = mesh(Some(delivery.clone()));
    lead(&first, "orders", &server);
    let before = call(&first, "orders", JSON).await.unwrap();

    // The authority changes too: first everybody believes both, then everybody shows the new one.
    let renewed = new.service("orders");
    orders.replace(renewed.pem(&both)).unwrap();
    delivery.replace(new.service("delivery").pem(&both)).unwrap();
    assert_eq!(call(&first, "orders", JSON).await.unwrap(), before, "the same connection");
    let second = mesh(Some(delivery.clone()));
    lead(&second, "orders", &server);
    assert!(call(&second, "orders", JSON).await.unwrap().starts_with("delivery "));

    // Whoever still shows the old one once nobody believes it is a stranger.
    orders.replace(renewed.pem(&new.pem())).unwrap();
    let late = mesh(Some(Credentials::new(old.service("delivery").pem(&both)).unwrap()));
    lead(&late, "orders", &server);
    assert!(call(&late, "orders", JSON).await.is_err());
    drop((first, second, late));
    server.stopped().await;
}

#[tokio::test]
async fn without_a_certificate_the_handshake_is_all_there_is() {
    let (directory, authority) = (Directory::new(), Authority::new("food"));
    let server = listen(authority.credentials(&authority.service("orders")));
    let ca = directory.write("ca.crt", &authority.pem());
    // In TLS 1.3 the client is done before it is judged.
    if let Ok(mut stream) = connect(server.address, "orders.food.internal", client_config(&ca, &[])).await {
        let read = within(stream.read(&mut [0; 8])).await;
        assert!(read.unwrap_err().to_string().contains("CertificateRequired"));
    }
    server.stopped().await;
}

#[tokio::test]
async fn strangers_may_be_served_as_such() {
    let authority = Authority::new("food");
    let serve = fake(|peer, _| async move { text(format!("{}", matches!(peer, Peer::Network(_)))) });
    let tls = ServerTls::services(authority.credentials(&authority.service("registry")), Strangers::Served);
    let server = Server::start_tls(Limits::default(), tls, serve);
    let answer = server.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("true"), "{answer}");
    let mesh = mesh(Some(authority.credentials(&authority.service("orders"))));
    lead(&mesh, "registry", &server);
    assert_eq!(call(&mesh, "registry", JSON).await.unwrap(), "false");

    // Those without a certificate may still want to know whom they speak to.
    let newcomer = self::mesh(None);
    let expect = |host: &str, authority: &Authority| {
        let tls = ClientTls::new(host, &Trust::Pem(authority.pem())).unwrap();
        newcomer.connect_tls("registry", &[server.address], tls);
    };
    expect("registry.food.internal", &authority);
    assert_eq!(call(&newcomer, "registry", JSON).await.unwrap(), "true");
    let other = Authority::new("food");
    for (host, believed) in [("orders.food.internal", &authority), ("registry.food.internal", &other)] {
        expect(host, believed);
        let fault = call(&newcomer, "registry", JSON).await.unwrap_err();
        let reason = refused_handshake(&fault).unwrap_or_else(|| panic!("{fault:?}"));
        assert!(reason.contains("certificate"), "{reason}");
    }
    // Whoever shows one of somebody else's is no stranger but a liar.
    let liar = self::mesh(Some(Credentials::new(other.service("orders").pem(&authority.pem())).unwrap()));
    lead(&liar, "registry", &server);
    assert!(call(&liar, "registry", JSON).await.is_err());
    drop((mesh, newcomer, liar));
    server.stopped().await;
}

#[tokio::test]
async fn whoever_expects_tls_learns_that_there_is_none() {
    let authority = Authority::new("food");
    let server = Server::start(Limits::default(), fake(|_, _| async { text("in the clear".to_owned()) }));
    let mesh = mesh(None);
    let tls = ClientTls::new("registry.food.internal", &Trust::Pem(authority.pem())).unwrap();
    mesh.connect_tls("registry", &[server.address], tls);
    let fault = call(&mesh, "registry", JSON).await.unwrap_err();
    assert!(refused_handshake(&fault).is_some(), "{fault:?}");
    // Nobody there is something else: he may come.
    let address = server.address;
    drop(mesh);
    server.stopped().await;
    let mesh = self::mesh(None);
    let tls = ClientTls::new("registry.food.internal", &Trust::Pem(authority.pem())).unwrap();
    mesh.connect_tls("registry", &[address], tls);
    let fault = call(&mesh, "registry", JSON).await.unwrap_err();
    assert!(refused_handshake(&fault).is_none(), "{fault:?}");
}
