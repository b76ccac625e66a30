//! A proxy that makes the faults of networks, and of servers that hang.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{ASK_AGAIN, free_port};

/// Pieces on their way in one direction. What a slow proxy holds back must not hold up what comes behind it.
const ON_THE_WAY: usize = 1024;
/// Largest piece.
const PIECE: usize = 64 * 1024;

/// What is wrong with the way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// No connection is to be had, and those that were there have ended.
    CutOff,
    /// Whatever the server says arrives so much later.
    Slow(Duration),
    /// Connections stay and new ones are taken; nothing passes, until it does again.
    Frozen,
}

/// A TCP proxy before one server. It runs on the runtime of the test, and ends when it is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    _running: JoinSet<()>,
}

impl FaultProxy {
    /// One before the server on this port of `127.0.0.1`, without a fault.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener = TcpListener::bind(address).await?;
        let (fault, faults) = watch::channel(Fault::None);
        let mut running = JoinSet::new();
        running.spawn(run(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), faults));
        Ok(Self { address, fault, _running: running })
    }

    /// Where clients find the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a fault, or heals it.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn run(mut listener: TcpListener, server: SocketAddr, mut faults: watch::Receiver<Fault>) {
    // the address is asked while there is one
    let Ok(address) = listener.local_addr() else { return };
    let mut connections = JoinSet::new();
    loop {
        if *faults.borrow_and_update() == Fault::CutOff {
            drop(listener);
            connections.shutdown().await;
            if faults.wait_for(|fault| *fault != Fault::CutOff).await.is_err() {
                return;
            }
            listener = bind(address).await;
        }
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(pass(client, server, faults.clone()));
                }
            }
            changed = faults.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The port is not in the range of which the system gives ports, so it becomes free by itself. If it does not in this time, something else took
/// it, and the test must say so instead of waiting forever.
const BIND_WITHIN: Duration = Duration::from_secs(30);

async fn bind(address: SocketAddr) -> TcpListener {
    let deadline = Instant::now() + BIND_WITHIN;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{address} does not become free: {error}"),
        }
        sleep(ASK_AGAIN).await;
    }
}

async fn pass(client: TcpStream, server: SocketAddr, faults: watch::Receiver<Fault>) {
    // either side may break off at any time; then both have ended
    let _ = async {
        thawed(&faults).await?;
        let server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(
            pump(from_client, to_server, &faults, false),
            pump(from_server, to_client, &faults, true)
        )?;
        io::Result::Ok(())
    }
    .await;
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: &watch::Receiver<Fault>,
    answers: bool,
) -> io::Result<()> {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Bytes)>(ON_THE_WAY);
    let read = async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            if from.read_buf(&mut piece).await? == 0 {
                return io::Result::Ok(());
            }
            let late = match *faults.borrow() {
                Fault::Slow(late) if answers => late,
                _ => Duration::ZERO,
            };
            let piece = (Instant::now() + late, piece.freeze());
            sender.send(piece).await.map_err(io::Error::other)?;
        }
    };
    let write = async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            thawed(faults).await?;
            to.write_all(&piece).await?;
        }
        thawed(faults).await?;
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(drop)
}

async fn thawed(faults: &watch::Receiver<Fault>) -> io::Result<()> {
    let mut faults = faults.clone();
    faults.wait_for(|fault| *fault != Fault::Frozen).await.map(drop).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::soon;

    /// A server that says everything back.
    async fn echo() -> (u16, JoinSet<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let (mut from, mut to) = socket.into_split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        (port, running)
    }

    async fn says_back(stream: &mut TcpStream) -> bool {
        let asked = async {
            stream.write_all(b"hello").await?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).await?;
            io::Result::Ok(answer == *b"hello")
        };
        soon(asked).await.is_ok_and(|same| same)
    }

    #[tokio::test]
    async fn faults_come_and_go() {
        let (port, _server) = echo().await;
        let proxy = FaultProxy::start(port).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(says_back(&mut stream).await);

        proxy.set(Fault::Slow(Duration::from_millis(300)));
        let begun = Instant::now();
        assert!(says_back(&mut stream).await);
        assert!(begun.elapsed() >= Duration::from_millis(300));

        proxy.set(Fault::Frozen);
        let mut second = TcpStream::connect(proxy.address()).await.expect("it is taken");
        {
            let both = async { tokio::join!(says_back(&mut stream), says_back(&mut second)) };
            let mut both = std::pin::pin!(both);
            let silent = tokio::time::timeout(Duration::from_millis(200), both.as_mut()).await;
            assert!(silent.is_err(), "nothing is answered");
            proxy.set(Fault::None);
            assert_eq!(both.await, (true, true), "nothing was lost");
        }

        proxy.set(Fault::CutOff);
        assert!(!says_back(&mut stream).await, "what was open has ended");
        soon(async {
            while TcpStream::connect(proxy.address()).await.is_ok() {
                sleep(ASK_AGAIN).await;
            }
        })
        .await;
        proxy.set(Fault::None);
        let mut third = soon(async {
            loop {
                match TcpStream::connect(proxy.address()).await {
                    Ok(stream) => break stream,
                    Err(_) => sleep(ASK_AGAIN).await,
                }
            }
        })
        .await;
        assert!(says_back(&mut third).await);
    }
}
