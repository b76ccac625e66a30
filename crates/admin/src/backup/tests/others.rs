//! Root, in folders of another account. Who is not root has folders of their own alone.

use std::os::unix::fs::{chown, symlink};

use super::*;

const OTHER: Option<u32> = Some(4_321);

impl Scene {
    /// Gives the data folder, and some files in it, to the other account.
    fn give(&self, files: &[&Path]) {
        for path in ["", "secrets", "secrets/master-key", "format.json", "store-id"] {
            chown(self.data().join(path), OTHER, OTHER).unwrap();
        }
        for file in files {
            chown(file, OTHER, OTHER).unwrap();
        }
    }

    /// A file of root's.
    fn foreign(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("shadow");
        fs::write(&path, text).unwrap();
        path
    }
}

/// Whoever the folder belongs to can put a link into it while root writes there. But it may be the administrator's, to a larger disk.
#[test]
fn root_restores_through_no_link_of_the_folders_owner_and_leaves_it() {
    if !may_give() {
        return;
    }
    let scene = Scene::new();
    scene.store(1, "one");
    scene.take(1).unwrap();
    for name in ["blobs", "partial", "secrets"] {
        let (target, elsewhere) = (scene.folder.path().join("other"), scene.folder.path().join("elsewhere"));
        fs::create_dir(&target).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, target.join(name)).unwrap();
        chown(&target, OTHER, OTHER).unwrap();
        let before = check_folders(&scene.backup(), &target);
        let first = restore(&scene.databases, &scene.backup(), &target, false, false);
        let again = restore(&scene.databases, &scene.backup(), &target, true, false);
        for refused in [before, first.map(drop), again.map(drop)] {
            let Err(BackupError::Refused(text)) = &refused else { panic!("{name}: {refused:?}") };
            assert!(text.contains(&format!("other/{name} is a link")) && text.contains("4321"), "{text}");
        }
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert!(target.join(name).is_symlink());
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1, "nothing was begun");
        fs::remove_dir_all(&target).unwrap();
        fs::remove_dir_all(&elsewhere).unwrap();
    }
}

#[test]
fn root_says_which_link_in_the_backups_folder_is_not_followed() {
    if !may_give() {
        return;
    }
    let scene = Scene::new();
    scene.take(1).unwrap();
    let moved = scene.folder.path().join("moved");
    fs::rename(scene.backup().join("sets"), &moved).unwrap();
    symlink(&moved, scene.backup().join("sets")).unwrap();
    scene.take(2).unwrap();
    chown(scene.backup(), OTHER, OTHER).unwrap();
    let target = scene.folder.path().join("restored");
    fs::create_dir(&target).unwrap();
    let restored = restore(&scene.databases, &scene.backup(), &target, false, false).map(drop);
    for refused in [scene.take(3).map(drop), restored] {
        let Err(BackupError::Refused(text)) = &refused else { panic!("{refused:?}") };
        assert!(text.contains("backup/sets is a link"), "{text}");
    }
}

/// A backup of root's would bring a foreign file to whoever the data folder belongs to, with the next restore.
#[test]
fn root_backs_up_nothing_of_others_that_a_link_leads_to() {
    if !may_give() {
        return;
    }
    let scene = Scene::new();
    scene.give(&[]);
    scene.take(1).unwrap();
    let foreign = scene.foreign("theirs");
    symlink(&foreign, scene.data().join("secrets/shadow")).unwrap();
    assert!(matches!(scene.take(2), Err(BackupError::Refused(_))));
    fs::remove_file(scene.data().join("secrets/shadow")).unwrap();
    fs::remove_file(scene.data().join("auth.db")).unwrap();
    symlink(&foreign, scene.data().join("auth.db")).unwrap();
    assert!(matches!(scene.take(3), Err(BackupError::Refused(_))));
}

#[test]
fn one_content_that_is_refused_does_not_end_the_backup() {
    if !may_give() {
        return;
    }
    let scene = Scene::new();
    let (own, planted, pipe) =
        (scene.store(1, "one"), scene.store(2, "wanted"), scene.store(3, "never comes"));
    let upload = scene.upload(4, "begun");
    scene.give(&[&own]);
    let foreign = scene.foreign("theirs");
    for path in [&planted, &upload, &pipe] {
        fs::remove_file(path).unwrap();
    }
    // of the size that is asked for
    fs::hard_link(&foreign, &planted).unwrap();
    symlink(&foreign, &upload).unwrap();
    symlink(&pipe, &pipe).unwrap();
    for links in [false, true] {
        let target = scene.folder.path().join(format!("backup-{links}"));
        let taken = scene.take_as(&target, 1, false, links).unwrap();
        assert_eq!((taken.contents, taken.copied), (1, 1));
        assert_eq!((taken.damaged, taken.missing), (vec![], vec![key(2), key(3), key(4)]));
        assert!(taken.refused.is_some());
        assert!(!target.join("tmp").exists());
        assert!(content_path(&target.join("blobs"), key(1)).exists());
        for number in [2, 3] {
            assert!(!content_path(&target.join("blobs"), key(number)).exists());
        }
        let restored = scene.folder.path().join(format!("restored-{links}"));
        fs::create_dir(&restored).unwrap();
        let restored = restore(&scene.databases, &target, &restored, false, false).unwrap();
        assert_eq!((restored.contents, restored.lost), (1, 3));
    }
}

/// Disks show other accounts than those that wrote (NFS with `all_squash`, CIFS); root has made contents; and a backup with hard links has given them second
/// names.
#[test]
fn what_the_database_knows_by_its_digest_is_kept_whoevers_it_is() {
    if !may_give() {
        return;
    }
    let scene = Scene::new();
    let (twice, roots) = (scene.store(1, "one"), scene.store(2, "two"));
    scene.give(&[]);
    fs::hard_link(&twice, scene.folder.path().join("second-name")).unwrap();
    let disk = scene.folder.path().join("disk");
    fs::rename(scene.data().join("blobs"), &disk).unwrap();
    symlink(&disk, scene.data().join("blobs")).unwrap();
    assert!(roots.exists());
    for links in [false, true] {
        let target = scene.folder.path().join(format!("backup-{links}"));
        let taken = scene.take_as(&target, 1, false, links).unwrap();
        assert_eq!((taken.contents, taken.missing, taken.refused), (2, vec![], None));
    }
}
