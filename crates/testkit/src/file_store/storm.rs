use std::collections::BTreeSet;
use std::time::Duration;

use common::files::{CollectOutcome, Commit, CommitTarget, Kind, NewFolder, Node, NodeError, Order, Sort};
use common::{BlobKey, FileId, ReservationId, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Mutex;

use super::{FilesSubject, named, query};

/// Who change one tree at once, and how often each.
const CALLERS: u64 = 8;
const CHANGES: usize = 25;

/// What the callers know of the tree: what any of them has made, gone or not.
struct Storm<'s> {
    subject: &'s FilesSubject,
    nodes: Mutex<Vec<FileId>>,
    tombstones: Mutex<Vec<FileId>>,
    blobs: Mutex<Vec<BlobKey>>,
}

/// Many callers change one tree at the same time, in every way that there is. Afterwards all counters are what counting gives, and when all is deleted,
/// purged and collected, nothing is left.
pub async fn counters_are_exact_after_a_storm(subject: &FilesSubject) {
    let storm = Storm {
        subject,
        nodes: Mutex::new(vec![subject.root()]),
        tombstones: Mutex::default(),
        blobs: Mutex::default(),
    };
    let callers = (0..CALLERS).map(|seed| {
        let (storm, mut random) = (&storm, StdRng::seed_from_u64(seed));
        async move {
            for _ in 0..CHANGES {
                storm.change(&mut random).await;
            }
        }
    });
    futures_util::future::join_all(callers).await;
    storm.purge_all().await;
    storm.compare().await;
    storm.nothing_is_left_after_deletion().await;
}

impl Storm<'_> {
    async fn pick(&self, random: &mut StdRng) -> FileId {
        *self.nodes.lock().await.choose(random).unwrap()
    }

    async fn change(&self, random: &mut StdRng) {
        let (subject, now) = (self.subject, self.subject.now());
        let (id, target) = (self.pick(random).await, self.pick(random).await);
        let name = named(&format!("n{}", random.random_range(0..5)));
        match random.random_range(0..12) {
            0..=2 => {
                let new = NewFolder { rename_if_taken: true, ..subject.new_folder(target, name.as_str()) };
                self.made(subject.store.create_folder(&new).await).await;
            }
            3..=5 => self.upload(target, name.as_str(), random).await,
            6 => {
                let update = subject.update(id, random.random_range(0..50), random.random_range(0..3));
                self.blobs.lock().await.push(update.content.blob.key);
                expected(subject.commit(&update).await);
            }
            7..=8 => drop(expected(subject.store.relocate(id, None, &name, target, now).await)),
            9 => drop(expected(subject.store.trash(id, None, subject.user, now).await)),
            10 => drop(expected(subject.store.restore(id, now).await)),
            _ => {
                if expected(subject.store.delete(id, None, None, now, &[]).await).is_some() {
                    self.tombstones.lock().await.push(id);
                    subject.store.purge(id, 3, now, Timestamp::MIN).await.unwrap();
                }
            }
        }
    }

    async fn upload(&self, parent: FileId, name: &str, random: &mut StdRng) {
        let subject = self.subject;
        let size = random.random_range(0..50);
        let mut commit = subject.upload(parent, name, size);
        if let CommitTarget::New(file) = &mut commit.target {
            file.rename_if_taken = random.random_bool(0.5);
        }
        let id: ReservationId = subject.ids.next();
        if random.random_bool(0.5) {
            let until = subject.now() + Duration::from_secs(60);
            subject.store.reserve(subject.space.id, id, size as u64, until).await.unwrap();
            commit.reservation = Some(id);
        }
        self.blobs.lock().await.push(commit.content.blob.key);
        let made = subject.commit(&commit).await.map(|committed| committed.node);
        if made.is_err() {
            subject.store.release(id).await.unwrap();
        }
        self.made(made).await;
    }

    async fn made(&self, result: Result<Node, NodeError>) {
        if let Some(node) = expected(result) {
            self.nodes.lock().await.push(node.id);
        }
    }

    async fn purge_all(&self) {
        self.subject.clock.advance(Duration::from_millis(1));
        for tombstone in self.tombstones.lock().await.iter() {
            let now = self.subject.now();
            while !self.subject.store.purge(*tombstone, 10, now, now).await.unwrap().done {}
        }
        assert!(self.subject.store.list_tombstones(Timestamp::MAX, 10).await.unwrap().is_empty());
    }

    /// Counts again by what callers see.
    async fn compare(&self) {
        let subject = self.subject;
        let (mut nodes, mut trashed, mut bytes, mut blobs) = (0, 0, 0, BTreeSet::new());
        let mut children = std::collections::BTreeMap::<FileId, BTreeSet<FileId>>::new();
        let mut folders = Vec::new();
        for id in self.nodes.lock().await.iter() {
            let Some(path) = subject.store.find_path(*id).await.unwrap() else { continue };
            nodes += 1;
            trashed += u64::from(path.node.trashed.is_some());
            if let (Some(parent), None) = (path.node.parent, path.node.trashed) {
                children.entry(parent).or_default().insert(*id);
            }
            if let Some(content) = &path.node.content {
                bytes += content.size;
                blobs.insert(content.blob);
            }
            if path.node.kind == Kind::Folder {
                folders.push(path.node);
            }
        }
        for folder in folders {
            let expected = children.remove(&folder.id).unwrap_or_default();
            assert_eq!(folder.child_count, expected.len() as u64);
            let page =
                subject.store.list_children(folder.id, &query(Sort::Name, Order::Asc, 1000)).await.unwrap();
            assert_eq!(page.items.iter().map(|node| node.id).collect::<BTreeSet<_>>(), expected);
            let names: BTreeSet<_> = page.items.iter().map(|node| node.name.as_str()).collect();
            assert_eq!(names.len(), expected.len(), "live names are unique");
        }
        assert!(children.is_empty(), "whatever is there lies in a folder that is there");
        let usage = subject.usage().await;
        assert_eq!((usage.node_count, usage.trash_count, usage.reserved_bytes), (nodes - 1, trashed, 0));
        assert!(usage.used_bytes >= bytes, "old versions come on top");
        assert_eq!(subject.store.count_nodes().await.unwrap(), nodes - 1);
        for blob in blobs {
            assert!(subject.store.find_blob(blob).await.unwrap().is_some(), "what is named is not condemned");
        }
    }

    async fn nothing_is_left_after_deletion(&self) {
        let subject = self.subject;
        for node in self.nodes.lock().await.iter().filter(|node| **node != subject.root()) {
            if expected(subject.store.delete(*node, None, None, subject.now(), &[]).await).is_some() {
                self.tombstones.lock().await.push(*node);
            }
        }
        self.purge_all().await;
        let usage = subject.usage().await;
        assert_eq!((usage.used_bytes, usage.reserved_bytes), (0, 0));
        assert_eq!((usage.node_count, usage.trash_count), (0, 0));
        assert_eq!(subject.store.count_nodes().await.unwrap(), 0);
        assert_eq!(subject.node(subject.root()).await.unwrap().child_count, 0);
        subject.clock.advance(Duration::from_secs(1));
        let blobs = self.blobs.lock().await;
        for blob in subject.store.known_blobs(&blobs).await.unwrap() {
            let now = subject.now();
            assert_eq!(subject.store.collect_blob(blob, now, now).await.unwrap(), CollectOutcome::Removed);
        }
        assert!(subject.store.known_blobs(&blobs).await.unwrap().is_empty());
    }
}

/// What came of a change. It may be refused by any rule, as the tree is another than the caller saw; the store itself does not fail.
fn expected<T>(result: Result<T, NodeError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(NodeError::Port(error)) => panic!("{error:?}"),
        Err(NodeError::OverQuota) => panic!("there is no quota"),
        Err(_) => None,
    }
}

/// An upload that races with the deletion of its folder shares its fate or comes too late: after purge and collection nothing of it is left.
pub async fn an_upload_that_races_with_a_deletion_leaks_nothing(subject: &FilesSubject) {
    for round in 0..8 {
        let top = subject.folder(subject.root(), &format!("round {round}")).await;
        let inner = subject.folder(top.id, "inner").await;
        let file = subject.file(inner.id, "file", 3).await;
        let uploads: Vec<Commit> = vec![
            subject.upload(inner.id, "one", 5),
            subject.upload(top.id, "two", 7),
            subject.update(file.id, 11, 1),
        ];
        let committed = futures_util::future::join_all(uploads.iter().map(|commit| subject.commit(commit)));
        let (results, ()) = tokio::join!(committed, subject.delete(top.id));
        for result in results {
            assert!(
                matches!(result, Ok(_) | Err(NodeError::ParentGone | NodeError::NotFound)),
                "round {round}: {result:?}"
            );
        }
        subject.clock.advance(Duration::from_millis(1));
        let now = subject.now();
        while !subject.store.purge(top.id, 2, now, now).await.unwrap().done {}
        subject.clock.advance(Duration::from_millis(1));
        let mut keys: Vec<BlobKey> = uploads.iter().map(|commit| commit.content.blob.key).collect();
        keys.extend(file.content.map(|content| content.blob));
        for key in subject.store.known_blobs(&keys).await.unwrap() {
            let now = subject.now();
            assert_eq!(subject.store.collect_blob(key, now, now).await.unwrap(), CollectOutcome::Removed);
        }
        assert!(subject.store.known_blobs(&keys).await.unwrap().is_empty());
        assert_eq!((subject.usage().await.used_bytes, subject.usage().await.node_count), (0, 0));
    }
}
