//! What every [`VersionStore`](common::files::VersionStore) promises, and contents that are shared.

use std::time::Duration;

use common::files::{Commit, KeepVersions, NewContent, Node, NodeError, RecountPlace};
use common::{FileId, IdGen as _, Timestamp};

use super::AccessSubject;

const HOUR: Duration = Duration::from_secs(3600);
const KEEP_ALL: KeepVersions = KeepVersions { count: u32::MAX, replaced_since: Timestamp::MIN };

impl AccessSubject {
    /// A file that had contents of these sizes, an hour each.
    async fn with_versions(&self, name: &str, sizes: &[usize]) -> Node {
        let [first, rest @ ..] = sizes else { panic!("a file has a content") };
        let mut node = self.files.file(self.files.root(), name, *first).await;
        for size in rest {
            self.files.clock.advance(HOUR);
            node = self.files.commit(&self.files.update(node.id, *size, 50)).await.unwrap().node;
        }
        node
    }

    /// Numbers and sizes, as listed.
    async fn listed_versions(&self, file: FileId) -> Vec<(u32, u64)> {
        let all = self.versions.list_versions(file, None, 1000).await.unwrap();
        let mut paged = Vec::new();
        let mut before = None;
        while let [next] = &self.versions.list_versions(file, before, 1).await.unwrap()[..] {
            before = Some(next.content.version);
            assert_eq!(
                self.versions.find_version(file, next.content.version).await.unwrap().as_ref(),
                Some(next)
            );
            paged.push(next.clone());
        }
        assert_eq!(paged, all);
        all.iter().map(|version| (version.content.version, version.content.size)).collect()
    }

    /// Gives up what need not be kept, by steps through all files; how many, and their bytes.
    async fn prune(&self, keep: KeepVersions, limit: u32) -> (u32, u64) {
        let (mut after, mut removed, mut freed) = (None, 0, 0);
        loop {
            let step = self.versions.prune_versions(after, keep, limit, self.files.now()).await.unwrap();
            removed += step.removed;
            freed += step.freed_bytes;
            if step.next.is_none() {
                return (removed, freed);
            }
            assert!(step.next > after, "a step goes on behind the one before");
            after = step.next;
        }
    }

    /// Counting finds nothing wrong.
    pub(super) async fn counts_are_right(&self) {
        let mut place = RecountPlace::START;
        loop {
            let step = self.files.store.recount(place, self.files.now()).await.unwrap();
            assert_eq!(step.found, []);
            match step.next {
                Some(next) => place = next,
                None => return,
            }
        }
    }
}

/// Brings a content to a file that has one, without its bytes.
fn share(subject: &AccessSubject, content: NewContent, target: FileId) -> Commit {
    Commit { content, ..subject.files.update(target, 0, 50) }
}

pub async fn versions_are_listed_newest_first_with_their_contents(subject: &AccessSubject) {
    let files = &subject.files;
    let start = files.now();
    let file = subject.with_versions("a", &[1, 2, 3]).await;
    assert_eq!(subject.listed_versions(file.id).await, [(3, 3), (2, 2), (1, 1)]);
    let all = subject.versions.list_versions(file.id, None, 10).await.unwrap();
    assert_eq!(Some(&all[0].content), file.content.as_ref());
    assert_eq!(
        all.iter().map(|version| version.at).collect::<Vec<_>>(),
        [start + 2 * HOUR, start + HOUR, start]
    );
    assert!(all.iter().all(|version| version.by == files.user));
    let bytes = files.store.read_inline(all[2].content.blob).await.unwrap().unwrap();
    assert_eq!((bytes.len(), common::Sha256::of(&bytes)), (1, all[2].content.sha256));
    let folder = files.folder(files.root(), "f").await;
    for none in [folder.id, FileId(files.ids.object_id())] {
        assert_eq!(subject.listed_versions(none).await, []);
    }
    for number in [0, 4, u32::MAX] {
        assert_eq!(subject.versions.find_version(file.id, number).await.unwrap(), None);
    }
    files.delete(file.id).await;
    assert_eq!(subject.listed_versions(file.id).await, []);
}

pub async fn an_old_version_comes_back_as_a_new_one_that_shares_its_bytes(subject: &AccessSubject) {
    let files = &subject.files;
    let file = subject.with_versions("a", &[10, 20]).await;
    let old = subject.versions.find_version(file.id, 1).await.unwrap().unwrap().content;
    // exactly so much is free
    files.store.set_quota(files.space.id, Some(39)).await.unwrap();
    let restore = share(subject, NewContent::shared(&old), file.id);
    let full = files.commit(&restore).await;
    assert!(matches!(full, Err(NodeError::OverQuota)), "{full:?}");
    subject.counts_are_right().await;
    files.store.set_quota(files.space.id, Some(40)).await.unwrap();
    let restored = files.commit(&restore).await.unwrap().node;
    let content = restored.content.unwrap();
    assert_eq!((content.version, content.blob, content.sha256), (3, old.blob, old.sha256));
    assert_eq!(files.usage().await.used_bytes, 40);
    assert_eq!(subject.listed_versions(file.id).await, [(3, 10), (2, 20), (1, 10)]);
    // its bytes stay as long as one of both is there
    assert!(subject.versions.delete_version(file.id, 1, files.now()).await.unwrap());
    assert!(files.store.find_blob(old.blob).await.unwrap().is_some());
    assert_eq!(files.usage().await.used_bytes, 30);
    subject.counts_are_right().await;
    // what is given up in the same commit can still be shared
    let last = Commit {
        target: common::files::CommitTarget::Existing { id: file.id, revision: None, keep_versions: 0 },
        ..share(subject, NewContent::shared(&content), file.id)
    };
    files.commit(&last).await.unwrap();
    assert_eq!(files.usage().await.used_bytes, 10);
    assert!(files.store.find_blob(old.blob).await.unwrap().is_some());
    subject.counts_are_right().await;
    files.delete(file.id).await;
    files.purged(file.id).await;
    assert!(files.store.find_blob(old.blob).await.unwrap().is_none());
    let gone = files.file(files.root(), "b", 1).await;
    let gone = files.commit(&share(subject, NewContent::shared(&old), gone.id)).await;
    assert!(matches!(gone, Err(NodeError::ContentGone)), "{gone:?}");
    subject.counts_are_right().await;
}

pub async fn old_versions_are_deleted_and_the_content_is_not(subject: &AccessSubject) {
    let files = &subject.files;
    let file = subject.with_versions("a", &[1, 2, 4]).await;
    let delete = async |number| subject.versions.delete_version(file.id, number, files.now()).await;
    assert!(delete(1).await.unwrap());
    assert!(!delete(1).await.unwrap());
    assert!(!delete(9).await.unwrap());
    let current = delete(3).await;
    assert!(matches!(current, Err(NodeError::Changed)), "{current:?}");
    assert_eq!(subject.listed_versions(file.id).await, [(3, 4), (2, 2)]);
    assert_eq!(files.usage().await.used_bytes, 6);
    subject.counts_are_right().await;
    let folder = subject.versions.delete_version(files.root(), 1, files.now()).await;
    assert!(matches!(folder, Err(NodeError::NotAFile)), "{folder:?}");
    files.trash(file.id).await;
    let trashed = delete(2).await;
    assert!(matches!(trashed, Err(NodeError::NotFound)), "{trashed:?}");
}

pub async fn old_versions_are_given_up_by_number_and_age(subject: &AccessSubject) {
    let files = &subject.files;
    let many = subject.with_versions("many", &[1, 1, 1, 1, 1]).await;
    let young = subject.with_versions("young", &[8, 8]).await;
    let prune = async |keep, limit| subject.prune(keep, limit).await;
    assert_eq!(prune(KEEP_ALL, 1).await, (0, 0));
    // the oldest of them was the content until so long ago, however long it had been that
    let now = files.now();
    let since = KeepVersions { replaced_since: now - 3 * HOUR, ..KEEP_ALL };
    assert_eq!(prune(since, 1).await, (1, 1));
    assert_eq!(subject.listed_versions(many.id).await, [(5, 1), (4, 1), (3, 1), (2, 1)]);
    assert_eq!(prune(KeepVersions { count: 1, ..KEEP_ALL }, 100).await, (2, 2));
    assert_eq!(subject.listed_versions(many.id).await, [(5, 1), (4, 1)]);
    assert_eq!(subject.listed_versions(young.id).await, [(2, 8), (1, 8)]);
    assert_eq!(files.usage().await.used_bytes, 18);
    // what is in the trash has versions, too
    files.trash(young.id).await;
    assert_eq!(prune(KeepVersions { count: 0, ..KEEP_ALL }, 1).await, (2, 9));
    assert_eq!(files.usage().await.used_bytes, 9);
    assert_eq!(prune(KeepVersions { count: 0, ..KEEP_ALL }, 1).await, (0, 0));
    subject.counts_are_right().await;
}

pub async fn one_file_with_many_versions_keeps_none_of_the_others(subject: &AccessSubject) {
    let mut all = Vec::new();
    for (name, versions) in [("a", 2), ("b", 1), ("c", 24), ("d", 6), ("e", 3), ("f", 1), ("g", 7)] {
        all.push((subject.with_versions(name, &vec![1; versions]).await.id, versions as u32));
    }
    let kept = async || {
        let mut kept = Vec::new();
        for (file, _) in &all {
            kept.push(subject.versions.list_versions(*file, None, 1000).await.unwrap().len() as u32);
        }
        kept
    };
    let mut expected: Vec<u32> = all.iter().map(|(_, versions)| *versions).collect();
    for (count, limit) in [(20, 1), (19, 2), (10, 1), (5, 3), (4, 1), (2, 100), (1, 2), (0, 1)] {
        assert_eq!(subject.prune(KEEP_ALL, limit).await, (0, 0));
        assert_eq!(kept().await, expected);
        // beside the content that it has
        let most = count + 1;
        let beyond: u32 = expected.iter().map(|versions| versions.saturating_sub(most)).sum();
        let pruned = subject.prune(KeepVersions { count, ..KEEP_ALL }, limit).await;
        assert_eq!(pruned, (beyond, u64::from(beyond)), "{count} by {limit}");
        expected.iter_mut().for_each(|versions| *versions = most.min(*versions));
        assert_eq!(kept().await, expected, "{count} by {limit}");
    }
    subject.counts_are_right().await;
}
