//! Stands between the services and a server, and counts what they ask of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Takes the first whole message off a buffer: its length, and what it asks for.
pub(super) type Next = fn(&[u8]) -> Option<(usize, Option<String>)>;

/// How often each thing was asked for.
pub(super) type Tally = BTreeMap<String, f64>;

/// A running proxy. It ends when this is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    tally: Arc<Mutex<Tally>>,
    _accepting: JoinSet<Result<()>>,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr, next: Next) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tally = Arc::new(Mutex::new(Tally::new()));
        let counted = Arc::clone(&tally);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await?;
                connections.spawn(pass(client, server, next, Arc::clone(&counted)));
            }
        });
        Ok(Self { address, tally, _accepting: accepting })
    }

    /// What was counted so far.
    pub(super) fn tally(&self) -> Tally {
        // nothing in here can fail half way
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass(client: TcpStream, server: SocketAddr, next: Next, tally: Arc<Mutex<Tally>>) -> Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = async { tokio::io::copy(&mut from_server, &mut to_client).await };
    let forth = async {
        let (mut piece, mut unread) = (vec![0; 64 * 1024], Vec::new());
        loop {
            let read = from_client.read(&mut piece).await?;
            if read == 0 {
                return std::io::Result::Ok(());
            }
            unread.extend_from_slice(&piece[..read]);
            while let Some((length, asked)) = next(&unread) {
                unread.drain(..length);
                if let Some(asked) = asked {
                    *tally.lock().unwrap_or_else(PoisonError::into_inner).entry(asked).or_default() += 1.0;
                }
            }
            to_server.write_all(&piece[..read]).await?;
        }
    };
    // either end closes both
    tokio::select! {
        end = back => drop(end?),
        end = forth => end?,
    }
    Ok(())
}

/// Messages to MongoDB: the name of a command is the first key of the document in an `OP_MSG`.
pub(super) fn of_mongodb(unread: &[u8]) -> Option<(usize, Option<String>)> {
    const OP_MSG: i32 = 2013;
    const HEAD: usize = 16;
    let int = |at: usize| Some(i32::from_le_bytes(unread.get(at..at + 4)?.try_into().ok()?));
    let length = usize::try_from(int(0)?).ok()?;
    let message = unread.get(..length)?;
    if int(12)? != OP_MSG {
        return Some((length, None));
    }
    // sections stand behind the flags; those of kind 1 are sequences of documents
    let mut at = HEAD + 4;
    while message.get(at) == Some(&1) {
        at += 1 + usize::try_from(int(at + 1)?).ok()?;
    }
    let name = message.get(at + 1 + 4 + 1..)?.split(|byte| *byte == 0).next()?;
    let name = String::from_utf8_lossy(name).into_owned();
    // how the driver watches the server
    let watches = matches!(name.as_str(), "hello" | "isMaster" | "ismaster" | "ping" | "endSessions");
    Some((length, (!watches).then_some(name)))
}

/// Commands to Redis: arrays of strings, of which the first is the name.
pub(super) fn of_redis(unread: &[u8]) -> Option<(usize, Option<String>)> {
    let line = |at: usize| {
        let end = unread.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let number = std::str::from_utf8(unread.get(at + 1..at + end)?).ok()?.parse::<usize>().ok()?;
        Some((number, at + end + 2))
    };
    let (words, mut at) = line(0)?;
    let mut name = None;
    for _ in 0..words {
        let (length, start) = line(at)?;
        let word = unread.get(start..start + length)?;
        name.get_or_insert_with(|| String::from_utf8_lossy(word).to_ascii_uppercase());
        at = start + length + 2;
    }
    unread.get(..at)?;
    Some((at, name))
}

/// The MongoDB of this run.
pub(super) fn mongodb_uri() -> Result<String> {
    std::env::var("FM_TEST_MONGODB_URI").context("FM_TEST_MONGODB_URI names a MongoDB")
}

/// As [`behind`], of a MongoDB. Unless it is told so, the driver goes to the address that the server tells.
pub(super) fn directly(uri: &str, proxy: SocketAddr) -> Result<String> {
    let uri = behind(uri, proxy)?;
    Ok(format!("{uri}{}directConnection=true", if uri.contains('?') { "&" } else { "?" }))
}

/// `host:port` of an address such as `scheme://user@host:port/rest`.
fn host(url: &str) -> Result<&str> {
    let rest = url.split_once("://").context("not an address")?.1;
    let rest = rest.split(['/', '?']).next().unwrap_or_default();
    Ok(rest.rsplit('@').next().unwrap_or_default())
}

/// Where a server is.
pub(super) fn server(url: &str) -> Result<SocketAddr> {
    host(url)?.parse().with_context(|| "counting needs one server, by its IP address and port")
}

/// The same address with the proxy's host and port.
pub(super) fn behind(url: &str, proxy: SocketAddr) -> Result<String> {
    Ok(url.replacen(host(url)?, &proxy.to_string(), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_redis_are_taken_one_by_one() {
        let both = b"*2\r\n$3\r\nget\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(of_redis(both), Some((20, Some("GET".to_owned()))));
        assert_eq!(of_redis(&both[20..]), Some((14, Some("PING".to_owned()))));
        assert_eq!(of_redis(&both[..19]), None);
    }

    #[test]
    fn the_name_of_a_command_stands_first_in_its_document() {
        let document = b"\x10\0\0\0\x10find\0\x01\0\0\0\0";
        let length = 16 + 4 + 1 + document.len();
        let mut message = Vec::new();
        for head in [i32::try_from(length).unwrap(), 1, 0, 2013, 0] {
            message.extend_from_slice(&head.to_le_bytes());
        }
        message.push(0);
        message.extend_from_slice(document);
        assert_eq!(of_mongodb(&message), Some((length, Some("find".to_owned()))));
        assert_eq!(of_mongodb(&message[..length - 1]), None);
    }
}
