//! What is particular to blobs on a disk.

#![allow(clippy::unwrap_used, reason = "this is test code")]

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use blob::{DiskBlobs, DiskOptions};
use common::files::{BlobLocator as _, BlobRange, BlobStore as _, PartialBlob, PartialBlobs as _};
use common::{PortError, Timestamp};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use testkit::blob_store::{bytes, key, write};
use testkit::wait::until;
use tokio::runtime::{Builder, Runtime};

fn open(root: &Path) -> DiskBlobs {
    DiskBlobs::open(root, DiskOptions::default()).unwrap()
}

fn path_of(root: &Path, number: u128) -> std::path::PathBuf {
    let name = key(number).to_string();
    root.join("blobs").join(&name[..2]).join(&name[2..])
}

fn files_below(folder: &Path) -> usize {
    let below = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    below.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

/// A runtime whose drop waits for the blocking work that has begun.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// As an earlier version of this program left one behind that finished a blob twice.
#[test]
fn a_second_file_of_an_empty_blob_is_as_good_as_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    runtime().block_on(async {
        let writer = blobs.append(&PartialBlob::new(key(1)), Some(0), 1).await.unwrap();
        let whole = writer.close().await.unwrap();
        let finished = blobs.finish(&whole).await.unwrap();
        fs::write(folder.path().join("partial").join(key(1).to_string()), "").unwrap();
        assert_eq!(blobs.finish(&whole).await.unwrap(), finished);
        assert_eq!(files_below(&folder.path().join("partial")), 0);
    });
}

#[test]
fn whatever_is_dropped_leaves_no_file() {
    // small ones are written by the last call alone, large ones piece by piece
    for len in [1_000, 3_000_000] {
        let content = bytes(1, len);
        for polls in 0..40 {
            let folder = tempfile::tempdir().unwrap();
            let blobs = open(folder.path());
            let runtime = runtime();
            let written = Cell::new(false);
            runtime.block_on(async {
                let mut upload = Box::pin(async {
                    write(&blobs, key(1), &content, 50_000).await.unwrap();
                    written.set(true);
                });
                for _ in 0..polls {
                    if (&mut upload).now_or_never().is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            });
            drop(runtime);
            assert_eq!(files_below(&folder.path().join("tmp")), 0, "{len} bytes, {polls} polls");
            assert_eq!(
                files_below(&folder.path().join("blobs")),
                usize::from(written.get()),
                "{len} bytes, {polls} polls"
            );
        }
    }
}

/// Set in a child of the test, whose name it has: the folder of its small disk.
const SMALL_DISK: &str = "FM_TEST_SMALL_DISK";

/// Mounting needs a namespace of its own, so the test runs itself once more in one: no right of the administrator is needed for that.
#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    if let Some(folder) = std::env::var_os(SMALL_DISK) {
        return runtime().block_on(fill_a_disk(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=4m,mode=700 tmpfs \"$0\" && exec \"$1\" --exact \"$2\" --nocapture")
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .arg("a_full_disk_takes_nothing_and_loses_nothing")
        .env(SMALL_DISK, folder.path())
        .output()
        .expect("`unshare` of util-linux is installed");
    let said = [child.stdout, child.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(child.status.success() && said[0].contains("1 passed"), "{}\n{}", said[0], said[1]);
}

async fn fill_a_disk(folder: &Path) {
    let blobs =
        DiskBlobs::open(folder, DiskOptions { keep_free_bytes: 0, ..DiskOptions::default() }).unwrap();
    write(&blobs, key(1), &bytes(1, 1_000_000), 65_536).await.unwrap();
    let free = blobs.free_bytes().await.unwrap().unwrap();
    assert!(matches!(blobs.create(key(2), Some(8_000_000)).await.map(drop), Err(PortError::Full { .. })));
    // of unknown length, in one piece and in many
    for piece in [65_536, 8_000_000] {
        let mut writer = blobs.create(key(2), None).await.unwrap();
        let content = bytes(2, 8_000_000);
        let mut result = Ok(());
        for start in (0..content.len()).step_by(piece) {
            if result.is_ok() {
                result = writer.write(content.slice(start..content.len().min(start + piece))).await;
            }
        }
        let result = match result {
            Ok(()) => writer.finish().await.map(drop),
            Err(error) => {
                drop(writer);
                Err(error)
            }
        };
        assert!(matches!(result, Err(PortError::Full { .. })), "{result:?}");
        until(|| files_below(&folder.join("tmp")) == 0).await;
    }
    assert_eq!(blobs.list(None, 10).await.unwrap().len(), 1);
    assert_eq!(blobs.free_bytes().await.unwrap(), Some(free));
    assert_eq!(
        blobs.read(key(1), BlobRange { start: 0, len: 1_000_000 }).await.unwrap().unwrap(),
        bytes(1, 1_000_000)
    );
}

#[tokio::test]
async fn a_cut_blob_breaks_before_the_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    write(&blobs, key(1), &bytes(1, 300_000), 65_536).await.unwrap();
    fs::OpenOptions::new().write(true).open(path_of(folder.path(), 1)).unwrap().set_len(200_000).unwrap();
    let whole = BlobRange { start: 0, len: 300_000 };
    assert!(matches!(blobs.read(key(1), whole).await, Err(PortError::Broken { .. })));
    assert!(matches!(blobs.stream(key(1), whole).await.map(drop), Err(PortError::Broken { .. })));
    assert_eq!(blobs.size(key(1)).await.unwrap(), Some(200_000));
    let part = BlobRange { start: 0, len: 200_000 };
    assert_eq!(blobs.read(key(1), part).await.unwrap().unwrap(), bytes(1, 300_000).slice(..200_000));
}

#[tokio::test]
async fn a_blob_that_shrinks_while_it_is_sent_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let content = bytes(1, 3_000_000);
    write(&blobs, key(1), &content, 65_536).await.unwrap();
    let mut stream = blobs.stream(key(1), BlobRange { start: 0, len: 3_000_000 }).await.unwrap().unwrap();
    let first = stream.next().await.unwrap().unwrap();
    fs::OpenOptions::new().write(true).open(path_of(folder.path(), 1)).unwrap().set_len(1_000_000).unwrap();
    let rest: Result<Vec<_>, _> = stream.by_ref().try_collect().await;
    assert!(matches!(rest, Err(PortError::Broken { .. })));
    assert!(stream.next().await.is_none());
    assert_eq!(first, content.slice(..first.len()));
}

#[tokio::test]
async fn a_deleted_blob_is_sent_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let content = bytes(1, 3_000_000);
    write(&blobs, key(1), &content, 65_536).await.unwrap();
    let stream = blobs.stream(key(1), BlobRange { start: 0, len: 3_000_000 }).await.unwrap().unwrap();
    assert!(blobs.delete(key(1)).await.unwrap());
    let pieces: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), content);
}

#[tokio::test]
async fn many_streams_share_buffers_without_mixing_them() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let contents: Vec<_> = (0..8_u64).map(|number| bytes(number, 1_000_000 + number as usize)).collect();
    for (number, content) in contents.iter().enumerate() {
        write(&blobs, key(number as u128), content, 65_536).await.unwrap();
    }
    let mut streams = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        let range = BlobRange { start: 0, len: content.len() as u64 };
        streams.push(blobs.stream(key(number as u128), range).await.unwrap().unwrap());
    }
    let mut received = vec![Vec::new(); streams.len()];
    let mut open = streams.len();
    while open > 0 {
        open = 0;
        for (stream, received) in streams.iter_mut().zip(&mut received) {
            if let Some(piece) = stream.next().await {
                received.push(piece.unwrap());
                open += 1;
            }
        }
    }
    for (received, content) in received.iter().zip(&contents) {
        assert_eq!(received.concat(), *content);
    }
}

#[tokio::test]
async fn old_temporary_files_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let left = folder.path().join("tmp").join("left-by-a-crash");
    fs::write(&left, b"half a blob").unwrap();
    let now = fs::metadata(&left).unwrap().modified().unwrap();
    let yesterday = now - Duration::from_secs(86_400);
    fs::File::options().write(true).open(&left).unwrap().set_modified(yesterday).unwrap();
    fs::write(folder.path().join("tmp").join("young"), b"").unwrap();
    let millis = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let hour_ago = Timestamp::from_millis(i64::try_from(millis).unwrap() - 3_600_000);
    assert_eq!(blobs.sweep_temporary(hour_ago).await.unwrap(), 1);
    assert_eq!(blobs.sweep_temporary(hour_ago).await.unwrap(), 0);
    assert!(!left.exists());
}

#[tokio::test]
async fn a_changed_disk_takes_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    blobs.claim("one").await.unwrap();
    write(&blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    let mark = folder.path().join("store-id");
    fs::write(&mark, "two").unwrap();
    let broken = |error: Option<PortError>| matches!(error, Some(PortError::Broken { .. }));
    assert!(refusals(&blobs).await.into_iter().all(broken));
    assert!(matches!(
        blobs.read(key(9), BlobRange { start: 0, len: 1 }).await,
        Err(PortError::Broken { .. })
    ));
    fs::write(&mark, "one").unwrap();
    blobs.ping().await.unwrap();
    assert!(blobs.delete(key(1)).await.unwrap());
}

/// What the calls say that look at the mark.
async fn refusals(blobs: &DiskBlobs) -> [Option<PortError>; 6] {
    [
        blobs.ping().await.err(),
        blobs.delete(key(1)).await.err(),
        blobs.list(None, 10).await.err(),
        blobs.create(key(2), None).await.err(),
        blobs.sweep_temporary(Timestamp::MAX).await.err(),
        blobs.free_bytes().await.err(),
    ]
}

fn unavailable(error: Option<PortError>) -> bool {
    matches!(error, Some(PortError::Unavailable { part: "blobs", .. }))
}

#[tokio::test]
async fn a_share_that_went_away_is_unavailable_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (folder.path().join("share"), folder.path().join("elsewhere"));
    let blobs = open(&root);
    blobs.claim("one").await.unwrap();
    write(&blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    let whole = BlobRange { start: 0, len: 10 };
    // what is left of it is the folder on which it was mounted, or not even that
    for mount_point in [true, false] {
        fs::rename(&root, &elsewhere).unwrap();
        if mount_point {
            fs::create_dir(&root).unwrap();
        }
        assert!(refusals(&blobs).await.into_iter().all(unavailable));
        assert!(unavailable(blobs.read(key(1), whole).await.err()), "a blob is not gone because its disk is");
        assert!(unavailable(blobs.stream(key(1), whole).await.err()));
        assert!(unavailable(blobs.size(key(1)).await.err()));
        assert!(unavailable(blobs.locate(key(1), 10).await.err()));
        if mount_point {
            fs::remove_dir(&root).unwrap();
        }
        fs::rename(&elsewhere, &root).unwrap();
        assert_eq!(blobs.read(key(1), whole).await.unwrap().unwrap(), bytes(1, 10));
    }
    assert_eq!(blobs.read(key(2), whole).await.unwrap(), None);
}

/// As a share whose server is away, and that was mounted to wait for it: whoever opens a file waits.
#[tokio::test]
async fn a_disk_that_hangs_is_unavailable_in_time_and_keeps_a_bounded_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { answer_within: Duration::from_millis(100), ..DiskOptions::default() };
    let blobs = DiskBlobs::open(folder.path(), options).unwrap();
    blobs.claim("one").await.unwrap();
    let (mark, hangs) = (folder.path().join("store-id"), folder.path().join("hangs"));
    let whole = fs::read(&mark).unwrap();
    // opening a pipe that nobody writes to waits for the one who will
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &hangs, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fs::rename(&hangs, &mark).unwrap();
    let range = BlobRange { start: 0, len: 1 };
    assert!(unavailable(blobs.ping().await.err()));
    assert!(unavailable(blobs.create(key(1), Some(1)).await.err()));
    assert!(unavailable(blobs.read(key(1), range).await.err()));
    for refused in futures_util::future::join_all((0..200).map(|_| blobs.ping())).await {
        assert!(unavailable(refused.err()));
    }
    let at_once = blobs.ping().now_or_never().expect("no more threads are sent after those that wait");
    assert!(unavailable(at_once.err()));

    // it answers again: those that wait go on, and so does everybody else
    fs::rename(&mark, &hangs).unwrap();
    fs::write(&mark, whole).unwrap();
    drop(fs::OpenOptions::new().write(true).open(&hangs).unwrap());
    let back = async {
        while let Err(error) = blobs.ping().await {
            assert!(unavailable(Some(error)));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.unwrap();
}

#[tokio::test]
async fn two_processes_may_share_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()), open(folder.path()));
    let claims = futures_util::future::join(one.claim("id"), two.claim("id")).await;
    assert!(claims.0.is_ok() && claims.1.is_ok());
    write(&one, key(1), &bytes(1, 100), 100).await.unwrap();
    assert_eq!(two.size(key(1)).await.unwrap(), Some(100));
    assert!(two.delete(key(1)).await.unwrap());
    assert_eq!(one.size(key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_a_blob_is_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    write(&blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    let fan_out = path_of(folder.path(), 1).parent().unwrap().to_owned();
    for name in ["notes.txt", "ABCDEFABCDEFABCDEFABCDEFABCDEF", "00", "ü"] {
        fs::write(fan_out.join(name), b"").unwrap();
    }
    let listed = blobs.list(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|blob| blob.key).collect::<Vec<_>>(), [key(1)]);
}

#[tokio::test]
async fn a_fan_out_folder_that_went_away_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    write(&blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    fs::remove_dir_all(path_of(folder.path(), 1).parent().unwrap()).unwrap();
    write(&blobs, key(1), &bytes(2, 10), 10).await.unwrap();
    assert_eq!(blobs.size(key(1)).await.unwrap(), Some(10));
}

#[tokio::test]
async fn what_uploads_announce_is_kept_free_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let free = blobs.free_bytes().await.unwrap().unwrap();
    let most = free - free / 4;
    let first = blobs.create(key(1), Some(most)).await.unwrap();
    assert!(matches!(blobs.create(key(2), Some(most)).await.map(drop), Err(PortError::Full { .. })));
    assert!(blobs.free_bytes().await.unwrap().unwrap() < most);
    drop(first);
    blobs.create(key(2), Some(most)).await.map(drop).unwrap();
}

#[tokio::test]
async fn room_is_kept_for_the_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { keep_free_bytes: u64::MAX / 2, ..DiskOptions::default() };
    let blobs = DiskBlobs::open(folder.path(), options).unwrap();
    assert_eq!(blobs.free_bytes().await.unwrap(), Some(0));
    assert!(matches!(blobs.create(key(1), None).await.map(drop), Err(PortError::Full { .. })));
    assert_eq!(files_below(folder.path()), 0);
}

#[tokio::test]
async fn the_gateway_is_told_where_a_blob_is() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let content = bytes(1, 100_000);
    write(&blobs, key(1), &content, 50_000).await.unwrap();
    let address = blobs.locate(key(1), 100_000).await.unwrap().unwrap();
    let below = address.strip_prefix("/_blobs/").unwrap();
    assert_eq!(fs::read(folder.path().join("blobs").join(below)).unwrap(), content);
    assert_eq!(blobs.locate(key(2), 100_000).await.unwrap(), None);
    // a blob that was cut is never sent
    for size in [99_999, 100_001] {
        assert!(matches!(blobs.locate(key(1), size).await, Err(PortError::Broken { .. })));
    }
}
