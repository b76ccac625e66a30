use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Longest path of a Unix socket on Linux, without the NUL at its end (`sun_path` in unix(7)).
const MAX_UNIX_PATH_BYTES: usize = 107;

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// Reached over the network.
    Tcp(TcpListener),
    /// Reached by processes of this machine that may open its path.
    Unix(UnixListener),
}

impl Listener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// What the system says, such as an address in use.
    pub fn bind_tcp(address: impl ToSocketAddrs) -> io::Result<Self> {
        TcpListener::bind(address).map(Self::Tcp)
    }

    /// Binds a Unix socket that only its owner may use. It appears under its path with its rights set, and replaces what is there: call
    /// this only while holding the lock of the folder.
    ///
    /// # Errors
    /// `InvalidInput` if the path is too long for the system (107 bytes); else what the system says.
    pub fn bind_unix(path: &Path) -> io::Result<Self> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push("~");
        let temporary = Path::new(&temporary);
        if temporary.as_os_str().len() > MAX_UNIX_PATH_BYTES {
            let message = format!("the socket path {} is longer than the system allows", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        match std::fs::remove_file(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(temporary)?;
        std::fs::set_permissions(temporary, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(temporary, path)?;
        Ok(Self::Unix(listener))
    }

    /// The same socket once more. Connections that come while nobody accepts from either wait in the system's queue.
    ///
    /// # Errors
    /// The process has too many descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(tcp) => tcp.try_clone().map(Self::Tcp),
            Self::Unix(unix) => unix.try_clone().map(Self::Unix),
        }
    }

    /// The address of a TCP listener.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}
