//! The mesh alone, in somebody's own axum program: another service as a tower service, with discovery, balancing,
//! deadlines, retries and breakers. `cargo run -p examples --bin mesh_alone -- static:product=127.0.0.1:5001`; instead
//! of the list it takes `dns:example.org`, `consul://127.0.0.1:8500`, or any other registry.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use axum::response::Response;
use axum::routing::get;
use partie_mesh::discovery::RegistryUrl;
use partie_mesh::{Handles, Mesh, MeshConfig, MeshService};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let registry = std::env::args().nth(1).ok_or("say where services are: static:product=127.0.0.1:5001")?;
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.discover(registry.parse::<RegistryUrl>()?.open()?);

    let product = mesh.service("product").timeout(Duration::from_secs(2));
    let app = Router::new().route("/offers/{id}", get(offer)).with_state(product);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// What the product service says of it, whichever instance of it answers.
async fn offer(State(product): State<MeshService>, Path(id): Path<u32>) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("/api/products/{id}").parse().unwrap_or_default();
    let answer = product.oneshot(request).await;
    // A fault is a problem document like any other answer.
    answer.unwrap_or_else(|fault| fault.into_response(None, None)).map(Body::new)
}
