//! Restores in whatever order bring back the tree that was.

use std::collections::BTreeMap;
use std::time::Duration;

use common::FileId;
use common::files::{Act, FileEventKind, Kind, MAX_DEPTH, NamedPlace, Node, Order, RETURNING_AT_ONCE, Sort};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use super::{AccessSubject, FilesSubject, named, query};

impl FilesSubject {
    async fn restore(&self, id: FileId) -> Node {
        self.clock.advance(Duration::from_millis(1));
        self.store.restore(id, self.now()).await.expect("it can be restored")
    }

    /// The paths of all that is there.
    async fn tree(&self) -> BTreeMap<String, FileId> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![(String::new(), self.root())]);
        while let Some((way, folder)) = folders.pop() {
            let page = self.store.list_children(folder, &query(Sort::Name, Order::Asc, 1000)).await.unwrap();
            assert_eq!(page.total, page.items.len() as u64, "the counter of {way} is exact");
            for node in page.items {
                let path = format!("{way}/{}", node.name.as_str());
                if node.kind == Kind::Folder {
                    folders.push((path.clone(), node.id));
                }
                found.insert(path, node.id);
            }
        }
        found
    }

    async fn place(&self, id: FileId) -> (FileId, String) {
        let node = self.node(id).await.unwrap();
        (node.parent.unwrap(), node.name.as_str().to_owned())
    }
}

pub async fn restore_goes_to_the_nearest_folder_that_is_not_in_the_trash(subject: &FilesSubject) {
    let top = subject.folder(subject.root(), "top").await;
    let outer = subject.folder(top.id, "outer").await;
    let inner = subject.folder(outer.id, "inner").await;
    let folder = subject.folder(inner.id, "folder").await;
    let file = subject.file(inner.id, "x", 1).await;
    subject.trash(file.id).await;
    subject.trash(folder.id).await;
    subject.trash(outer.id).await;
    let before = subject.store.find_space(subject.space.id).await.unwrap().unwrap();
    let restored = subject.restore(file.id).await;
    assert_eq!(restored.parent, Some(top.id), "the trash of a folder above counts too");
    assert_eq!(restored.modified_at, subject.now());
    let restored = subject.restore(folder.id).await;
    assert_eq!(restored.parent, Some(top.id));
    assert_eq!(subject.names(top.id).await, ["folder", "x"]);
    assert_eq!(subject.node(inner.id).await.unwrap().child_count, 0);
    let after = subject.store.find_space(subject.space.id).await.unwrap().unwrap();
    assert_eq!((after.usage.trash_count, after.tree_version), (1, before.tree_version + 1));
    assert_eq!(after.usage.used_bytes, before.usage.used_bytes);
    let folder = restored;
    let restored = subject.restore(outer.id).await;
    assert_eq!((restored.parent, restored.child_count), (Some(top.id), 1));
    assert_eq!(subject.names(top.id).await, ["outer"]);
    assert_eq!(subject.names(inner.id).await, ["folder", "x"]);
    let returned = subject.node(folder.id).await.unwrap();
    assert_eq!((returned.revision, returned.modified_at), (folder.revision + 1, subject.now()));
    let last = subject.store.find_space(subject.space.id).await.unwrap().unwrap();
    assert_eq!((last.usage.trash_count, last.tree_version), (0, after.tree_version + 1));
    assert_eq!((last.usage.used_bytes, last.usage.node_count), (1, 5));
}

pub async fn a_tree_that_was_trashed_piece_by_piece_comes_back_in_any_order(subject: &FilesSubject) {
    let top = subject.folder(subject.root(), "top").await;
    let a = subject.folder(top.id, "a").await;
    let b = subject.folder(a.id, "b").await;
    let x = subject.file(b.id, "x", 1).await;
    subject.file(b.id, "y", 1).await;
    let tree = subject.tree().await;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for id in [x.id, b.id, a.id] {
            subject.trash(id).await;
        }
        assert_eq!(subject.tree().await.len(), 1);
        for at in order {
            subject.restore([x.id, b.id, a.id][at]).await;
        }
        assert_eq!(subject.tree().await, tree, "{order:?}");
        assert_eq!(subject.usage().await.trash_count, 0);
    }
}

pub async fn trees_that_were_trashed_at_random_come_back_in_any_order(subject: &FilesSubject) {
    for seed in 0..5 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut folders = vec![subject.folder(subject.root(), &format!("tree {seed}")).await.id];
        let mut nodes = Vec::new();
        for number in 0..20 {
            let parent = *folders.choose(&mut random).unwrap();
            // the names are few, so that they meet where things are put
            let mut new = subject.new_folder(parent, &format!("n{}", random.random_range(0..3)));
            new.rename_if_taken = true;
            let node = if number % 2 == 0 {
                let node = subject.store.create_folder(&new).await.unwrap();
                folders.push(node.id);
                node
            } else {
                subject.file(parent, &format!("f{number}"), 1).await
            };
            nodes.push(node.id);
        }
        let tree = subject.tree().await;
        nodes.shuffle(&mut random);
        let mut trashed = Vec::new();
        for node in nodes {
            if random.random_bool(0.7)
                && subject.store.trash(node, None, subject.user, subject.now()).await.is_ok()
            {
                trashed.push(node);
            }
        }
        trashed.shuffle(&mut random);
        for node in trashed {
            subject.restore(node).await;
        }
        assert_eq!(subject.tree().await, tree, "seed {seed}");
    }
}

pub async fn what_returns_takes_a_free_name(subject: &FilesSubject) {
    let root = subject.root();
    let a = subject.folder(root, "a").await;
    let (x, y) = (subject.file(a.id, "x.txt", 1).await, subject.file(a.id, "y.txt", 1).await);
    // one name is taken where it is put, another one where it was
    let other = subject.file(root, "x.txt", 1).await;
    for id in [x.id, y.id] {
        subject.trash(id).await;
    }
    let taker = subject.file(a.id, "y.txt", 1).await;
    subject.trash(a.id).await;
    for (id, name) in [(x.id, "x (2).txt"), (y.id, "y.txt")] {
        assert_eq!(subject.restore(id).await.name.as_str(), name);
    }
    subject.restore(a.id).await;
    assert_eq!(subject.place(x.id).await, (a.id, "x.txt".to_owned()), "it has its own name again");
    assert_eq!(subject.place(y.id).await, (a.id, "y (2).txt".to_owned()));
    assert_eq!(subject.place(taker.id).await, (a.id, "y.txt".to_owned()));
    assert_eq!(subject.place(other.id).await, (root, "x.txt".to_owned()));
    assert_eq!(subject.store.find_child(a.id, &named("x.txt")).await.unwrap().unwrap().id, x.id);
}

pub async fn what_returns_leaves_names_to_what_comes_back(subject: &FilesSubject) {
    let root = subject.root();
    let a = subject.folder(root, "a").await;
    let mut trashed = Vec::new();
    for (parent, name) in [(a.id, "x.txt"), (root, "x.txt"), (root, "x (2).txt")] {
        let file = subject.file(parent, name, 1).await;
        trashed.push(file.id);
    }
    let tree = subject.tree().await;
    for id in trashed.iter().copied().chain([a.id]) {
        subject.trash(id).await;
    }
    for (id, name) in trashed.iter().zip(["x (3).txt", "x.txt", "x (2).txt"]) {
        assert_eq!(subject.restore(*id).await.name.as_str(), name);
    }
    subject.restore(a.id).await;
    assert_eq!(subject.tree().await, tree);
}

pub async fn what_was_moved_or_trashed_meanwhile_does_not_return(subject: &FilesSubject) {
    let root = subject.root();
    let (a, b) = (subject.folder(root, "a").await, subject.folder(root, "b").await);
    let mut nodes = Vec::new();
    for name in ["moved", "there and back", "trashed", "trashed and back", "returns"] {
        let file = subject.file(a.id, name, 1).await;
        subject.trash(file.id).await;
        nodes.push(file);
    }
    let [moved, back, trashed, restored, returns] = &nodes[..] else { unreachable!() };
    subject.trash(a.id).await;
    for node in &nodes {
        assert_eq!(subject.restore(node.id).await.parent, Some(root));
    }
    for (node, target) in [(moved, b.id), (back, b.id), (back, root)] {
        subject.move_to(node, target).await.unwrap();
    }
    for node in [trashed, restored] {
        subject.trash(node.id).await;
    }
    subject.restore(restored.id).await;
    // what changes nothing is no move
    subject.move_to(returns, root).await.unwrap();
    subject.restore(a.id).await;
    assert_eq!(subject.names(a.id).await, ["returns"]);
    assert_eq!(subject.names(b.id).await, ["moved"]);
    assert_eq!(subject.names(root).await, ["a", "b", "there and back", "trashed and back"]);
    assert_eq!(subject.restore(trashed.id).await.parent, Some(root));
}

pub async fn what_was_renamed_meanwhile_returns_under_its_new_name(subject: &FilesSubject) {
    let root = subject.root();
    let a = subject.folder(root, "a").await;
    subject.file(root, "x", 1).await;
    let x = subject.file(a.id, "x", 1).await;
    subject.trash(x.id).await;
    subject.trash(a.id).await;
    assert_eq!(subject.restore(x.id).await.name.as_str(), "x (2)");
    subject.store.relocate(x.id, None, &named("z"), root, subject.now()).await.unwrap();
    subject.restore(a.id).await;
    assert_eq!(subject.place(x.id).await, (a.id, "z".to_owned()));
}

pub async fn what_lies_in_the_trash_itself_returns_when_it_is_back(subject: &FilesSubject) {
    let top = subject.folder(subject.root(), "top").await;
    let a = subject.folder(top.id, "a").await;
    let x = subject.file(a.id, "x", 1).await;
    let tree = subject.tree().await;
    for id in [x.id, a.id] {
        subject.trash(id).await;
    }
    assert_eq!(subject.restore(x.id).await.parent, Some(top.id));
    subject.trash(top.id).await;
    assert_eq!(subject.restore(a.id).await.parent, Some(subject.root()));
    assert_eq!(subject.place(x.id).await.0, top.id, "it comes not out of the trash with another one");
    subject.restore(top.id).await;
    assert_eq!(subject.tree().await, tree);
}

pub async fn a_folder_does_not_return_into_itself(subject: &FilesSubject) {
    let root = subject.root();
    let outer = subject.folder(root, "outer").await;
    let inner = subject.folder(outer.id, "inner").await;
    let x = subject.folder(inner.id, "x").await;
    for id in [x.id, inner.id, outer.id] {
        subject.trash(id).await;
    }
    for id in [x.id, outer.id] {
        assert_eq!(subject.restore(id).await.parent, Some(root));
    }
    subject.move_to(&outer, x.id).await.unwrap();
    assert_eq!(subject.restore(inner.id).await.parent, Some(outer.id));
    assert_eq!(subject.place(x.id).await.0, root, "the folder that it was in lies in it");
    let paths: Vec<String> = subject.tree().await.into_keys().collect();
    assert_eq!(paths, ["/x", "/x/outer", "/x/outer/inner"]);
}

pub async fn nothing_returns_deeper_than_the_limit(subject: &FilesSubject) {
    let root = subject.root();
    let a = subject.folder(root, "a").await;
    let b = subject.folder(a.id, "b").await;
    let x = subject.folder(b.id, "x").await;
    for id in [x.id, b.id] {
        subject.trash(id).await;
    }
    assert_eq!(subject.restore(x.id).await.parent, Some(a.id));
    let mut lowest = x.id;
    for level in 3..=MAX_DEPTH {
        lowest = subject.folder(lowest, &format!("{level}")).await.id;
    }
    subject.restore(b.id).await;
    assert_eq!(subject.place(x.id).await.0, a.id);
    let path = subject.store.find_path(lowest).await.unwrap().unwrap();
    assert_eq!(path.depth(), MAX_DEPTH);
}

pub async fn nothing_returns_to_what_is_gone(subject: &FilesSubject) {
    let root = subject.root();
    let a = subject.folder(root, "a").await;
    let b = subject.folder(a.id, "b").await;
    let (x, y) = (subject.file(b.id, "x", 1).await, subject.file(b.id, "y", 1).await);
    for id in [x.id, y.id, a.id] {
        subject.trash(id).await;
    }
    for id in [x.id, y.id] {
        subject.restore(id).await;
    }
    subject.delete(b.id).await;
    subject.delete(y.id).await;
    assert_eq!(subject.restore(a.id).await.child_count, 0);
    assert_eq!(subject.names(root).await, ["a", "x"]);
    assert_eq!(subject.node(y.id).await, None);
}

pub async fn more_than_one_commit_takes_return(subject: &FilesSubject) {
    let many = u64::from(RETURNING_AT_ONCE) * 2 + 5;
    let a = subject.folder(subject.root(), "a").await;
    let mut files = Vec::new();
    for number in 0..many {
        files.push(subject.file(a.id, &format!("{number}"), 1).await.id);
    }
    let tree = subject.tree().await;
    for file in &files {
        subject.trash(*file).await;
    }
    subject.trash(a.id).await;
    for file in &files {
        subject.restore(*file).await;
    }
    let restored = subject.restore(a.id).await;
    assert_eq!((restored.child_count, restored.name.as_str()), (many, "a"));
    assert_eq!(subject.node(a.id).await, Some(restored));
    assert_eq!(subject.tree().await, tree);
}

pub async fn what_returns_is_told_as_moved_by_who_restored(subject: &AccessSubject) {
    let files = &subject.files;
    let root = files.root();
    let a = files.folder(root, "a").await;
    let x = files.file(a.id, "x", 1).await;
    files.file(root, "x", 1).await;
    for id in [x.id, a.id] {
        subject.do_act(id, Act::Trash).await;
    }
    subject.do_act(x.id, Act::Restore).await;
    subject.do_act(a.id, Act::Restore).await;
    let told = subject.told().await;
    let [.., put, restored, returned] = &told[..] else { panic!("{told:?}") };
    let place = |name: &str, parent| NamedPlace { name: name.to_owned(), parent: Some(parent) };
    assert_eq!((put.kind, put.node), (FileEventKind::Restored, x.id));
    assert_eq!((&put.place, &put.before), (&place("x (2)", root), &Some(place("x", a.id))));
    assert_eq!((restored.kind, restored.node), (FileEventKind::Restored, a.id));
    assert_eq!((returned.kind, returned.node), (FileEventKind::Moved, x.id));
    assert_eq!((&returned.place, &returned.before), (&place("x", a.id), &Some(place("x (2)", root))));
    assert_eq!((returned.user, returned.at), (Some(files.user), files.now()));
}

pub async fn an_undone_trashing_returns_with_the_folder(subject: &AccessSubject) {
    let files = &subject.files;
    let root = files.root();
    let a = files.folder(root, "a").await;
    let x = files.file(a.id, "x", 1).await;
    let tree = files.tree().await;
    let ids = [x.id, a.id];
    let operations = [subject.operation(), subject.operation()];
    for (id, operation) in ids.into_iter().zip(operations) {
        subject.act(id, &Act::Trash, &subject.note(operation, 0)).await;
    }
    for (id, done) in ids.into_iter().zip(operations) {
        let part = subject.journal.list_parts(done).await.unwrap().remove(0);
        let operation = subject.operation();
        let note = common::files::Note { undoes: Some(done), ..subject.note(operation, 0) };
        let acted = subject.journal.act(id, Some(part.change.after), &part.change.undo, &note).await.unwrap();
        assert!(acted.noted);
        if id == x.id {
            assert_eq!(acted.node.parent, Some(root));
        } else {
            assert_eq!(acted.node.child_count, 1, "the answer counts what has returned");
        }
        assert_eq!(subject.journal.list_parts(operation).await.unwrap().len(), 1);
    }
    assert_eq!(files.tree().await, tree);
}
