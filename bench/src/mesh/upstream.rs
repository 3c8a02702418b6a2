//! A server that answers at once, on every address of this machine: one program that stands for many instances.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use http::{Response, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::{Error, announce, until_told};

/// What it answers.
pub const ANSWER: &str = r#"{"id":"0193","name":"Margherita","price":{"amount":1100,"currency":"EUR"}}"#;

/// Serves on a free port until told to end, on one thread.
///
/// # Errors
/// When it does not start.
pub fn serve() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    listener.set_nonblocking(true)?;
    announce(SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr()?.port())))?;
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                // As everybody does; a stream without it is slower, not wrong.
                stream.set_nodelay(true).ok();
                let answer = service_fn(async |_: http::Request<Incoming>| {
                    let body = Full::new(Bytes::from_static(ANSWER.as_bytes()));
                    let answer = Response::builder().header(header::CONTENT_TYPE, "application/json");
                    Ok::<_, Infallible>(answer.body(body).unwrap_or_default())
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
    });
    until_told();
    Ok(())
}
