//! C097, C098: archives as programs read them that have nothing to do with what makes them.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use archive::{Entry, Format, Layout, Piece, Stored};
use serde_json::{Value, json};

use crate::archives::{archive, expected, journey};
use crate::support::Server;

/// Says names and sizes, and fails for whatever is not as it should be: warnings, too.
const ZIP: &str = "
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as read:
    if sys.argv[2] == 'all':
        assert read.testzip() is None
    print(json.dumps([[entry.filename, entry.file_size] for entry in read.infolist()]))
";
const TAR: &str = "
import json, sys, tarfile
with tarfile.open(sys.argv[1], errorlevel=2) as read:
    found = []
    for entry in read:
        if sys.argv[2] == 'all' and entry.isfile():
            assert len(read.extractfile(entry).read()) == entry.size
        found.append([entry.name + ('/' if entry.isdir() else ''), entry.size])
    print(json.dumps(found))
";

fn read(program: &str, path: &Path, which: &str) -> Value {
    let python = Command::new("python3").args(["-W", "error", "-c", program]).arg(path).arg(which).output();
    let said = python.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

#[actix_web::test]
async fn c098_other_programs_find_nothing_wrong_with_an_archive() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = journey(&user).await;
    user.file("empty", &top, "").await;
    let mut names: Vec<_> =
        expected().into_iter().map(|(name, content)| json!([name, content.len()])).collect();
    names.insert(2, json!(["Reise/empty", 0]));
    for (format, program) in [("zip", ZIP), ("tar", TAR)] {
        let answer = user.get(&format!("{}?format={format}", archive(&top))).await;
        let path = server.dir.path().join(format);
        std::fs::write(&path, &answer.bytes).unwrap();
        assert_eq!(read(program, &path, "all"), Value::from(names.clone()), "{format}");
    }
}

/// Writes an archive whose contents are zeros, which a disk does not keep.
fn write(format: Format, entries: Vec<Entry>, path: &Path) {
    let layout = Arc::new(Layout::new(format, entries).unwrap());
    let mut file = File::create(path).unwrap();
    for piece in layout.pieces(0, layout.len()) {
        match piece {
            Piece::Bytes(bytes) => file.write_all(&bytes).unwrap(),
            Piece::Content { len, .. } => {
                file.seek(SeekFrom::Current(i64::try_from(len).unwrap())).unwrap();
            }
        }
    }
    file.set_len(layout.len()).unwrap();
}

#[test]
fn c097_other_programs_read_what_the_old_forms_could_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    let file = |name: String, size| {
        let stored = Some(Stored { size, crc32: 0 });
        Entry { parent: None, name: name.into(), modified_at: 1_700_000_000, stored }
    };
    let beyond = 9 * 1024 * 1024 * 1024;
    for (format, program) in [(Format::Zip, ZIP), (Format::Tar, TAR)] {
        write(format, vec![file("large".into(), beyond), file("after".into(), 0)], &path);
        assert_eq!(read(program, &path, "names"), json!([["large", beyond], ["after", 0]]));
        let many = (0..70_000).map(|number| file(number.to_string(), 0)).collect();
        write(format, many, &path);
        let found = read(program, &path, "all");
        let found = found.as_array().unwrap();
        assert_eq!((found.len(), &found[69_999]), (70_000, &json!(["69999", 0])));
    }
}
