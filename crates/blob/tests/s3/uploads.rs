//! Writing: in parts, given up, found again after a crash.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use blob::{CreateOnly, S3Options};
use bytes::Bytes;
use common::files::{BlobStore as _, BlobWriter, PartialBlob, PartialBlobs as _};
use common::{PortError, PortResult, Timestamp};
use futures_util::FutureExt as _;
use testkit::blob_store::{bytes, key, write};

use super::support::{Server, assert_unavailable, broken, content, content as content_of, whole};
use testkit::wait::{soon, until};

const MIB: usize = 1024 * 1024;

/// More than two parts.
const LARGE: usize = 20 * MIB + 7;

async fn begun(blobs: &blob::S3Blobs, number: u128, len: usize) -> Box<dyn BlobWriter> {
    let mut writer = blobs.create(key(number), None).await.unwrap();
    writer.write(bytes(1, len)).await.unwrap();
    writer
}

/// What happens to a blob that is written in pieces until it fails or ends.
async fn attempt(blobs: &blob::S3Blobs, number: u128, content: &Bytes) -> PortResult<()> {
    write(blobs, key(number), content, 256 * 1024).await.map(drop)
}

#[tokio::test]
async fn a_large_blob_goes_up_in_parts_and_leaves_nothing_unfinished() {
    let server = Server::start().await;
    let blobs = server.blobs();
    for (number, len) in [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, LARGE].into_iter().enumerate() {
        let (number, large) = (number as u128, bytes(number as u64, len));
        // in pieces of many parts, of few bytes and of an odd size
        for (number, piece) in [(3 * number, len), (3 * number + 1, 1_000), (3 * number + 2, 700_001)] {
            let written = write(&blobs, key(number), &large, piece).await.unwrap();
            assert_eq!(written.size, len as u64);
            assert!(content(&blobs, key(number), len).await.unwrap().unwrap() == large, "{len} by {piece}");
        }
    }
    assert!(server.s3.unfinished().is_empty());
}

#[tokio::test]
async fn a_dropped_upload_is_given_up() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let writer = begun(&blobs, 1, LARGE).await;
    // its first part is there, whether the second is or not
    assert!(server.s3.unfinished().len() >= 2);
    drop(writer);
    server.nothing_unfinished().await;
    blobs.settle().await;
    assert!(server.s3.unfinished().is_empty());
    assert_eq!(blobs.size(key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_goes_away_at_any_point_leaves_nothing() {
    let server = Server::start().await;
    let blobs = server.blobs();
    for len in [1_000, 9 * MIB] {
        let large = bytes(1, len);
        let mut polls = 1;
        loop {
            let number = (len + polls) as u128;
            let written = Cell::new(false);
            {
                let mut upload = Box::pin(async {
                    attempt(&blobs, number, &large).await.unwrap();
                    written.set(true);
                });
                for _ in 0..polls {
                    if (&mut upload).now_or_never().is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            blobs.settle().await;
            // the server may see a broken connection later than its client
            server.nothing_unfinished().await;
            let size = written.get().then_some(len as u64);
            assert_eq!(blobs.size(key(number)).await.unwrap(), size, "{len} bytes, {polls} polls");
            if written.get() {
                break;
            }
            polls += polls / 3 + 1;
        }
    }
}

#[tokio::test]
async fn an_upload_that_failed_cannot_be_continued() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let mut writer = begun(&blobs, 1, 8 * MIB).await;
    server.s3.refuse(1, 507, "XMinioStorageFull");
    let full = writer.write(bytes(1, LARGE)).await;
    assert!(matches!(full, Err(PortError::Full { .. })), "{full:?}");
    assert!(broken(writer.write(bytes(1, 1)).await).contains("cannot be continued"));
    assert!(broken(writer.finish().await).contains("cannot be continued"));
    server.nothing_unfinished().await;
    assert_eq!(blobs.size(key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_bucket_is_full() {
    let server = Server::start().await;
    let blobs = server.blobs();
    for (status, code) in [(507, "XMinioStorageFull"), (403, "QuotaExceeded")] {
        for len in [1_000, LARGE] {
            server.s3.refuse(1, status, code);
            let result = attempt(&blobs, 1, &bytes(1, len)).await;
            assert!(matches!(result, Err(PortError::Full { .. })), "{code} {len} {result:?}");
        }
    }
    blobs.settle().await;
    assert!(server.s3.unfinished().is_empty());
    assert_eq!(blobs.list(None, 10).await.unwrap(), []);
    let endless = blobs.create(key(1), Some(u64::MAX)).await.map(drop);
    assert!(matches!(endless, Err(PortError::Full { .. })), "{endless:?}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = Server::start().await;
    let blobs = server.blobs();
    for (number, len) in [(1, 1_000), (2, LARGE)] {
        server.s3.refuse(2, 503, "SlowDown");
        attempt(&blobs, number, &bytes(1, len)).await.unwrap();
        server.s3.refuse(2, 500, "InternalError");
        assert!(content(&blobs, key(number), len).await.unwrap().unwrap() == bytes(1, len));
    }
    // not for ever
    server.s3.refuse(1_000, 503, "SlowDown");
    assert_unavailable(soon(attempt(&blobs, 3, &bytes(1, 10))).await);
}

#[tokio::test]
async fn an_answer_that_got_lost_is_no_failure() {
    let server = Server::start().await;
    let blobs = server.blobs();
    for (number, len) in [(1, 0), (2, 1_000), (3, LARGE)] {
        server.s3.lose_answers(1);
        let large = bytes(1, len);
        assert_eq!(write(&blobs, key(number), &large, MIB).await.unwrap().size, len as u64);
        assert!(content(&blobs, key(number), len).await.unwrap().unwrap() == large, "{len}");
        // which does not make the blob of somebody else ours
        assert!(broken(attempt(&blobs, number, &large).await).contains("in use"));
    }
    blobs.settle().await;
    assert!(server.s3.unfinished().is_empty());
}

#[tokio::test]
async fn a_server_that_dies_amid_an_upload_shows_nothing_of_it() {
    let mut server = Server::start().await;
    let blobs = server.blobs();
    for (number, len) in [(1, 1_000), (2, LARGE)] {
        let mut writer = begun(&blobs, number, len).await;
        server.s3.stop().await;
        let result = soon(async {
            for _ in 0..20 {
                writer.write(bytes(2, MIB)).await?;
            }
            writer.finish().await
        });
        assert_unavailable(result.await);
        server.s3.start_again().await.unwrap();
        assert_eq!(blobs.size(key(number)).await.unwrap(), None);
        assert_eq!(blobs.list(None, 10).await.unwrap(), []);
        attempt(&blobs, number, &bytes(3, len)).await.unwrap();
        assert!(blobs.delete(key(number)).await.unwrap());
    }
    // the upload could not be given up, so a sweep has to
    blobs.settle().await;
    server.s3.age_unfinished(Duration::from_secs(7200));
    let left = !server.s3.unfinished().is_empty();
    assert_eq!(blobs.sweep_temporary(Timestamp::MAX).await.unwrap(), u32::from(left));
    assert!(server.s3.unfinished().is_empty());
}

#[tokio::test]
async fn uploads_that_a_crash_left_are_swept() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let others = server.open(S3Options { prefix: "other".to_owned(), ..server.options() });
    // never dropped, as in a process that was killed
    for number in 0..5 {
        std::mem::forget(begun(&blobs, number, 9 * MIB).await);
    }
    std::mem::forget(begun(&others, 1, 9 * MIB).await);
    let mut alive = begun(&blobs, 7, 9 * MIB).await;
    let files = || server.s3.unfinished().len();
    // each is a file, and the one part that is complete
    until(|| files() == 14).await;
    server.s3.age_unfinished(Duration::from_secs(7200));
    // one goes on, and one begins
    alive.write(bytes(1, 8 * MIB)).await.unwrap();
    let young = begun(&blobs, 8, 9 * MIB).await;
    until(|| files() == 17).await;

    let modified = |path: std::path::PathBuf| path.metadata().unwrap().modified().unwrap();
    let now = server.s3.unfinished().into_iter().map(modified).max().unwrap();
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let hour_ago = Timestamp::from_millis(i64::try_from(now).unwrap() - 3_600_000);

    server.s3.hide_uploads(true);
    assert_eq!(blobs.sweep_temporary(hour_ago).await.unwrap(), 0);
    server.s3.hide_uploads(false);
    assert_eq!(blobs.sweep_temporary(hour_ago).await.unwrap(), 5);
    assert_eq!(blobs.sweep_temporary(hour_ago).await.unwrap(), 0);
    assert_eq!(alive.finish().await.unwrap().size, 17 * MIB as u64);
    assert_eq!(young.finish().await.unwrap().size, 9 * MIB as u64);
    assert_eq!(others.sweep_temporary(hour_ago).await.unwrap(), 1);
    assert!(server.s3.unfinished().is_empty());
}

#[tokio::test]
async fn a_server_that_overwrites_is_not_claimed_unless_the_store_looks() {
    let server = Server::start().await;
    server.s3.overwrite(true);
    assert!(broken(server.blobs().claim("one").await).contains("If-None-Match"));
    let looking = server.open(S3Options { create_only: CreateOnly::LookFirst, ..server.options() });
    looking.claim("one").await.unwrap();
    attempt(&looking, 1, &bytes(1, 10)).await.unwrap();
    assert!(broken(attempt(&looking, 1, &bytes(2, 10)).await).contains("in use"));
    assert_eq!(looking.read(key(1), whole(10)).await.unwrap().unwrap(), bytes(1, 10));
}

#[tokio::test]
async fn a_changed_bucket_takes_and_loses_nothing() {
    let server = Server::start().await;
    let blobs = server.blobs();
    blobs.claim("one").await.unwrap();
    attempt(&blobs, 1, &bytes(1, 10)).await.unwrap();
    let mark = server.s3.objects(super::support::BUCKET).join("some/prefix/store-id");
    for (text, expected) in [(None, "is gone"), (Some("two"), "another store")] {
        match text {
            None => std::fs::remove_file(&mark).unwrap(),
            Some(text) => std::fs::write(&mark, text).unwrap(),
        }
        assert!(broken(blobs.ping().await).contains(expected));
        assert!(broken(blobs.delete(key(1)).await).contains(expected));
        assert!(broken(blobs.list(None, 10).await).contains(expected));
        assert!(broken(blobs.sweep_temporary(Timestamp::MAX).await).contains(expected));
    }
    // another process that has not just seen the mark
    let other = server.blobs();
    assert!(broken(other.claim("one").await).contains("another store"));
    std::fs::write(&mark, "one").unwrap();
    blobs.ping().await.unwrap();
    assert!(broken(blobs.claim("two").await).contains("another store"));
    assert!(blobs.delete(key(1)).await.unwrap());
}

#[tokio::test]
async fn two_processes_may_claim_a_bucket_at_once() {
    let server = Server::start().await;
    let (one, two) = (server.blobs(), server.blobs());
    let claims = futures_util::future::join(one.claim("id"), two.claim("id")).await;
    assert!(claims.0.is_ok() && claims.1.is_ok(), "{claims:?}");
    let fresh = Server::start().await;
    let (one, two) = (fresh.blobs(), fresh.blobs());
    let claims = futures_util::future::join(one.claim("one"), two.claim("two")).await;
    assert!(claims.0.is_ok() != claims.1.is_ok(), "{claims:?}");
}

#[tokio::test]
async fn what_is_not_a_blob_is_not_listed() {
    let server = Server::start().await;
    let blobs = server.blobs();
    blobs.claim("one").await.unwrap();
    attempt(&blobs, 1, &bytes(1, 10)).await.unwrap();
    let folder = server.s3.objects(super::support::BUCKET).join("some/prefix/blobs");
    for name in ["notes.txt", "ABCDEFABCDEFABCDEFABCDEFABCDEF00", "00"] {
        std::fs::write(folder.join(name), b"").unwrap();
    }
    std::fs::create_dir(folder.join("folder")).unwrap();
    std::fs::write(folder.join("folder").join(key(2).to_string()), b"").unwrap();
    for limit in [1, 2, 10] {
        let listed = blobs.list(None, limit).await.unwrap();
        assert_eq!(listed.iter().map(|blob| blob.key).collect::<Vec<_>>(), [key(1)], "{limit}");
    }
}

#[tokio::test]
async fn what_comes_in_several_goes_rests_unswept_until_nobody_knows_it() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let content = bytes(1, 20 * MIB);
    let mut writer = blobs.append(&PartialBlob::new(key(1)), None, 64 * MIB as u64).await.unwrap();
    writer.write(content.slice(..18 * MIB)).await.unwrap();
    let kept = writer.close().await.unwrap();
    server.s3.age_unfinished(Duration::from_secs(7200));
    assert_eq!(blobs.sweep_temporary(Timestamp::MAX).await.unwrap(), 0);
    let mut writer = blobs.append(&kept, None, 64 * MIB as u64).await.unwrap();
    writer.write(content.slice(18 * MIB..)).await.unwrap();
    let whole = writer.close().await.unwrap();
    blobs.finish(&whole).await.unwrap();
    assert!(content_of(&blobs, key(1), 20 * MIB).await.unwrap().unwrap() == content);
    assert!(server.s3.unfinished().is_empty());

    let mut writer = blobs.append(&PartialBlob::new(key(2)), None, 64 * MIB as u64).await.unwrap();
    writer.write(content.slice(..9 * MIB)).await.unwrap();
    writer.close().await.unwrap();
    assert!(blobs.discard_stray(key(2), Timestamp::MAX).await.unwrap());
    server.s3.age_unfinished(Duration::from_secs(7200));
    assert_eq!(blobs.sweep_temporary(Timestamp::MAX).await.unwrap(), 1);
    assert!(server.s3.unfinished().is_empty());
}

/// The end of an upload is told although its first answer was lost.
#[tokio::test]
async fn a_lost_answer_to_the_end_of_several_goes_is_no_loss() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let content = bytes(1, 9 * MIB);
    let mut writer = blobs.append(&PartialBlob::new(key(1)), None, 64 * MIB as u64).await.unwrap();
    writer.write(content.clone()).await.unwrap();
    let whole = writer.close().await.unwrap();
    server.s3.lose_answers(1);
    // whatever the first call says
    let _ = blobs.finish(&whole).await;
    assert_eq!(blobs.finish(&whole).await.unwrap().size, 9 * MIB as u64);
    assert!(content_of(&blobs, key(1), 9 * MIB).await.unwrap().unwrap() == content);
}
