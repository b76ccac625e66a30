//! What every [`CopyStore`](common::files::CopyStore) promises.

use std::time::Duration;

use common::files::{CopyItem, CopyState, Kind, MAX_DEPTH, NewCopy, NewFolder, Node, NodeError, Tag};
use common::{Code, FileId, IdGen as _, OperationId, Timestamp};
use futures_util::future::join_all;

use super::{AccessSubject, FilesSubject, named};

impl AccessSubject {
    fn new_copy(&self, source: FileId, parent: FileId, name: &str) -> NewCopy {
        NewCopy {
            id: OperationId(self.files.ids.object_id()),
            source,
            folder: self.files.new_folder(parent, name),
            tags: Vec::new(),
            within: None,
            jobs: Vec::new(),
        }
    }

    pub(super) async fn begin(&self, source: FileId, parent: FileId, name: &str) -> (OperationId, Node) {
        let copy = self.new_copy(source, parent, name);
        self.files.clock.advance(Duration::from_millis(1));
        (copy.id, self.copies.begin_copy(&copy).await.expect("it can be begun"))
    }

    /// Does one page of so many; whether there was one to do.
    async fn step(&self, id: OperationId, limit: u32) -> Result<bool, NodeError> {
        let Some(front) = self.copies.copy_front(id).await? else { return Ok(false) };
        let Some(copy) = self.copies.find_copy(id).await? else { return Ok(false) };
        let nodes = self.copies.list_to_copy(&copy, &front, limit).await?;
        let more = nodes.len() == limit as usize;
        let items: Vec<CopyItem> = nodes
            .into_iter()
            .map(|source| CopyItem { id: self.files.ids.next(), source, jobs: Vec::new() })
            .collect();
        // somebody else may have done it meanwhile: there is something to do then, too
        self.copies.copy_page(id, &front, &items, more, self.files.now()).await?;
        Ok(true)
    }

    async fn finish(&self, id: OperationId, limit: u32) {
        while self.step(id, limit).await.expect("it can be copied") {}
        self.copies.end_copy(id, CopyState::Done, self.files.now()).await.unwrap();
    }
}

/// All that is below a folder: paths, sizes, digests.
async fn tree(files: &FilesSubject, folder: FileId) -> Vec<(String, Option<u64>)> {
    let (mut found, mut folders) = (Vec::new(), vec![(String::new(), folder)]);
    while let Some((way, folder)) = folders.pop() {
        let children = files.store.list_children_by_id(folder, 0, 1000).await.unwrap();
        let counted = files.node(folder).await.unwrap().child_count;
        assert_eq!(counted, children.len() as u64, "the counter is exact");
        for child in children {
            let way = format!("{way}/{}", child.name);
            if child.content.is_none() {
                folders.push((way.clone(), child.id));
            }
            found.push((way, child.content.map(|content| content.size)));
        }
    }
    found.sort();
    found
}

async fn sample(files: &FilesSubject) -> Node {
    let top = files.folder(files.root(), "top").await;
    let (a, b) = (files.folder(top.id, "a").await, files.folder(top.id, "b").await);
    let deep = files.folder(a.id, "deep").await;
    for (folder, names) in [(&top, 5), (&a, 4), (&deep, 3)] {
        for name in 0..names {
            files.file(folder.id, &format!("{name}.txt"), 10 + name).await;
        }
    }
    files.trash(files.file(b.id, "trashed", 1000).await.id).await;
    top
}

pub async fn a_folder_is_copied_in_steps_and_shares_its_contents(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let before = files.usage().await;
    let (expected, file) = (tree(files, top.id).await, files.file(files.root(), "x", 1).await);
    for (number, limit) in [1, 2, 1000].into_iter().enumerate() {
        let name = format!("copy {number}");
        let (id, made) = subject.begin(top.id, files.root(), &name).await;
        assert_eq!((made.name.as_str(), made.child_count), (name.as_str(), 0));
        assert_eq!(subject.copies.find_copy(id).await.unwrap().unwrap().state, CopyState::Running);
        subject.finish(id, limit).await;
        assert_eq!(tree(files, made.id).await, expected);
        let copy = subject.copies.find_copy(id).await.unwrap().unwrap();
        let bytes = expected.iter().filter_map(|(_, size)| *size).sum::<u64>();
        assert_eq!((copy.state, copy.nodes, copy.bytes), (CopyState::Done, expected.len() as u64 + 1, bytes));
        assert_eq!((copy.root, copy.source, copy.user), (made.id, top.id, files.user));
        assert_eq!(copy.ended_at, Some(files.now()));
    }
    let used = files.usage().await.used_bytes;
    let tree_bytes = expected.iter().filter_map(|(_, size)| *size).sum::<u64>();
    assert_eq!(used, before.used_bytes + 1 + 3 * tree_bytes);
    subject.counts_are_right().await;
    // a copy has its own identity, and the time of its content
    let one = files.store.list_children_by_id(top.id, 0, 1000).await.unwrap();
    let one = one.into_iter().find(|node| node.name.as_str() == "0.txt").unwrap();
    let parent = files.store.find_child(files.root(), &named("copy 0")).await.unwrap().unwrap();
    let copied = files.store.find_child(parent.id, &one.name).await.unwrap().unwrap();
    assert_ne!(copied.id, one.id);
    assert!(copied.created_at > one.created_at);
    let (copied, one) = (copied.content.unwrap(), one.content.unwrap());
    assert_eq!((copied.blob, copied.modified_at, copied.version), (one.blob, one.modified_at, 1));
    // the bytes go with the last of them
    files.delete(top.id).await;
    files.purged(top.id).await;
    assert!(files.store.find_blob(one.blob).await.unwrap().is_some());
    subject.counts_are_right().await;
    drop(file);
}

pub async fn a_folder_is_measured_before_it_is_copied(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let is_larger =
        async |folder: FileId, than: u64| subject.copies.is_larger_than(folder, than).await.unwrap();
    let child = async |name: &str| files.store.find_child(top.id, &named(name)).await.unwrap().unwrap().id;
    // on all levels, without the folder itself and what is in the trash
    let below = tree(files, top.id).await.len() as u64;
    assert_eq!(below, 15);
    for (than, expected) in [(0, true), (6, true), (7, true), (14, true), (15, false), (u64::MAX, false)] {
        assert_eq!(is_larger(top.id, than).await, expected, "more than {than}");
    }
    let (inner, empty, file) = (child("a").await, child("b").await, child("0.txt").await);
    assert!(is_larger(inner, 7).await && !is_larger(inner, 8).await);
    for nothing in [empty, file, files.ids.next()] {
        assert!(!is_larger(nothing, 0).await);
    }
    files.trash(inner).await;
    assert!(!is_larger(inner, 0).await);
    assert!(is_larger(top.id, 5).await && !is_larger(top.id, 6).await);
}

pub async fn a_copy_is_begun_only_where_it_can_be(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let inner = files.store.find_child(top.id, &named("a")).await.unwrap().unwrap();
    let file = files.store.find_child(top.id, &named("0.txt")).await.unwrap().unwrap();
    let begin = async |source, parent, name: &str| {
        subject.copies.begin_copy(&subject.new_copy(source, parent, name)).await
    };
    for parent in [top.id, inner.id] {
        let into_itself = begin(top.id, parent, "new").await;
        assert!(matches!(into_itself, Err(NodeError::Cycle)), "{into_itself:?}");
    }
    let taken = begin(inner.id, files.root(), "top").await;
    assert!(matches!(taken, Err(NodeError::NameTaken { existing }) if existing == top.id), "{taken:?}");
    let into_file = begin(inner.id, file.id, "new").await;
    assert!(matches!(into_file, Err(NodeError::ParentNotFolder)), "{into_file:?}");
    let renamed = NewCopy {
        folder: NewFolder { rename_if_taken: true, ..files.new_folder(files.root(), "top") },
        tags: vec![Tag::parse("Kept").unwrap()],
        ..subject.new_copy(inner.id, files.root(), "unused")
    };
    let made = subject.copies.begin_copy(&renamed).await.unwrap();
    assert_eq!((made.name.as_str(), &made.tags), ("top (2)", &renamed.tags));
    let tagged = subject.marks.list_tagged(files.space.id, &Tag::parse("kept").unwrap(), None, 10).await;
    assert_eq!(tagged.unwrap(), [made.id]);
    // by search too, at once
    assert_eq!(subject.ids("kept").await, [made.id]);
    assert_eq!(subject.ids("top kep").await, [made.id]);
    assert_eq!(subject.search.index(None, 1000).await.unwrap().indexed, 0);
    files.trash(top.id).await;
    let trashed = begin(inner.id, files.root(), "new").await;
    assert!(matches!(trashed, Err(NodeError::NotFound)), "{trashed:?}");
    let into_trash = begin(made.id, inner.id, "new").await;
    assert!(matches!(into_trash, Err(NodeError::ParentGone)), "{into_trash:?}");
}

pub async fn a_copy_ends_although_it_is_moved_into_what_is_copied(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let expected = tree(files, top.id).await;
    let (id, made) = subject.begin(top.id, files.root(), "copy").await;
    subject.step(id, 2).await.unwrap();
    files.move_to(&made, top.id).await.unwrap();
    subject.finish(id, 2).await;
    assert_eq!(tree(files, made.id).await, expected);
    subject.counts_are_right().await;
}

pub async fn a_copy_leaves_nothing_out_though_clocks_differ(subject: &AccessSubject) {
    let files = &subject.files;
    let top = files.folder(files.root(), "top").await;
    files.file(top.id, "file", 10).await;
    let folder = files.folder(top.id, "folder").await;
    files.file(folder.id, "below", 5).await;
    let expected = tree(files, top.id).await;
    // it is begun by a process whose clock is an hour behind that of the one that made them
    let mut copy = subject.new_copy(top.id, files.root(), "copy");
    copy.folder.at = Timestamp::from_millis(files.now().millis() - 3_600_000);
    let made = subject.copies.begin_copy(&copy).await.unwrap();
    subject.finish(copy.id, 1).await;
    assert_eq!(tree(files, made.id).await, expected);
}

pub async fn a_copy_does_not_copy_folders_that_it_made(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let (first, second) = (files.folder(files.root(), "1").await, files.folder(files.root(), "2").await);
    files.move_to(&top, first.id).await.unwrap();
    let nodes = tree(files, top.id).await.len() as u64 + 1;
    // parts of it are moved to where it has yet to come
    let (id, made) = subject.begin(top.id, files.root(), "copy").await;
    let mut moved = 0;
    while subject.step(id, 2).await.expect("it can be copied") {
        for child in files.store.list_children_by_id(made.id, 0, 1000).await.unwrap() {
            if child.kind == Kind::Folder {
                let name = named(&format!("moved {moved}"));
                files.store.relocate(child.id, None, &name, top.id, files.now()).await.unwrap();
                moved += 1;
            }
        }
    }
    subject.copies.end_copy(id, CopyState::Done, files.now()).await.unwrap();
    assert_eq!((moved, subject.copies.find_copy(id).await.unwrap().unwrap().nodes), (2, nodes));
    // two that are made into one another end, too
    let (one, _) = subject.begin(first.id, second.id, "one").await;
    let (other, _) = subject.begin(second.id, first.id, "other").await;
    let mut steps = 0;
    loop {
        let done = [subject.step(one, 2).await.unwrap(), subject.step(other, 2).await.unwrap()];
        if done == [false, false] {
            break;
        }
        steps += 1;
        assert!(steps < 200, "they copy one another");
    }
    subject.counts_are_right().await;
    // once it has ended, what it made is copied like anything else
    for id in [one, other] {
        subject.copies.end_copy(id, CopyState::Done, files.now()).await.unwrap();
    }
    let expected = tree(files, first.id).await;
    let (id, made) = subject.begin(first.id, files.root(), "all").await;
    subject.finish(id, 100).await;
    assert_eq!(tree(files, made.id).await, expected);
}

pub async fn a_copy_stops_at_the_quota_and_at_the_depth(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let used = files.usage().await.used_bytes;
    files.store.set_quota(files.space.id, Some(used + 40)).await.unwrap();
    let (id, made) = subject.begin(top.id, files.root(), "copy").await;
    let mut result = Ok(true);
    while let Ok(true) = result {
        result = subject.step(id, 2).await;
    }
    assert!(matches!(result, Err(NodeError::OverQuota)), "{result:?}");
    let done = subject.copies.find_copy(id).await.unwrap().unwrap();
    assert!(done.bytes <= 40);
    assert_eq!(files.usage().await.used_bytes, used + done.bytes, "a page is charged whole or not at all");
    let failed = CopyState::Failed(Code::QuotaExceeded);
    assert!(subject.copies.end_copy(id, failed, files.now()).await.unwrap());
    assert!(!subject.copies.end_copy(id, CopyState::Done, files.now()).await.unwrap());
    assert_eq!(subject.copies.find_copy(id).await.unwrap().unwrap().state, failed);
    assert_eq!(subject.copies.copy_front(id).await.unwrap(), None);
    subject.counts_are_right().await;
    files.store.set_quota(files.space.id, None).await.unwrap();

    let mut bottom = files.root();
    for depth in 1..MAX_DEPTH - 1 {
        bottom = files.folder(bottom, &depth.to_string()).await.id;
    }
    let (id, _) = subject.begin(top.id, bottom, "copy").await;
    let mut result = Ok(true);
    while let Ok(true) = result {
        result = subject.step(id, 100).await;
    }
    assert!(matches!(result, Err(NodeError::TooDeep)), "{result:?}");
    subject.counts_are_right().await;
    // where it goes to is gone
    let (id, made_again) = subject.begin(top.id, files.root(), "again").await;
    files.trash(made_again.id).await;
    let result = subject.step(id, 100).await;
    assert!(matches!(result, Err(NodeError::ParentGone)), "{result:?}");
    drop(made);
}

pub async fn several_who_work_at_one_copy_do_each_part_once(subject: &AccessSubject) {
    let files = &subject.files;
    let top = sample(files).await;
    let expected = tree(files, top.id).await;
    let (id, made) = subject.begin(top.id, files.root(), "copy").await;
    let workers = (0..6).map(|_| async { while subject.step(id, 2).await.expect("it can be copied") {} });
    join_all(workers).await;
    assert!(subject.copies.end_copy(id, CopyState::Done, files.now()).await.unwrap());
    assert_eq!(tree(files, made.id).await, expected);
    assert_eq!(subject.copies.find_copy(id).await.unwrap().unwrap().nodes, expected.len() as u64 + 1);
    subject.counts_are_right().await;
}

pub async fn copies_that_ended_are_forgotten_in_time(subject: &AccessSubject) {
    let files = &subject.files;
    let top = files.folder(files.root(), "top").await;
    let (ended, _) = subject.begin(top.id, files.root(), "copy").await;
    subject.finish(ended, 10).await;
    let (running, _) = subject.begin(top.id, files.root(), "other").await;
    assert_eq!(subject.copies.sweep_copies(files.now(), 10).await.unwrap(), 1);
    assert_eq!(subject.copies.sweep_copies(Timestamp::MAX, 10).await.unwrap(), 0);
    assert_eq!(subject.copies.find_copy(ended).await.unwrap(), None);
    assert!(subject.copies.find_copy(running).await.unwrap().is_some());
    assert_eq!(subject.copies.find_copy(OperationId(files.ids.object_id())).await.unwrap(), None);
}
