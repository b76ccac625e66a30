use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

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
fn what_a_link_leads_to_is_looked_at_before_it_is_opened() {
    let scene = Scene::new();
    let held = &scene.held;
    symlink("/dev/null", scene.data.path().join("device")).unwrap();
    rustix::fs::mknodat(CWD, scene.data.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    symlink("round", scene.data.path().join("round")).unwrap();
    fs::write(scene.data.path().join("file"), "").unwrap();
    for name in ["device", "pipe", "round", "file/in-it"] {
        assert!(matches!(held.read_own(name), Err(HeldError::Refused(_))), "{name}");
        assert!(matches!(held.read_known(name, 0), Err(HeldError::Refused(_))), "{name}");
    }
    symlink("nothing", scene.data.path().join("gone")).unwrap();
    let Err(HeldError::Io { source, .. }) = held.read_own("gone") else { panic!("it is there") };
    assert_eq!(source.kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_is_known_by_its_digest_is_read_if_it_has_the_size() {
    let scene = Scene::new();
    scene.lead_away("blobs");
    let somebody =
        Held { owner: scene.held.owner + 1, is_own: false, ..Held::open(scene.data.path()).unwrap() };
    let (opened, is_owners) = somebody.read_known("blobs/victim", 6).unwrap();
    assert_eq!((io::read_to_string(opened.file).unwrap().as_str(), is_owners), ("theirs", false));
    assert!(matches!(somebody.read_known("blobs/victim", 7), Err(HeldError::Refused(_))));
}

#[test]
fn a_database_is_no_link_but_in_a_folder_of_ones_own() {
    let scene = Scene::new();
    symlink(scene.victim(), scene.data.path().join("files.db")).unwrap();
    fs::write(scene.data.path().join("jobs.db"), "").unwrap();
    symlink(scene.victim(), scene.data.path().join("jobs.db-wal")).unwrap();
    fs::write(scene.data.path().join("auth.db"), "").unwrap();
    for name in ["files.db", "jobs.db"] {
        assert!(matches!(scene.held.database(name), Err(HeldError::Refused(_))), "{name}");
    }
    assert_eq!(scene.held.database("auth.db").unwrap(), scene.data.path().join("auth.db"));
    assert_eq!(scene.held.database("none.db").unwrap(), scene.data.path().join("none.db"));
    let held = Held::open(scene.data.path()).unwrap();
    assert_eq!(held.database("files.db").unwrap(), scene.victim().canonicalize().unwrap());
}

/// As of Kubernetes' `fsGroup`: root's, and the service writes to it as the group.
#[test]
fn root_follows_no_link_where_a_group_may_write() {
    if !may_give() {
        return;
    }
    let scene = Scene::new();
    let data = scene.data.path();
    fs::create_dir(data.join("shared")).unwrap();
    scene.lead_away("shared/blobs");
    scene.lead_away("blobs");
    let held = Held::open(data).unwrap();
    held.read("blobs/victim").unwrap();
    held.read("shared/blobs/victim").unwrap();
    held.refuse_links(&["blobs"], "mount it").unwrap();
    // asked of each folder anew
    fs::set_permissions(data.join("shared"), fs::Permissions::from_mode(0o2770)).unwrap();
    assert!(held.read("shared/blobs/victim").is_err());
    assert!(held.create("shared/blobs/new").is_err());
    held.read("blobs/victim").unwrap();
    fs::set_permissions(data, fs::Permissions::from_mode(0o2770)).unwrap();
    assert!(held.create("blobs/new").is_err());
    assert!(matches!(held.refuse_links(&["blobs"], "mount it"), Err(HeldError::Refused(_))));
    // root's own files are what a planted link would lead to
    assert!(matches!(held.read_own("blobs/victim"), Err(HeldError::Refused(_))));
    fs::write(data.join("key"), "ours").unwrap();
    held.read_own("key").unwrap();
    assert_eq!(held.give_to_owner().unwrap(), None);
    scene.assert_untouched();
}

#[test]
fn folders_that_are_too_deep_are_refused_by_name() {
    let scene = Scene::new();
    let folder = |depth: usize| vec!["a"; depth].join("/");
    fs::create_dir_all(scene.data.path().join(folder(16))).unwrap();
    scene.held.refuse_depth().unwrap();
    scene.held.remove_all("a").unwrap();
    fs::create_dir_all(scene.data.path().join(folder(17))).unwrap();
    let refused =
        [scene.held.refuse_depth(), scene.held.remove_all("a"), scene.held.give_to_owner().map(drop)];
    for refused in refused {
        let Err(HeldError::Refused(text)) = &refused else { panic!("{refused:?}") };
        assert!(text.contains(&folder(17)), "{text}");
    }
}

#[test]
fn folders_on_other_disks_are_made_durable_too() {
    let scene = Scene::new();
    symlink("/proc", scene.data.path().join("blobs")).unwrap();
    fs::create_dir(scene.data.path().join("partial")).unwrap();
    let below = ["blobs", "partial", "not-there"];
    let found = |held: &Held| {
        let found = held.on_other_disks(&below).unwrap();
        found.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
    };
    let held = Held::open(scene.data.path()).unwrap();
    assert_eq!(found(&held), [scene.data.path().join("blobs")]);
    held.sync_all(&below).unwrap();
    assert!(found(&scene.held).is_empty(), "a link that is not followed leads to nothing that was written");
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
