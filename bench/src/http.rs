//! A client that costs little, so that the server is what is measured: one connection, one request at a time, bodies thrown away.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// Head and size of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// Until its head was there.
    pub(crate) head_took: Duration,
    /// Where something that was made is, in small letters.
    pub(crate) location: Option<String>,
    /// The server closes the connection.
    pub(crate) closes: bool,
}

const PIECE: usize = 256 * 1024;

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; PIECE], filled: 0 })
    }

    /// Sends a request whose head is complete, then reads the answer; its body is kept only if `keep` says so.
    pub(crate) async fn send(&mut self, head: &str, body: &[u8], keep: bool) -> Result<Answer> {
        let began = Instant::now();
        if body.len() < 64 * 1024 {
            let mut whole = head.as_bytes().to_vec();
            whole.extend_from_slice(body);
            self.stream.write_all(&whole).await?;
        } else {
            self.stream.write_all(head.as_bytes()).await?;
            self.stream.write_all(body).await?;
        }
        self.answer(began, keep).await
    }

    /// As `send`, with `bytes` of a repeated block for a body.
    pub(crate) async fn send_repeated(&mut self, head: &str, block: &[u8], bytes: u64) -> Result<Answer> {
        let began = Instant::now();
        self.stream.write_all(head.as_bytes()).await?;
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(block.len() as u64) as usize;
            self.stream.write_all(&block[..piece]).await?;
            left -= piece as u64;
        }
        self.answer(began, false).await
    }

    async fn answer(&mut self, began: Instant, keep: bool) -> Result<Answer> {
        let end = loop {
            if let Some(end) = find(&self.buffer[..self.filled], b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.filled < self.buffer.len(), "a head without an end");
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            ensure!(read > 0, "the server closed the connection");
            self.filled += read;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let status: u16 = head.split(' ').nth(1).context("no status")?.parse()?;
        if status == 100 {
            self.drop_front(end);
            return Box::pin(self.answer(began, keep)).await;
        }
        let field = |name: &str| {
            head.lines().find_map(|line| {
                line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned())
            })
        };
        let length = field("content-length").map(|value| value.parse::<u64>()).transpose()?;
        let location = field("location");
        let closes = field("connection").is_some_and(|value| value == "close");
        let chunked = field("transfer-encoding").is_some_and(|value| value.contains("chunked"));
        self.drop_front(end);
        let head_took = began.elapsed();
        let mut body = Vec::new();
        let bytes = match length {
            _ if status == 204 || status == 304 => 0,
            Some(length) => self.fixed(length, keep.then_some(&mut body)).await?,
            None if chunked => self.chunks(keep.then_some(&mut body)).await?,
            None => bail!("an answer without a length"),
        };
        Ok(Answer { status, body, bytes, took: began.elapsed(), head_took, location, closes })
    }

    async fn fixed(&mut self, length: u64, mut keep: Option<&mut Vec<u8>>) -> Result<u64> {
        let mut left = length;
        while left > 0 {
            if self.filled == 0 {
                self.filled = self.stream.read(&mut self.buffer).await?;
                ensure!(self.filled > 0, "the body ended early");
            }
            let piece = left.min(self.filled as u64) as usize;
            if let Some(body) = keep.as_deref_mut() {
                body.extend_from_slice(&self.buffer[..piece]);
            }
            self.drop_front(piece);
            left -= piece as u64;
        }
        Ok(length)
    }

    async fn chunks(&mut self, mut keep: Option<&mut Vec<u8>>) -> Result<u64> {
        let mut total = 0;
        loop {
            let end = loop {
                if let Some(end) = find(&self.buffer[..self.filled], b"\r\n") {
                    break end;
                }
                let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
                ensure!(read > 0, "the body ended early");
                self.filled += read;
            };
            let size = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            let size = u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
            self.drop_front(end + 2);
            self.fixed(size, keep.as_deref_mut()).await?;
            self.fixed(2, None).await?;
            if size == 0 {
                return Ok(total);
            }
            total += size;
        }
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The head of a request.
pub(crate) fn head(method: &str, path: &str, fields: &[(&str, &str)], length: Option<u64>) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head + "\r\n"
}
