//! Sockets: one for each worker on the same port, and never on somebody else's.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::tls::TlsError;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens there already.
    #[error(
        "{address} is already in use: end the program that listens there, or choose another port (0 is any)"
    )]
    Taken {
        /// The address.
        address: SocketAddr,
    },
    /// What it is to show cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Anything else: no such address on this machine, or a port that needs more rights.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Binds that many sockets to the address, all on one port.
///
/// The first is bound without `SO_REUSEPORT`, so that a second program on the port is an error instead of somebody who
/// silently takes half of the requests. It gets the option before it listens, which is when the kernel forms the group.
pub(super) fn sockets(
    address: SocketAddr,
    count: usize,
    backlog: i32,
) -> Result<Vec<TcpListener>, BindError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        _ => BindError::Io { address, source },
    };
    let mut bound = Vec::with_capacity(count);
    let first = socket(address, false).map_err(failed)?;
    first.set_reuse_port(true).map_err(failed)?;
    let same_port = local(&first, address).map_err(failed)?;
    bound.push(first);
    while bound.len() < count {
        bound.push(socket(same_port, true).map_err(failed)?);
    }
    let listening = |socket: Socket| {
        socket.listen(backlog)?;
        Ok(TcpListener::from(socket))
    };
    bound.into_iter().map(listening).collect::<io::Result<_>>().map_err(failed)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of its predecessor to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn local(socket: &Socket, asked: SocketAddr) -> io::Result<SocketAddr> {
    Ok(socket.local_addr()?.as_socket().unwrap_or(asked))
}
