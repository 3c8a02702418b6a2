//! The last step of a call: to a service in this process, or over the wire to an instance of one.

mod dial;
mod failed;
mod http1;
mod http2;
mod in_process;
mod pool;
mod remote;
mod sending;

pub(crate) use self::failed::Failed;
pub(crate) use self::in_process::send as send_in_process;
pub(crate) use self::remote::Remote;
pub(crate) use self::sending::Sending;
