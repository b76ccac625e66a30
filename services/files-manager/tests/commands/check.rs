//! Looking whether what is stored hangs together: each thing that can be wrong is made wrong, and found.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use e2e::contents::noise;
use e2e::product::id;
use rusqlite::Connection;

use super::{has_lines, run};
use crate::support::{Installation, files_below};

fn check(installation: &Installation, more: &[&str]) -> (Option<i32>, String) {
    run(installation, &[&["admin", "check"][..], more].concat(), &[])
}

/// Nothing is wrong, however one looks.
fn is_whole(installation: &Installation) {
    let (status, report) = check(installation, &["--deep"]);
    assert_eq!(status, Some(0), "{report}");
    has_lines(&report, &["put right: 0", "wrong: 0"]);
}

/// It is found, twice, since looking changes nothing.
fn is_found(installation: &Installation, more: &[&str], lines: &[&str]) {
    for _ in 0..2 {
        let (status, report) = check(installation, more);
        assert_eq!(status, Some(1), "{report}");
        has_lines(&report, &["put right: 0"]);
        for line in lines {
            assert!(report.contains(line), "no “{line}” in:\n{report}");
        }
    }
}

/// It is found, put right, and then there is nothing any more.
fn is_mended(installation: &Installation, lines: &[&str]) {
    is_found(installation, &[], lines);
    let (status, report) = check(installation, &["--repair"]);
    assert_eq!(status, Some(0), "{report}");
    has_lines(&report, &["wrong: 0"]);
    for line in lines {
        assert!(report.contains(line), "no “{line}” in:\n{report}");
    }
    is_whole(installation);
}

fn sql(installation: &Installation, statement: &str) {
    let database = Connection::open(installation.data().join("files.db")).unwrap();
    assert!(database.execute(statement, []).unwrap() > 0, "{statement}");
}

fn large(installation: &Installation) -> PathBuf {
    let blobs = files_below(&installation.data().join("blobs"));
    blobs.into_iter().find(|path| fs::metadata(path).unwrap().len() == 600_000).unwrap()
}

/// A name for a content that is none of the product's.
fn stray_beside(blob: &Path) -> PathBuf {
    let name = blob.file_name().unwrap().to_str().unwrap();
    let other: String = name.chars().rev().collect();
    assert_ne!(name, other);
    let (head, tail) = (&name[..2], &other[2..]);
    blob.with_file_name(format!("{head}{tail}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_thing_that_is_wrong_is_found_and_what_can_be_is_put_right() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    product.upload(&ada, "root", "large.bin", noise(600_000, 1)).await.unwrap();
    let folder = product.make_folder(&ada, "root", "folder").await.unwrap();
    let inside = id(&product.upload(&ada, &folder, "inside", noise(100, 2)).await.unwrap()).unwrap();
    product.upload(&ada, "root", "inside", noise(101, 3)).await.unwrap();
    let (status, refused) = check(&installation, &[]);
    assert_eq!(status, Some(73), "while the product runs: {refused}");
    running.stop();
    is_whole(&installation);

    // the copy that a killed check left stands in nobody's way, and is not kept
    let left = installation.data().join("check");
    let leave = || {
        fs::create_dir(&left).unwrap();
        fs::write(left.join("files.db"), "half a copy").unwrap();
    };
    leave();
    is_whole(&installation);
    assert!(!left.exists());
    leave();
    installation.start().stop();
    assert!(!left.exists());

    // counters
    for (statement, line) in [
        ("UPDATE spaces SET used_bytes = used_bytes + 7", "bytes used in the space"),
        ("UPDATE spaces SET node_count = node_count + 1", "files and folders in the space"),
        ("UPDATE nodes SET file_count = 5 WHERE name = 'folder'", "files in the folder"),
        ("UPDATE nodes SET folder_count = 0 WHERE parent IS NULL", "folders in the folder"),
        (
            "UPDATE counters SET value = value + 1 WHERE name = 'nodes'",
            "files and folders of all spaces: 5 stood there, 4 are there",
        ),
        ("UPDATE blobs SET refs = 9", "references to the content"),
    ] {
        sql(&installation, statement);
        is_mended(&installation, &[line]);
    }

    // a file that no way leads to
    sql(&installation, "UPDATE nodes SET parent = randomblob(12) WHERE name = 'inside' AND size = 100");
    is_mended(&installation, &[&format!("“inside” ({inside}) has no folder"), "files in the folder"]);

    // contents of no file: an old one is found, a new one may be an upload whose commit is under way
    let blob = large(&installation);
    let stray = stray_beside(&blob);
    fs::write(&stray, "stray").unwrap();
    is_whole(&installation);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&stray).unwrap().set_modified(old).unwrap();
    is_mended(&installation, &["(5 bytes) belongs to no file"]);
    assert!(!stray.exists() && blob.exists());

    // contents that are not what was uploaded: changed, cut, gone
    let bytes = fs::read(&blob).unwrap();
    let mut changed = bytes.clone();
    changed[300_000] ^= 1;
    fs::write(&blob, &changed).unwrap();
    let (status, shallow) = check(&installation, &[]);
    assert_eq!(status, Some(0), "only reading it tells: {shallow}");
    is_found(&installation, &["--deep"], &["its bytes have changed; restore it from a backup"]);
    fs::write(&blob, &bytes[..599_999]).unwrap();
    is_found(&installation, &[], &["it has 599999 bytes instead of 600000"]);
    fs::remove_file(&blob).unwrap();
    is_found(&installation, &[], &["it is missing"]);
    let (status, report) = check(&installation, &["--repair"]);
    assert_eq!(status, Some(1), "what is gone cannot be put right: {report}");
    fs::write(&blob, &bytes).unwrap();
    is_whole(&installation);

    // a content of which nothing is known
    sql(&installation, "DELETE FROM blobs WHERE size = 101");
    is_found(&installation, &[], &["of which nothing is known"]);
}
