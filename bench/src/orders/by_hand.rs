//! The endpoint written by hand on axum: the same types, the same state, the same bounds, the same answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use partie::contract::Entity;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Book, NewOrder, PATH};
use crate::{Error, announce, until_told};

async fn place(State(book): State<Arc<Book>>, Json(order): Json<NewOrder>) -> Response {
    if let Some(violation) = violation(&order) {
        return (StatusCode::UNPROCESSABLE_ENTITY, violation).into_response();
    }
    match book.place(order) {
        Ok(order) => {
            let location = format!("{PATH}/{}", order.id());
            (StatusCode::CREATED, [(header::LOCATION, location)], Json(order)).into_response()
        }
        Err(_) => (StatusCode::UNPROCESSABLE_ENTITY, "an item is not on the menu").into_response(),
    }
}

/// What the contract's schema says, written out.
pub fn violation(order: &NewOrder) -> Option<&'static str> {
    let within = |text: &str, least: usize, most: usize| (least..=most).contains(&text.chars().count());
    if !(1..=100).contains(&order.items.len()) {
        Some("an order has 1 to 100 items")
    } else if order.items.iter().any(|item| !(1..=99).contains(&item.quantity)) {
        Some("a quantity is 1 to 99")
    } else if !(-90.0..=90.0).contains(&order.drop_off.lat) || !(-180.0..=180.0).contains(&order.drop_off.lon)
    {
        Some("that is no place")
    } else if !within(&order.contact.phone, 7, 16) || !within(&order.contact.email, 3, 254) {
        Some("that is no contact")
    } else if !within(&order.note, 0, 200) {
        Some("the note is too long")
    } else {
        None
    }
}

/// Serves it on a free port, with a `current_thread` runtime and a socket for each worker, until told to end.
///
/// # Errors
/// When it does not start.
pub fn serve(workers: usize) -> Result<(), Error> {
    let router = Router::new().route(PATH, post(place)).with_state(Arc::new(Book::default()));
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    for number in 0..workers {
        let socket = listen(address)?;
        address = socket.local_addr()?;
        let (router, runtime) =
            (router.clone(), tokio::runtime::Builder::new_current_thread().enable_all().build()?);
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(socket)?.tap_io(|stream| {
                // As everybody does; a stream without it is slower, not wrong.
                stream.set_nodelay(true).ok();
            });
            axum::serve(listener, router).await
        };
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || runtime.block_on(serve))?;
    }
    announce(address)?;
    until_told();
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1_024)?;
    Ok(socket.into())
}
