//! Whether a client still waits for its answer.
//!
//! actix lets a handler go on when the client has closed its side, since a client may close one direction only. A call that waits for long, and whose
//! answer is lost on somebody who has left, asks here. It needs [`crate::server::ServerSettings::watches_clients`].

use std::any::Any;
use std::os::fd::{AsFd as _, OwnedFd};

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::net::{RecvFlags, recv};

/// A second descriptor of a connection. It closes with the connection's data, which go with the connection itself.
struct Watched(OwnedFd);

/// Remembers a connection. Those that we end TLS on ourselves are not watched.
pub(crate) fn watch(connection: &dyn Any, extensions: &mut Extensions) {
    if let Some(tcp) = connection.downcast_ref::<TcpStream>()
        && let Ok(descriptor) = tcp.as_fd().try_clone_to_owned()
    {
        extensions.insert(Watched(descriptor));
    }
}

/// False when the client has closed its side of the connection, or the connection is broken. True if nobody can say.
pub fn is_there(request: &HttpRequest) -> bool {
    let Some(Watched(descriptor)) = request.conn_data::<Watched>() else { return true };
    // what was sent is looked at and left where it is; nothing to be read is the usual case
    match recv(descriptor, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, 0)) => false,
        Ok(_) => true,
        Err(error) => error == rustix::io::Errno::AGAIN || error == rustix::io::Errno::INTR,
    }
}
