use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::backup::may_give;

/// A folder as if it were another account's, and one that is no business of that one.
struct Scene {
    data: TempDir,
    elsewhere: TempDir,
    held: Held,
}

impl Scene {
    fn new() -> Self {
        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("victim"), "theirs").unwrap();
        let held = Held { is_own: false, ..Held::open(data.path()).unwrap() };
        Self { data, elsewhere, held }
    }

    fn victim(&self) -> PathBuf {
        self.elsewhere.path().join("victim")
    }

    /// Puts a link to the folder elsewhere into the place of a name.
    fn lead_away(&self, name: &str) {
        symlink(self.elsewhere.path(), self.data.path().join(name)).unwrap();
    }

    fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(self.victim()).unwrap(), "theirs");
        assert_eq!(fs::read_dir(self.elsewhere.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_name_that_became_a_link_leads_nowhere_else() {
    let scene = Scene::new();
    scene.lead_away("blobs");
    let held = &scene.held;
    assert!(held.make("blobs/ab").is_err());
    assert!(held.create("blobs/ab/cd").is_err());
    assert!(held.read("blobs/victim").is_err());
    assert!(held.remove("blobs/victim").is_err());
    assert!(held.entries("blobs").is_err());
    held.create("new").unwrap();
    assert!(held.rename(Path::new("new"), Path::new("blobs/victim")).is_err());
    held.remove_all("blobs").unwrap();
    assert!(!scene.data.path().join("blobs").is_symlink(), "the link itself is removed");
    scene.assert_untouched();
}

#[test]
fn a_file_that_became_a_link_is_neither_written_nor_read() {
    let scene = Scene::new();
    for name in ["store-id", "store-id.unfinished", "backup.lock"] {
        symlink(scene.victim(), scene.data.path().join(name)).unwrap();
    }
    assert!(scene.held.read("store-id").is_err());
    assert!(scene.held.create("store-id").is_err());
    assert!(scene.held.lock("backup.lock").is_err());
    scene.held.replace("store-id", b"ours").unwrap();
    assert_eq!(fs::read_to_string(scene.data.path().join("store-id")).unwrap(), "ours");
    scene.assert_untouched();
}

#[test]
fn what_is_held_is_worked_in_wherever_it_was_moved() {
    let scene = Scene::new();
    let folder = scene.data.path().join("export.unfinished");
    fs::create_dir(&folder).unwrap();
    let held = Held::open(&folder).unwrap();
    fs::rename(&folder, scene.data.path().join("moved")).unwrap();
    scene.lead_away("export.unfinished");
    held.create("blobs/ab/cd").unwrap();
    assert!(scene.data.path().join("moved/blobs/ab/cd").is_file());
    scene.assert_untouched();
}

#[test]
fn what_is_no_part_of_the_folder_is_not_named() {
    let scene = Scene::new();
    for path in ["../victim", "/etc/passwd", "a/../../victim", "..", ""] {
        assert!(scene.held.create(path).is_err(), "{path}");
    }
}

#[test]
fn in_a_folder_of_ones_own_contents_may_lie_on_another_disk() {
    let scene = Scene::new();
    scene.lead_away("blobs");
    let held = Held::open(scene.data.path()).unwrap();
    let Opened { mut file, .. } = held.create("blobs/ab/cd").unwrap();
    file.write_all(b"text").unwrap();
    assert_eq!(held.size("blobs/ab/cd").unwrap(), Some(4));
    assert_eq!(fs::read_to_string(scene.elsewhere.path().join("ab/cd")).unwrap(), "text");
}

#[test]
fn a_link_in_the_folder_has_nothing_of_another_account_read() {
    let scene = Scene::new();
    fs::create_dir(scene.data.path().join("secrets")).unwrap();
    symlink(scene.victim(), scene.data.path().join("secrets/key")).unwrap();
    scene.held.read_own("secrets/key").unwrap();
    let somebody = scene.held.owner + 1;
    let held = Held { owner: somebody, is_own: false, ..Held::open(scene.data.path()).unwrap() };
    assert!(matches!(held.read_own("secrets/key"), Err(HeldError::Refused(_))));
    // what only the folder has is its own, whoever made it there
    let own = scene.data.path().join("secrets/own");
    fs::write(&own, "ours").unwrap();
    held.read_own("secrets/own").unwrap();
    fs::hard_link(&own, scene.data.path().join("second-name")).unwrap();
    assert!(matches!(held.read_own("secrets/own"), Err(HeldError::Refused(_))));
    scene.lead_away("blobs");
    assert!(matches!(held.read_own("blobs/victim"), Err(HeldError::Refused(_))));
    assert!(scene.held.read_own("blobs/victim").is_ok(), "a link of the owner's to what is its own");
}

#[test]
fn nothing_is_given_away_that_only_has_a_name_in_the_folder() {
    let mut scene = Scene::new();
    let own = (scene.held.owner, scene.held.group);
    // who is not root can give nothing away; links are not given either way
    if may_give() {
        (scene.held.owner, scene.held.group) = (4_321, 4_321);
    }
    let to = (scene.held.owner, scene.held.group);
    let data = scene.data.path();
    fs::create_dir_all(data.join("blobs/ab")).unwrap();
    fs::write(data.join("blobs/ab/cd"), "text").unwrap();
    scene.lead_away("linked");
    symlink(scene.victim(), data.join("link")).unwrap();
    let pipe = data.join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
    let owner = |path: &Path| {
        let facts = fs::symlink_metadata(path).unwrap();
        (facts.uid(), facts.gid())
    };
    assert_eq!(scene.held.give_to_owner().unwrap(), Some(to.0));
    for given in ["blobs", "blobs/ab", "blobs/ab/cd"] {
        assert_eq!(owner(&data.join(given)), to, "{given}");
    }
    assert_eq!(owner(&scene.victim()), own);
    assert_eq!(owner(scene.elsewhere.path()), own);
    assert_eq!(owner(&pipe), own);
    // both folders are on one disk
    fs::hard_link(scene.victim(), data.join("second-name")).unwrap();
    if to != own {
        assert!(matches!(scene.held.give_to_owner(), Err(HeldError::Refused(_))));
    }
    assert_eq!(owner(&scene.victim()), own);
}
