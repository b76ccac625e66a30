use std::collections::BinaryHeap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use common::files::StoredBlob;
use common::{BlobKey, Timestamp};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use tokio::sync::Semaphore;

use super::DiskOptions;
use super::error::{away, damaged, no_room};

/// Name of the file that says whose blobs these are.
const MARK: &str = "store-id";

/// Longest content of the mark that is read.
const MAX_MARK_BYTES: u64 = 256;

/// Where everything is, and what this process knows of it.
pub(super) struct Layout {
    root: PathBuf,
    blobs: PathBuf,
    temporary: PathBuf,
    /// What comes in several goes.
    partial: PathBuf,
    options: DiskOptions,
    /// The store that this process claimed the disk for.
    claimed: OnceLock<String>,
    /// Fan-out folders that are known to exist durably.
    folders: [AtomicBool; 256],
    /// Bytes that uploads under way have announced and not written yet.
    promised: AtomicU64,
    /// Who may sync and rename now.
    pub(super) finishing: Arc<Semaphore>,
    /// Threads that the disk keeps, and nobody waits for.
    pub(super) overdue: AtomicUsize,
}

impl Layout {
    pub(super) fn open(root: PathBuf, options: DiskOptions) -> io::Result<Self> {
        let (blobs, temporary, partial) = (root.join("blobs"), root.join("tmp"), root.join("partial"));
        for folder in [&root, &blobs, &temporary, &partial] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        sync_folder(&root)?;
        let device = fs::metadata(&blobs)?.dev();
        if fs::metadata(&temporary)?.dev() != device || fs::metadata(&partial)?.dev() != device {
            return Err(damaged("blobs and temporary files do not lie on one file system"));
        }
        let finishing = Arc::new(Semaphore::new(options.finishing_at_once.max(1)));
        Ok(Self {
            root,
            blobs,
            temporary,
            partial,
            options,
            claimed: OnceLock::new(),
            folders: [const { AtomicBool::new(false) }; 256],
            promised: AtomicU64::new(0),
            finishing,
            overdue: AtomicUsize::new(0),
        })
    }

    /// Longest wait for what takes milliseconds.
    pub(super) fn answer_within(&self) -> Duration {
        self.options.answer_within
    }

    fn folder(&self, index: u8) -> PathBuf {
        self.blobs.join(hex::encode([index]))
    }

    /// Where the blob is, if it is.
    pub(super) fn path(&self, key: BlobKey) -> PathBuf {
        self.blobs.join(Self::relative(key))
    }

    /// The same below the folder of blobs.
    pub(super) fn relative(key: BlobKey) -> String {
        let (first, rest) = key.bytes().split_first().expect("a key has 16 bytes");
        format!("{}/{}", hex::encode([*first]), hex::encode(rest))
    }

    /// The folder of what comes in several goes.
    pub(super) fn partials(&self) -> &Path {
        &self.partial
    }

    /// Where a blob grows that comes in several goes.
    pub(super) fn partial(&self, key: BlobKey) -> PathBuf {
        self.partial.join(key.to_string())
    }

    /// A new temporary file.
    pub(super) fn create_temporary(&self, key: BlobKey) -> io::Result<(PathBuf, File)> {
        // a key is fresh, but two writers may be given the same one by mistake; they must not share a file
        let path = self.temporary.join(format!("{key}-{:016x}", rand::random::<u64>()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((path, file))
    }

    /// Gives a synced temporary file its place, durably. Fails if the key is in use.
    pub(super) fn publish(&self, temporary: &Path, key: BlobKey) -> io::Result<()> {
        let target = self.path(key);
        let index = key.bytes()[0];
        self.ensure_folder(index)?;
        match rename_to_free(temporary, &target) {
            // the folder was there when this process looked: an administrator's hand, or a disk that was changed
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.folders[usize::from(index)].store(false, Ordering::Relaxed);
                self.ensure_folder(index)?;
                rename_to_free(temporary, &target)?;
            }
            other => other?,
        }
        sync_folder(&self.folder(index)).inspect_err(|_| {
            // not durable, so not there
            let _ = fs::remove_file(&target);
        })
    }

    /// Makes a fan-out folder; the first use in each process also makes its entry durable, in case the maker crashed before that.
    fn ensure_folder(&self, index: u8) -> io::Result<()> {
        let known = &self.folders[usize::from(index)];
        if known.load(Ordering::Acquire) {
            return Ok(());
        }
        match DirBuilder::new().mode(0o700).create(self.folder(index)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_folder(&self.blobs)?;
        known.store(true, Ordering::Release);
        Ok(())
    }

    /// The store that the disk is marked for.
    pub(super) fn read_mark(&self) -> io::Result<Option<String>> {
        use io::Read as _;
        let mut text = String::new();
        match File::open(self.root.join(MARK)) {
            Ok(file) => file.take(MAX_MARK_BYTES).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(text.trim_end().to_owned()))
    }

    /// Fails if the disk was claimed by this process and is not the same disk any more: `NotConnected` if it is not there.
    pub(super) fn check_mark(&self) -> io::Result<()> {
        let Some(claimed) = self.claimed.get() else {
            return Ok(());
        };
        match self.read_mark()? {
            Some(mark) if mark == *claimed => Ok(()),
            Some(_) => Err(damaged("the blobs belong to another store")),
            // it may be mounted again
            None => Err(away("the mark of the blobs is gone: the disk was changed or is not mounted")),
        }
    }

    pub(super) fn claim(&self, store_id: String) -> io::Result<()> {
        match self.read_mark()? {
            Some(mark) if mark == store_id => {}
            Some(_) => return Err(damaged("the blobs belong to another store")),
            None => {
                if !self.list(None, 1)?.is_empty() {
                    return Err(damaged("there are blobs, and no mark that says whose they are"));
                }
                self.write_mark(&store_id)?;
            }
        }
        if self.claimed.get_or_init(|| store_id.clone()) == &store_id {
            Ok(())
        } else {
            Err(damaged("this process has claimed the blobs for another store"))
        }
    }

    fn write_mark(&self, store_id: &str) -> io::Result<()> {
        let temporary = self.temporary.join(format!("{MARK}-{:016x}", rand::random::<u64>()));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(store_id.as_bytes())?;
            file.sync_all()?;
            rename_to_free(&temporary, &self.root.join(MARK))?;
            sync_folder(&self.root)
        };
        match write() {
            Ok(()) => Ok(()),
            // another process was quicker
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let _ = fs::remove_file(&temporary);
                match self.read_mark()? {
                    Some(mark) if mark == store_id => Ok(()),
                    _ => Err(damaged("the blobs belong to another store")),
                }
            }
            Err(error) => {
                let _ = fs::remove_file(&temporary);
                Err(error)
            }
        }
    }

    /// Bytes that can still be written, beyond what uploads under way have announced.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.temporary)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let promised = self.promised.load(Ordering::Relaxed);
        Ok(free.saturating_sub(self.options.keep_free_bytes).saturating_sub(promised))
    }

    /// Notes that so many bytes will come, if there is room for them.
    pub(super) fn promise(self: &Arc<Self>, bytes: u64) -> io::Result<Promise> {
        let free = self.free_bytes()?;
        if free < bytes || free == 0 {
            return Err(no_room(bytes, free));
        }
        self.promised.fetch_add(bytes, Ordering::Relaxed);
        Ok(Promise { layout: Arc::clone(self), left: bytes })
    }

    /// Blobs after `after`, in the order of their keys.
    pub(super) fn list(&self, after: Option<BlobKey>, limit: usize) -> io::Result<Vec<StoredBlob>> {
        let mut found = Vec::new();
        let first = after.map_or(0, |key| key.bytes()[0]);
        for index in first..=u8::MAX {
            let room = limit - found.len();
            if room == 0 {
                break;
            }
            let folder = self.folder(index);
            for key in lowest_keys(&folder, index, after, room)? {
                match fs::metadata(self.path(key)) {
                    Ok(facts) => found.push(StoredBlob {
                        key,
                        size: facts.len(),
                        written_at: facts.modified().map_or(Timestamp::MIN, timestamp),
                    }),
                    // deleted while we looked
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }

    pub(super) fn sweep_temporary(&self, before: Timestamp) -> io::Result<u32> {
        let mut swept = 0;
        for entry in fs::read_dir(&self.temporary)? {
            let entry = entry?;
            let written_at = match entry.metadata() {
                Ok(facts) if facts.is_file() => facts.modified().map_or(Timestamp::MIN, timestamp),
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if written_at < before {
                match fs::remove_file(entry.path()) {
                    Ok(()) => swept += 1,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(swept)
    }

    /// Writes and removes a file.
    pub(super) fn probe(&self) -> io::Result<()> {
        let path = self.temporary.join(format!("probe-{:016x}", rand::random::<u64>()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let written = file.write_all(b"probe");
        fs::remove_file(&path)?;
        written
    }
}

/// Bytes that an upload under way has announced and not written yet.
pub(super) struct Promise {
    layout: Arc<Layout>,
    left: u64,
}

impl Promise {
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// So many bytes were written: the disk itself counts them from now on.
    pub(super) fn keep(&mut self, bytes: u64) {
        let kept = bytes.min(self.left);
        self.left -= kept;
        self.layout.promised.fetch_sub(kept, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.layout.promised.fetch_sub(self.left, Ordering::Relaxed);
    }
}

/// The lowest `limit` keys of a fan-out folder after `after`, ascending. What is not named like a blob is passed over.
fn lowest_keys(folder: &Path, index: u8, after: Option<BlobKey>, limit: usize) -> io::Result<Vec<BlobKey>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut lowest = BinaryHeap::new();
    for entry in entries {
        let name = entry?.file_name();
        let Some(key) = name.to_str().and_then(|name| key_of(index, name)) else {
            continue;
        };
        if after.is_none_or(|after| key > after) {
            lowest.push(key);
            if lowest.len() > limit {
                lowest.pop();
            }
        }
    }
    Ok(lowest.into_sorted_vec())
}

fn key_of(index: u8, name: &str) -> Option<BlobKey> {
    let key = BlobKey::parse(&format!("{index:02x}{name}")).ok()?;
    // upper-case digits would parse, and name another file
    (!name.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(key)
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Renames, unless the target exists. Atomic in both ways of doing it.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // file systems without it (NFS, some FUSE ones) can link
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

pub(super) fn timestamp(at: SystemTime) -> Timestamp {
    let millis = match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(error) => i64::try_from(error.duration().as_millis()).map_or(i64::MIN, |before| -before),
    };
    Timestamp::from_millis(millis)
}
