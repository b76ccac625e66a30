use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Mutex;

use common::{BlobKey, PortResult, Sha256, Timestamp};
use tempfile::TempDir;

use super::*;

mod others;

/// Databases that are text files; the second one lists the keys and texts of contents, line by line, and those of uploads after an `+`.
struct Texts {
    /// Done after a database was copied.
    after_copy: Mutex<AfterCopy>,
}

type AfterCopy = Box<dyn FnMut(&Path) + Send>;

impl Databases for Texts {
    fn names(&self) -> &'static [&'static str] {
        &["auth.db", "files.db"]
    }

    fn copy(&self, source: &Path, target: &Path) -> PortResult<()> {
        fs::copy(source, target).unwrap();
        (self.after_copy.lock().unwrap())(source);
        Ok(())
    }

    fn contents(&self, folder: &Path) -> PortResult<Box<dyn Contents>> {
        let text = fs::read_to_string(folder.join("files.db")).unwrap();
        let (mut contents, mut uploads) = (Vec::new(), Vec::new());
        for (key, text) in text.lines().map(|line| line.split_once(' ').unwrap()) {
            let size = text.len() as u64;
            match key.strip_prefix('+') {
                Some(key) => {
                    uploads.push(UnderWay { key: BlobKey::parse(key).unwrap(), size, is_whole: false })
                }
                None => {
                    let (key, sha256) = (BlobKey::parse(key).unwrap(), Sha256::of(text.as_bytes()));
                    contents.push(Content { key, size, sha256 });
                }
            }
        }
        contents.sort_by_key(|content| content.key);
        uploads.sort_by_key(|upload| upload.key);
        Ok(Box::new(Listed(contents, uploads)))
    }
}

struct Listed(Vec<Content>, Vec<UnderWay>);

impl Contents for Listed {
    fn store_id(&self) -> PortResult<String> {
        Ok("store".into())
    }

    fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<Content>> {
        let rest = self.0.iter().filter(|content| after.is_none_or(|after| content.key > after));
        Ok(rest.take(limit as usize).copied().collect())
    }

    fn list_uploads(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<UnderWay>> {
        let rest = self.1.iter().filter(|upload| after.is_none_or(|after| upload.key > after));
        Ok(rest.take(limit as usize).copied().collect())
    }
}

struct Scene {
    folder: TempDir,
    databases: Texts,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
            databases: Texts { after_copy: Mutex::new(Box::new(|_| ())) },
        };
        fs::create_dir_all(scene.data().join("secrets")).unwrap();
        for (name, text) in [
            ("store-id", "store"),
            ("format.json", "{}"),
            ("auth.db", "people"),
            ("files.db", ""),
            ("secrets/master-key", "07"),
        ] {
            fs::write(scene.data().join(name), text).unwrap();
        }
        scene
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    fn store(&self, number: u8, text: &str) -> PathBuf {
        let key = key(number);
        let path = content_path(&self.data().join("blobs"), key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.list(&format!("{key} {text}"));
        path
    }

    /// An upload of which so much has come.
    fn upload(&self, number: u8, text: &str) -> PathBuf {
        let path = self.data().join("partial").join(key(number).to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.list(&format!("+{} {text}", key(number)));
        path
    }

    fn list(&self, line: &str) {
        let database = self.data().join("files.db");
        let before = fs::read_to_string(&database).unwrap();
        fs::write(&database, format!("{before}{line}\n")).unwrap();
    }

    fn forget_all(&self) {
        fs::write(self.data().join("files.db"), "").unwrap();
    }

    fn take(&self, seconds: i64) -> Result<Taken, BackupError> {
        self.take_to(&self.backup(), seconds, false)
    }

    fn take_to(&self, target: &Path, seconds: i64, verify: bool) -> Result<Taken, BackupError> {
        self.take_as(target, seconds, verify, false)
    }

    fn take_as(&self, target: &Path, seconds: i64, verify: bool, links: bool) -> Result<Taken, BackupError> {
        take(
            &self.databases,
            &Options {
                data: &self.data(),
                target,
                links,
                verify,
                secrets: true,
                product: "1.0.0",
                at: Timestamp::from_millis(seconds * 1000),
            },
        )
    }

    fn kept(&self, number: u8) -> PathBuf {
        content_path(&self.backup().join("blobs"), key(number))
    }
}

fn key(number: u8) -> BlobKey {
    BlobKey::from_bytes([number; 16])
}

#[test]
fn a_second_run_copies_what_is_new_and_removes_what_is_gone() {
    let scene = Scene::new();
    scene.store(1, "one");
    assert_eq!(scene.take(1).unwrap().copied, 1);
    let inode = fs::metadata(scene.kept(1)).unwrap().ino();
    scene.store(2, "two");
    let taken = scene.take(2).unwrap();
    assert_eq!((taken.contents, taken.copied, taken.content_bytes), (2, 1, 6));
    assert_eq!(fs::metadata(scene.kept(1)).unwrap().ino(), inode, "it was not copied again");
    assert_eq!(fs::read_dir(scene.backup().join("sets")).unwrap().count(), 1);
    scene.forget_all();
    scene.store(2, "two");
    assert_eq!(scene.take(3).unwrap().contents, 1);
    assert!(!scene.kept(1).exists() && scene.kept(2).exists());
}

#[test]
fn what_rots_in_the_backup_is_found_and_copied_anew() {
    let scene = Scene::new();
    scene.store(1, "one");
    scene.take(1).unwrap();
    fs::write(scene.kept(1), "onE").unwrap();
    assert_eq!(scene.take(2).unwrap().copied, 0);
    assert_eq!(scene.take_to(&scene.backup(), 3, true).unwrap().copied, 1);
    assert_eq!(fs::read_to_string(scene.kept(1)).unwrap(), "one");
}

#[test]
fn contents_that_were_collected_meanwhile_have_the_databases_copied_anew() {
    let mut scene = Scene::new();
    let collected = scene.store(1, "one");
    scene.store(2, "two");
    let (database, kept) = (scene.data().join("files.db"), format!("{} two\n", key(2)));
    let mut rounds = 0;
    scene.databases.after_copy = Mutex::new(Box::new(move |source| {
        if source.ends_with("files.db") {
            rounds += 1;
            if rounds == 1 {
                fs::write(&database, &kept).unwrap();
                fs::remove_file(&collected).unwrap();
            }
        }
    }));
    let taken = scene.take(1).unwrap();
    assert_eq!((taken.contents, taken.missing.len()), (1, 0));
    assert!(!scene.kept(1).exists());
}

#[test]
fn what_is_damaged_or_lost_is_told_of_and_keeps_nothing_else_from_being_kept() {
    let scene = Scene::new();
    let (damaged, lost) = (scene.store(1, "one"), scene.store(2, "two"));
    scene.store(3, "three");
    fs::write(&damaged, "onE").unwrap();
    fs::remove_file(&lost).unwrap();
    let taken = scene.take(1).unwrap();
    assert_eq!((taken.damaged, taken.missing), (vec![key(1)], vec![key(2)]));
    // it may be as it was stored once more
    fs::write(&damaged, "one").unwrap();
    assert_eq!(scene.take(2).unwrap().damaged, Vec::new());
    let target = scene.folder.path().join("restored");
    fs::create_dir(&target).unwrap();
    let restored = restore(&scene.databases, &scene.backup(), &target, false, false).unwrap();
    assert_eq!(restored.lost, 1);
    assert_eq!(fs::read_to_string(content_path(&target.join("blobs"), key(1))).unwrap(), "one");
    assert_eq!(fs::read_to_string(target.join("secrets/master-key")).unwrap(), "07");
}

#[test]
fn a_cut_run_leaves_the_backup_before_as_it_was() {
    let mut scene = Scene::new();
    scene.store(1, "one");
    scene.take(1).unwrap();
    scene.store(2, "two");
    scene.databases.after_copy = Mutex::new(Box::new(|_| panic!("cut")));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene.take(2))).unwrap_err();
    let target = scene.folder.path().join("restored");
    fs::create_dir(&target).unwrap();
    scene.databases.after_copy = Mutex::new(Box::new(|_| ()));
    assert_eq!(restore(&scene.databases, &scene.backup(), &target, false, false).unwrap().contents, 1);
    assert_eq!(scene.take(3).unwrap().contents, 2, "and the next run is whole");
}

#[test]
fn a_run_that_fails_leaves_the_uploads_of_the_backup_before() {
    let mut scene = Scene::new();
    scene.upload(1, "first");
    scene.upload(2, "second");
    scene.take(1).unwrap();
    // both go on, one ends while the next run is under way, which comes to a file that it cannot read
    scene.forget_all();
    let ended = scene.upload(1, "first, and more");
    scene.upload(2, "second, and more");
    let unreadable = scene.upload(3, "x");
    fs::remove_file(&unreadable).unwrap();
    fs::create_dir(&unreadable).unwrap();
    scene.databases.after_copy = Mutex::new(Box::new(move |source| {
        if source.ends_with("files.db") {
            fs::remove_file(&ended).unwrap();
        }
    }));
    scene.take(2).unwrap_err();
    let target = scene.folder.path().join("restored");
    fs::create_dir(&target).unwrap();
    restore(&scene.databases, &scene.backup(), &target, false, false).unwrap();
    for (number, text) in [(1, "first"), (2, "second")] {
        let path = target.join("partial").join(key(number).to_string());
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
}

#[test]
fn a_folder_that_is_used_for_something_else_is_left_alone() {
    let scene = Scene::new();
    fs::create_dir(scene.backup()).unwrap();
    fs::write(scene.backup().join("thesis.txt"), "mine").unwrap();
    assert!(matches!(scene.take(1), Err(BackupError::Refused(_))));
    assert_eq!(fs::read_dir(scene.backup()).unwrap().count(), 1);
    assert!(matches!(scene.take_to(&scene.data().join("backup"), 1, false), Err(BackupError::Refused(_))));
}

#[test]
fn a_manifest_leads_nowhere_else() {
    let scene = Scene::new();
    scene.take(1).unwrap();
    let path = scene.backup().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"auth.db\"", "\"../auth.db\"")).unwrap();
    assert!(matches!(
        restore(&scene.databases, &scene.backup(), &scene.folder.path().join("restored"), false, false),
        Err(BackupError::Refused(_))
    ));
}

/// The nightly unit runs as root, and the product as an account that no more than the folder tells: what root restores into that is closed to the product unless
/// it is given away.
#[test]
fn what_is_restored_belongs_to_whom_the_data_folder_belongs() {
    let scene = Scene::new();
    scene.store(1, "one");
    scene.upload(2, "two");
    scene.take(1).unwrap();
    let target = scene.folder.path().join("other");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("lock"), "").unwrap();
    // who is not root has folders of their own alone
    let other = may_give().then_some(4_321);
    std::os::unix::fs::chown(&target, other, other).unwrap();
    let restored = restore(&scene.databases, &scene.backup(), &target, false, false).unwrap();
    assert_eq!(restored.given_to, other);
    let (owner, mut seen) = (fs::metadata(&target).unwrap(), 0);
    let mut folders = vec![target];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            assert_eq!((facts.uid(), facts.gid()), (owner.uid(), owner.gid()), "{}", path.display());
            seen += 1;
            if facts.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn a_restore_that_begins_again_leaves_the_link_to_another_disk() {
    let scene = Scene::new();
    scene.store(1, "one");
    scene.take(1).unwrap();
    let (target, disk) = (scene.folder.path().join("restored"), scene.folder.path().join("disk"));
    let left = content_path(&disk, key(9));
    for folder in [&target, left.parent().unwrap(), &disk.join("lost+found"), &disk.join("photos")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(&left, "of the call that was cut").unwrap();
    std::os::unix::fs::symlink(&disk, target.join("blobs")).unwrap();
    // somebody else's, on a disk that was put there since
    let begun_again = || restore(&scene.databases, &scene.backup(), &target, true, false);
    let refused = begun_again().unwrap_err().to_string();
    assert!(refused.contains("blobs/photos is nothing that a restore has left"), "{refused}");
    assert!(left.exists(), "nothing is removed then");
    fs::remove_dir(disk.join("photos")).unwrap();
    begun_again().unwrap();
    assert!(target.join("blobs").is_symlink());
    assert!(!left.exists() && disk.join("lost+found").exists());
    assert_eq!(fs::read_to_string(content_path(&disk, key(1))).unwrap(), "one");
}

#[test]
fn a_pipe_in_the_place_of_the_stores_mark_keeps_nobody() {
    let scene = Scene::new();
    let mark = scene.data().join("store-id");
    fs::remove_file(&mark).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &mark, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    scene.take(1).unwrap_err();
}
