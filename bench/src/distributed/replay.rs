//! Stands before MongoDB and answers what was asked before by itself, so that reads show what the services can do when the database takes no time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::proxy::of_mongodb;

/// Length, request, answered request, kind: four numbers of four bytes.
const HEAD: usize = 16;

/// Commands whose answers stay the same while nothing is written.
const REPLAYED: &[&str] = &["find", "aggregate"];

#[derive(Default)]
struct Memory {
    answers: HashMap<Vec<u8>, Vec<u8>>,
    /// Off until everything has been written that shall be read.
    on: bool,
}

/// A running one. It ends when this is dropped.
pub(super) struct Replay {
    pub(super) address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
    _accepting: JoinSet<Result<()>>,
}

impl Replay {
    pub(super) async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let memory = Arc::<Mutex<Memory>>::default();
        let shared = Arc::clone(&memory);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await?;
                connections.spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, memory, _accepting: accepting })
    }

    /// From now on answers are remembered.
    pub(super) fn begin(&self) {
        lock(&self.memory).on = true;
    }
}

fn lock<T>(memory: &Mutex<T>) -> MutexGuard<'_, T> {
    // nothing in here can fail half way
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(client: TcpStream, server: SocketAddr, memory: Arc<Mutex<Memory>>) -> Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let to_client = tokio::sync::Mutex::new(to_client);
    let asked = Mutex::new(HashMap::<[u8; 4], Vec<u8>>::new());
    let forth = async {
        let mut unread = Vec::new();
        loop {
            let message = next(&mut from_client, &mut unread).await?;
            let Some(key) = key(&message).filter(|_| lock(&memory).on) else {
                to_server.write_all(&message).await?;
                continue;
            };
            let known = lock(&memory).answers.get(&key).cloned();
            if let Some(mut answer) = known {
                answer[8..12].copy_from_slice(&message[4..8]);
                write(&to_client, &answer).await?;
            } else {
                lock(&asked).insert(id(&message[4..8]), key);
                to_server.write_all(&message).await?;
            }
        }
    };
    let back = async {
        let mut unread = Vec::new();
        loop {
            let message = next(&mut from_server, &mut unread).await?;
            if let Some(key) = lock(&asked).remove(&id(&message[8..12])) {
                lock(&memory).answers.insert(key, message.clone());
            }
            write(&to_client, &message).await?;
        }
    };
    // either end closes both
    tokio::select! {
        end = forth => end,
        end = back => end,
    }
}

async fn write(to: &tokio::sync::Mutex<OwnedWriteHalf>, message: &[u8]) -> Result<()> {
    Ok(to.lock().await.write_all(message).await?)
}

fn id(bytes: &[u8]) -> [u8; 4] {
    bytes.try_into().unwrap_or_default()
}

/// The next whole message.
async fn next(from: &mut (impl tokio::io::AsyncRead + Unpin), unread: &mut Vec<u8>) -> Result<Vec<u8>> {
    loop {
        if let Some(length) = unread.first_chunk().map(|length| u32::from_le_bytes(*length) as usize)
            && length >= HEAD
            && unread.len() >= length
        {
            let rest = unread.split_off(length);
            return Ok(std::mem::replace(unread, rest));
        }
        anyhow::ensure!(from.read_buf(unread).await? > 0, "the connection is closed");
    }
}

/// What a read asks, without what differs from one time to the next.
fn key(message: &[u8]) -> Option<Vec<u8>> {
    let (_, name) = of_mongodb(message)?;
    if !REPLAYED.contains(&name?.as_str()) {
        return None;
    }
    // flags, the kind of the section, the length of the document
    let elements = message.get(HEAD + 4 + 1 + 4..message.len() - 1)?;
    let mut key = Vec::with_capacity(elements.len());
    let mut at = 0;
    while at < elements.len() {
        let element = elements.get(at..)?;
        let name = element[1..].split(|byte| *byte == 0).next()?;
        let length = 1 + name.len() + 1 + value_length(element[0], element.get(name.len() + 2..)?)?;
        match name {
            // of a transaction: its reads belong to its writes
            b"txnNumber" => return None,
            b"lsid" | b"$clusterTime" => {}
            _ => key.extend_from_slice(element.get(..length)?),
        }
        at += length;
    }
    Some(key)
}

/// How long a value of this type is (bsonspec.org).
fn value_length(kind: u8, value: &[u8]) -> Option<usize> {
    let number = || Some(u32::from_le_bytes(*value.first_chunk()?) as usize);
    Some(match kind {
        0x01 | 0x09 | 0x11 | 0x12 => 8,
        0x02 => 4 + number()?,
        0x03 | 0x04 => number()?,
        0x05 => 5 + number()?,
        0x07 => 12,
        0x08 => 1,
        0x0a => 0,
        0x10 => 4,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(request: u8, session: u8) -> Vec<u8> {
        let mut elements = b"\x02find\0\x02\0\0\0a\0\x03lsid\0\x0c\0\0\0\x10i\0".to_vec();
        elements.extend_from_slice(&[session, 0, 0, 0, 0]);
        elements.extend_from_slice(b"\x08b\0\x01");
        let document = u32::try_from(4 + elements.len() + 1).unwrap();
        let mut message = (u32::try_from(HEAD).unwrap() + 5 + document).to_le_bytes().to_vec();
        message.extend_from_slice(&[request, 0, 0, 0, 0, 0, 0, 0]);
        message.extend_from_slice(&2013_u32.to_le_bytes());
        message.extend_from_slice(&[0; 5]);
        message.extend_from_slice(&document.to_le_bytes());
        message.extend_from_slice(&elements);
        message.push(0);
        message
    }

    #[test]
    fn the_same_question_of_two_sessions_is_one() {
        let asked = key(&message(1, 1)).unwrap();
        assert_eq!(asked, b"\x02find\0\x02\0\0\0a\0\x08b\0\x01");
        assert_eq!(key(&message(2, 9)), Some(asked));
    }
}
