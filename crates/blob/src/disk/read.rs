//! Reading files: without waiting where the page cache can answer, else on the calling (blocking) thread.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::error::damaged;

/// Most bytes that are copied from the page cache on the reactor's own thread: some 60 µs at 4 GiB/s, where a hand-over to another thread
/// and back costs 10 to 30.
const MAX_CACHED_BYTES: usize = 256 * 1024;

/// A part of a file, if it can be had without waiting for a disk. None if it cannot, for whatever reason: then ask [`whole`].
pub(super) fn cached(path: &Path, start: u64, len: usize) -> Option<Vec<u8>> {
    if len == 0 || len > MAX_CACHED_BYTES {
        return None;
    }
    let file = open_cached(path)?;
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match cached_at(&file, &mut bytes[done..], start.saturating_add(done as u64)) {
            Some(count) => done += count,
            None => return None,
        }
    }
    Some(bytes)
}

/// Opens a file if its names and its inode are in memory.
pub(super) fn open_cached(path: &Path) -> Option<File> {
    // NOATIME: noting the access could wait for the journal
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOATIME;
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok().map(File::from)
}

/// Reads from an open file what the page cache has there. None if it has nothing, or the file has ended.
pub(super) fn cached_at(file: &File, bytes: &mut [u8], start: u64) -> Option<usize> {
    // to this call an offset of -1 is "where the last read ended"
    i64::try_from(start).ok()?;
    loop {
        match rustix::io::preadv2(file, &mut [IoSliceMut::new(bytes)], start, ReadWriteFlags::NOWAIT) {
            Ok(0) => return None,
            Ok(count) => return Some(count),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let quietly = i32::try_from(OFlags::NOATIME.bits()).expect("the flag is a small one");
    match OpenOptions::new().read(true).custom_flags(quietly).open(path) {
        // only the owner of a file may leave its access time alone
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path),
        other => other,
    }
}

/// A part of a file, with all the waiting that it takes.
///
/// # Errors
/// `InvalidData` if the file is shorter.
pub(super) fn whole(path: &Path, start: u64, len: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = start.saturating_add(bytes.len() as u64);
        match rustix::io::pread(&file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(damaged("the blob is shorter than what is known of it")),
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // a vector may have got more room than it was asked for
    bytes.truncate(len);
    if len == 0 && file.metadata()?.len() < start {
        return Err(damaged("the blob is shorter than what is known of it"));
    }
    Ok(bytes)
}
