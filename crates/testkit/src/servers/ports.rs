use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// Ports for servers of tests, below the range of which systems give ports to outgoing connections (Linux: from 32768). In that range, a
/// client that goes on trying to reach a dead server may be given the server's own port, and then talks to itself.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// Ports that one process takes at a time.
const BLOCK: u16 = 100;

/// Ports of this process alone: who looks whether a port is free, and lets a server listen on it a moment later, must not meet another test that does the same.
struct Block {
    /// Listens on the first port of the block, which keeps other processes out of it until this one ends.
    _guard: TcpListener,
    /// The next port to be given.
    next: u16,
    end: u16,
}

static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// A port that nobody listens on, and that no other test is given.
///
/// # Errors
/// If none is left.
pub fn free_port() -> Result<u16> {
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(block) = blocks.last_mut() {
            while block.next < block.end {
                let port = block.next;
                block.next += 1;
                if listen(port).is_some() {
                    return Ok(port);
                }
            }
        }
        blocks.push(take().context("no port is free")?);
    }
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

fn take() -> Option<Block> {
    let count = (PORTS.end - PORTS.start) / BLOCK;
    // not all from the same place, so that what a process before left on its ports has time to end
    let first = rand::random_range(0..count);
    let mut starts = (0..count).map(|number| PORTS.start + (first + number) % count * BLOCK);
    starts.find_map(|start| Some(Block { _guard: listen(start)?, next: start + 1, end: start + BLOCK }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<_> = (0..250).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        // whoever comes from another process finds the blocks taken
        let blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(blocks.len() >= 3 && blocks.iter().all(|block| listen(block.end - BLOCK).is_none()));
    }
}
