//! One connection to the broker.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, runtime};
use tokio::time::timeout;

use crate::topology::Topology;
use crate::{AmqpSettings, BusError, InvalidSettings};

/// Seconds between signs of life. After twice as long without any, the connection counts as broken.
const HEARTBEAT: u16 = 10;
/// The client library keeps two buffers of 32 frames for each connection: 2 MiB with this, 8 MiB with the broker's default.
const FRAME_MAX: u32 = 32 * 1024;

/// Opens connections.
pub(crate) struct Connector {
    uri: AMQPUri,
    name: String,
    deadline: Duration,
    pub(crate) topology: Topology,
}

impl Connector {
    pub(crate) fn new(settings: &AmqpSettings) -> Result<Self, InvalidSettings> {
        let mut uri: AMQPUri = settings.url.parse().map_err(InvalidSettings::Url)?;
        if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "amqps") {
            return Err(InvalidSettings::NoTls);
        }
        if settings.prefix.len() > 100 {
            return Err(InvalidSettings::LongPrefix);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        uri.query.frame_max.get_or_insert(FRAME_MAX);
        Ok(Self {
            uri,
            name: settings.name.clone(),
            deadline: settings.connect_deadline,
            topology: Topology::new(&settings.prefix),
        })
    }

    /// Connects and signs in. Callers set the deadline: dropping this future ends everything that it began.
    pub(crate) async fn connect(&self) -> Result<Link, BusError> {
        let address = (self.uri.authority.host.as_str(), self.uri.authority.port);
        let addresses: Vec<_> = tokio::net::lookup_host(address).await.map_err(BusError::Resolve)?.collect();
        let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
        let attempt = Attempt::default();
        let (opened, deadline) = (attempt.socket.clone(), self.deadline);
        let connection = Connection::connector(
            self.uri.clone(),
            runtime::default_runtime()?,
            // runs on a thread of the library, which nobody can end: its own deadline does
            async move |uri, runtime| {
                let open = async {
                    let stream = AsyncTcpStream::connect(&runtime, addresses.clone()).await?;
                    if let AsyncTcpStream::Plain(plain) = &stream {
                        opened.keep(plain.get_ref().as_fd().try_clone_to_owned()?.into());
                    }
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => {
                            stream.into_tls(&uri.authority.host, OwnedTLSConfig::default().as_ref()).await
                        }
                    }
                };
                let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
                timeout(deadline, open).await.map_err(late).flatten().map_err(lapin::Error::from)
            },
            properties,
        )
        .await?;
        Ok(Link { connection, socket: attempt.succeed() })
    }
}

/// An open connection. Dropping it closes it in an orderly way if it still works, so that what was sent arrives, else abruptly.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    socket: Socket,
}

impl Link {
    /// Ends the connection without asking the broker, which does not answer.
    pub(crate) fn sever(&self) {
        self.socket.sever();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.connection.status().connected() {
            self.sever();
        }
    }
}

/// A second handle on the connection's socket. The library's thread waits without bound for a broker that does not answer; shutting the socket down
/// ends that thread.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    socket: Option<TcpStream>,
    severed: bool,
}

impl Socket {
    fn keep(&self, socket: TcpStream) {
        let mut slot = self.locked();
        slot.socket = Some(socket);
        if slot.severed {
            slot.shut_down();
        }
    }

    fn sever(&self) {
        let mut slot = self.locked();
        slot.severed = true;
        slot.shut_down();
    }

    fn locked(&self) -> MutexGuard<'_, Slot> {
        // the slot holds no invariant that a panic could break
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn shut_down(&mut self) {
        if let Some(socket) = self.socket.take() {
            // it fails if the other side was quicker
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Severs the socket unless the attempt succeeds.
#[derive(Default)]
struct Attempt {
    socket: Socket,
    succeeded: bool,
}

impl Attempt {
    fn succeed(mut self) -> Socket {
        self.succeeded = true;
        self.socket.clone()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.succeeded {
            self.socket.sever();
        }
    }
}
