//! Pages from anywhere in a list that changes, beside the whole list.

use std::sync::Arc;
use std::time::Duration;

use common::files::{Commit, FileStore as _, ListQuery, Node, NodeName};
use common::{Clock as _, PortError, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use testkit::file_store::FilesSubject;

use super::super::{FilesDb, list};
use super::*;
use crate::engine::{Abort, Durability, OpenOptions, Tx};

struct Scene {
    db: Arc<FilesDb>,
    subject: FilesSubject,
    folders: [FileId; 2],
    /// Remembers each third entry.
    places: Arc<Places>,
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let db = Arc::new(FilesDb::open(folder.path().join("files.db"), &OpenOptions::default()).unwrap());
    let subject = FilesSubject::new(Arc::clone(&db), folder).await;
    let (one, other) =
        (subject.folder(subject.root(), "one").await, subject.folder(subject.root(), "other").await);
    Scene { db, subject, folders: [one.id, other.id], places: Arc::new(Places::every(3)) }
}

impl Scene {
    async fn page(&self, folder: FileId, query: &ListQuery) -> Vec<Node> {
        let (query, places) = (query.clone(), Arc::clone(&self.places));
        let work = move |connection: &Connection| list::children(connection, &places, folder, &query);
        self.db.read_one_state(work).await.unwrap().items
    }

    async fn page_by_id(&self, folder: FileId, offset: u64, limit: u32) -> Vec<Node> {
        let places = Arc::clone(&self.places);
        let work =
            move |connection: &Connection| list::children_by_id(connection, &places, folder, offset, limit);
        self.db.read_one_state(work).await.unwrap()
    }

    /// One change of what lies in the two folders, or below one of them.
    async fn change(&self, random: &mut StdRng, nodes: &mut Vec<Node>, number: u64) {
        let subject = &self.subject;
        if random.random_bool(0.7) {
            subject.clock.advance(Duration::from_millis(1));
        }
        let folder = *self.folders.choose(random).unwrap();
        if nodes.len() < 30 || random.random_bool(0.3) {
            let name = format!("{} {number}", random.random_range(0..50));
            nodes.push(if random.random_bool(0.3) {
                subject.folder(folder, &name).await
            } else {
                subject.file(folder, &name, random.random_range(1..9)).await
            });
            return;
        }
        let at = random.random_range(0..nodes.len());
        let node = nodes[at].clone();
        let now = subject.clock.now();
        match random.random_range(0..6) {
            0 => {
                self.db.trash(node.id, None, subject.user, now).await.unwrap();
                if random.random_bool(0.5) {
                    self.db.restore(node.id, now).await.unwrap();
                } else {
                    nodes.remove(at);
                }
            }
            1 => {
                self.db.delete(node.id, None, None, now, &[]).await.unwrap();
                nodes.remove(at);
            }
            2 if node.kind == Kind::File => {
                let update: Commit = subject.update(node.id, random.random_range(1..9), 3);
                nodes[at] = subject.commit(&update).await.unwrap().node;
            }
            // another list
            3 if node.kind == Kind::Folder => {
                subject.file(node.id, &format!("within {number}"), 1).await;
            }
            _ => {
                let name = NodeName::parse(&format!("{} anew {number}", random.random_range(0..50))).unwrap();
                nodes[at] = self.db.relocate(node.id, None, &name, folder, now).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_page_from_anywhere_is_of_the_list_as_it_is_now() {
    for seed in 0..3 {
        let (mut random, scene) = (StdRng::seed_from_u64(seed), scene().await);
        let mut nodes = Vec::new();
        for number in 0..250 {
            scene.change(&mut random, &mut nodes, number).await;
            for folder in scene.folders {
                let sort =
                    *[Sort::Name, Sort::Size, Sort::ModifiedAt, Sort::Type].choose(&mut random).unwrap();
                let order = *[Order::Asc, Order::Desc].choose(&mut random).unwrap();
                let kind = *[None, None, Some(Kind::File), Some(Kind::Folder)].choose(&mut random).unwrap();
                let folders_first = random.random_bool(0.5);
                let all = ListQuery { sort, order, folders_first, kind, after: None, offset: 0, limit: 1000 };
                let (expected, by_id) =
                    (scene.page(folder, &all).await, scene.page_by_id(folder, 0, 1000).await);
                for _ in 0..4 {
                    let (offset, limit) = (random.random_range(0..40), random.random_range(1..10));
                    let part = |all: &[Node]| -> Vec<Node> {
                        all.iter().skip(offset as usize).take(limit as usize).cloned().collect()
                    };
                    let found = scene.page(folder, &ListQuery { offset, limit, ..all.clone() }).await;
                    assert_eq!(found, part(&expected), "seed {seed}, {number}: {offset} of {all:?}");
                    let found = scene.page_by_id(folder, offset, limit).await;
                    assert_eq!(found, part(&by_id), "seed {seed}, {number}: {offset} by id");
                }
            }
        }
        let lists = scene.places.lock();
        assert!(lists.known.values().any(|known| known.keys.len() > 3), "nothing was remembered");
    }
}

#[test]
fn the_lists_that_were_not_used_for_longest_are_forgotten() {
    let mut lists = Lists::default();
    let list = |number: u8| (FileId::from_bytes([number; 12]), Line::ById);
    let key = vec![Value::Integer(1)];
    for number in 0..u8::try_from(LISTS).unwrap() {
        lists.nearest(list(number), 1, 1);
        lists.add(list(number), 1, 5, &key);
    }
    assert_eq!(lists.nearest(list(0), 1, 7), Some(Ok((5, Some(key.clone())))));
    assert_eq!(lists.nearest(list(0), 1, 4), Some(Ok((0, None))));
    lists.nearest(list(200), 1, 1);
    lists.add(list(200), 1, 5, &key);
    assert_eq!(lists.known.len(), LISTS);
    assert!(lists.nearest(list(0), 1, 5).is_some() && lists.nearest(list(1), 1, 5).is_none());

    // one that is longer than all may be leaves nothing but itself, and then nothing
    for entries in 0..KEYS as u64 {
        lists.nearest(list(201), 1, 1);
        lists.add(list(201), 1, entries, &key);
    }
    assert_eq!(lists.known.keys().collect::<Vec<_>>(), [&list(201)]);
    lists.add(list(201), 1, KEYS as u64, &key);
    assert!(lists.known.is_empty());
}

#[test]
fn a_reader_that_sees_an_earlier_state_changes_nothing() {
    let mut lists = Lists::default();
    let list = (FileId::from_bytes([1; 12]), Line::ById);
    let (old, new) = (vec![Value::Integer(1)], vec![Value::Integer(2)]);
    lists.add(list, 2, 5, &new);
    lists.add(list, 1, 5, &old);
    assert_eq!(lists.nearest(list, 1, 5), None);
    assert_eq!(lists.nearest(list, 2, 5), Some(Ok((5, Some(new)))));
}

/// Each column that a list is sorted by or chosen by, and no other.
#[tokio::test]
async fn each_change_of_what_a_folder_lists_is_counted() {
    let scene = scene().await;
    let ([one, other], file) = (scene.folders, scene.subject.file(scene.folders[0], "file", 1).await.id);
    let changes = async |change: &'static str| {
        let work = move |tx: &Tx<'_>| {
            let count = |folder: FileId| -> i64 {
                let select = "SELECT coalesce((SELECT changes FROM listings WHERE folder = ?1), 0)";
                tx.query_row(select, [folder.bytes()], |row| row.get(0)).unwrap()
            };
            let before = [one, other].map(count);
            let changed =
                tx.execute(change, rusqlite::named_params! {":id": file.bytes(), ":other": other.bytes()});
            assert_eq!(changed.unwrap(), 1, "{change}");
            let after = [one, other].map(count);
            Ok::<_, Abort<PortError>>([after[0] - before[0], after[1] - before[1]])
        };
        scene.db.engine.write(Durability::Relaxed, work).await.unwrap()
    };
    for column in [
        "sort_key = 'b'",
        "size = 7",
        "modified_at = 7",
        "mime = 'a/b'",
        "kind = 0",
        "kind = 1",
        "live = 0",
        "live = 1",
    ] {
        let change = format!("UPDATE nodes SET {column} WHERE id = :id AND :other IS NOT NULL").leak();
        assert_eq!(changes(change).await, [1, 0], "{column}");
        assert_eq!(changes(change).await, [0, 0], "{column} again");
    }
    for column in ["revision = revision + 1", "tags = ''", "folder_count = 3", "classic_name = 'c'"] {
        let change = format!("UPDATE nodes SET {column} WHERE id = :id AND :other IS NOT NULL").leak();
        assert_eq!(changes(change).await, [0, 0], "{column}");
    }
    assert_eq!(changes("UPDATE nodes SET parent = :other WHERE id = :id").await, [1, 1]);
}

#[tokio::test]
async fn nothing_is_counted_of_a_folder_that_has_gone() {
    let scene = scene().await;
    let (folder, now) = (scene.folders[0], scene.subject.clock.now());
    scene.subject.file(folder, "file", 1).await;
    let counted = async || {
        let work = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM listings", [], |row| row.get(0))
        };
        scene.db.read_one_state::<i64>(work).await.unwrap()
    };
    // that of the root besides
    assert_eq!(counted().await, 2);
    scene.db.delete(folder, None, None, now, &[]).await.unwrap();
    while !scene.db.purge(folder, 10, now, Timestamp::MAX).await.unwrap().done {}
    assert_eq!(counted().await, 1);
}
