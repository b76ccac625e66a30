//! Measures blobs on a disk: `measure <folder> [MiB]`. One line a case: time, rate, and CPU time of the whole process.
//!
//! The source of writes and the sink of reads make a copy each, as a socket would.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::error::Error;
use std::time::{Duration, Instant};

use blob::{DiskBlobs, DiskOptions};
use bytes::{Bytes, BytesMut};
use common::BlobKey;
use common::files::{BlobRange, BlobStore as _};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;

const MIB: u64 = 1024 * 1024;
/// What actix reads at a time.
const PIECE_BYTES: usize = 8 * 1024;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// CPU time of this process, from the fields utime and stime of proc(5), in ticks of 10 ms.
fn cpu() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace();
    let ticks: Vec<u64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

/// Resident memory, now and at its highest, in MiB.
fn memory() -> Outcome<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
    };
    Ok((field("VmRSS:").ok_or("no VmRSS")? / 1024, field("VmHWM:").ok_or("no VmHWM")? / 1024))
}

fn key(number: u64) -> BlobKey {
    BlobKey::from_bytes((u128::from(number) | u128::from(number) << 120).to_be_bytes())
}

async fn write(blobs: &DiskBlobs, number: u64, size: u64, source: &[u8]) -> Outcome<()> {
    let mut writer = blobs.create(key(number), Some(size)).await?;
    let mut left = size;
    let mut buffer = BytesMut::new();
    while left > 0 {
        let len = usize::try_from(left)?.min(PIECE_BYTES);
        buffer.reserve(PIECE_BYTES);
        let start = usize::try_from((size - left) % (source.len() - PIECE_BYTES) as u64)?;
        buffer.extend_from_slice(&source[start..start + len]);
        writer.write(buffer.split().freeze()).await?;
        left -= len as u64;
        tokio::task::yield_now().await;
    }
    writer.finish().await?;
    Ok(())
}

async fn stream(blobs: &DiskBlobs, number: u64, size: u64) -> Outcome<()> {
    let mut stream = blobs.stream(key(number), BlobRange { start: 0, len: size }).await?.ok_or("no blob")?;
    let mut sink = vec![0; 64 * 1024];
    let mut left = size;
    while let Some(piece) = stream.next().await {
        let piece: Bytes = piece?;
        sink[..piece.len()].copy_from_slice(&piece);
        std::hint::black_box(&mut sink);
        left -= piece.len() as u64;
        tokio::task::yield_now().await;
    }
    if left == 0 { Ok(()) } else { Err("short".into()) }
}

async fn case(name: &str, bytes: u64, work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let (start, used) = (Instant::now(), cpu()?);
    work.await?;
    let (time, used) = (start.elapsed().as_secs_f64(), (cpu()? - used).as_secs_f64());
    let gib = bytes as f64 / (1024.0 * MIB as f64);
    let (now, most) = memory()?;
    println!(
        "{name:32} {time:7.3} s {:7.2} GiB/s {:6.3} CPU s/GiB, memory {now} of {most} MiB",
        gib / time,
        used / gib
    );
    Ok(())
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: measure <folder> [MiB]")?;
    let size = arguments.next().map_or(Ok(1024), |text| text.parse::<u64>())? * MIB;
    let source: Vec<u8> = (0..MIB).map(|number| ((number * number) >> 7) as u8).collect();
    let blobs = DiskBlobs::open(folder, DiskOptions::default())?;
    // as in a server: one reactor a connection belongs to, and threads for what blocks
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        case("write, one", size, write(&blobs, 1, size, &source)).await?;
        case("write, sixteen at once", size, async {
            try_join_all((2..18).map(|number| write(&blobs, number, size / 16, &source))).await.map(drop)
        })
        .await?;
        case("write, 64 KiB, sixteen at once", 2000 * 64 * 1024, async {
            for round in 0..125 {
                try_join_all((0..16).map(|n| write(&blobs, 100 + round * 16 + n, 64 * 1024, &source)))
                    .await?;
            }
            Ok(())
        })
        .await?;
        case("stream, warm", size, stream(&blobs, 1, size)).await?;
        case("stream, warm, sixteen at once", size, async {
            try_join_all((2..18).map(|number| stream(&blobs, number, size / 16))).await.map(drop)
        })
        .await?;
        case("read, ranges of 64 KiB, warm", 10_000 * 64 * 1024, async {
            for number in 0..10_000 {
                let start = number * 7_919 * 1024 % (size - 64 * 1024);
                blobs.read(key(1), BlobRange { start, len: 64 * 1024 }).await?.ok_or("no blob")?;
            }
            Ok(())
        })
        .await?;
        if std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok() {
            case("stream, cold", size, stream(&blobs, 1, size)).await?;
        }
        for number in (1..18).chain(100..2100) {
            blobs.delete(key(number)).await?;
        }
        Ok(())
    })
}
