//! What every [`JournalStore`](common::files::JournalStore) promises.

use std::time::Duration;

use common::files::{Act, Acted, Change, ChangeKind, Dated, Node, NodeError, Note, Operation, Part, Tag};
use common::{FileId, IdGen as _, OperationId, Timestamp, UserId};
use futures_util::future::join_all;

use super::{AccessSubject, named};

impl AccessSubject {
    pub(super) fn note(&self, operation: OperationId, part: u32) -> Note {
        let (user, at) = (self.files.user, self.files.now());
        Note { operation, part, user, within: None, undoes: None, undone_part: part, at }
    }

    pub(super) fn operation(&self) -> OperationId {
        OperationId(self.files.ids.object_id())
    }

    pub(super) async fn act(&self, node: FileId, act: &Act, note: &Note) -> Node {
        let acted = self.journal.act(node, None, act, note).await.expect("it can be done");
        assert!(acted.noted);
        acted.node
    }

    async fn operations(&self, user: UserId, within: Option<FileId>) -> Vec<OperationId> {
        let all = self.journal.list_operations(user, within, None, 1000).await.unwrap();
        let all: Vec<OperationId> = all.into_iter().map(|operation| operation.id).collect();
        let mut paged: Vec<OperationId> = Vec::new();
        while let [next] =
            &self.journal.list_operations(user, within, paged.last().copied(), 1).await.unwrap()[..]
        {
            paged.push(next.id);
        }
        assert_eq!(paged, all);
        all
    }
}

fn relocate(name: &str, parent: FileId) -> Act {
    Act::Relocate { name: named(name), parent }
}

fn tags(texts: &[&str]) -> Act {
    Act::Tag(texts.iter().map(|text| Tag::parse(text).unwrap()).collect())
}

pub async fn each_change_is_noted_with_what_brings_it_back(subject: &AccessSubject) {
    let files = &subject.files;
    let (user, root) = (files.user, files.root());
    let folder = files.folder(root, "f").await;
    let file = files.file(root, "a", 5).await;
    let id = subject.operation();
    let began = files.now();
    let starred = Timestamp::from_millis(began.millis() + 7);
    let acts = [
        (relocate("b", root), ChangeKind::Rename, relocate("a", root)),
        (relocate("c", folder.id), ChangeKind::Move, relocate("b", root)),
        (tags(&["x", "Y"]), ChangeKind::Tag, Act::Tag(Vec::new())),
        (tags(&["z"]), ChangeKind::Tag, tags(&["x", "Y"])),
        (Act::Star(Some(starred)), ChangeKind::Star, Act::Unstar(starred)),
        (Act::Star(None), ChangeKind::Star, Act::Star(Some(starred))),
        (Act::Trash, ChangeKind::Trash, Act::Restore),
        (Act::Restore, ChangeKind::Restore, Act::Trash),
    ];
    let mut expected = Vec::new();
    for (number, (act, kind, undo)) in (0..).zip(acts) {
        files.clock.advance(Duration::from_secs(1));
        let before = files.node(file.id).await.unwrap();
        let after = subject.act(file.id, &act, &subject.note(id, number)).await;
        assert_eq!(files.node(file.id).await, Some(after.clone()));
        let change = Change { kind, undo, before: before.revision, after: after.revision };
        assert_eq!(after.revision, before.revision + u64::from(kind != ChangeKind::Star));
        expected.push(Part { number, node: file.id, change, undone_by: None });
        let operation = subject.journal.find_operation(id).await.unwrap().unwrap();
        let all_alike = (number == 0).then_some(ChangeKind::Rename);
        assert_eq!(
            operation,
            Operation {
                id,
                user,
                within: None,
                at: began + Duration::from_secs(1),
                undoes: None,
                kind: all_alike,
                node: file.id,
                parts: u64::from(number) + 1,
                undone: 0,
            }
        );
        if act == Act::Star(Some(starred)) {
            let stars = subject.marks.list_starred(user, None, 10).await.unwrap();
            assert_eq!(stars, [Dated { at: starred, node: file.id }]);
        }
    }
    assert_eq!(subject.journal.list_parts(id).await.unwrap(), expected);
    assert_eq!(files.names(folder.id).await, ["c"]);
    assert_eq!(files.usage().await.trash_count, 0);
    assert_eq!(subject.journal.find_operation(subject.operation()).await.unwrap(), None);
    assert!(subject.journal.list_parts(subject.operation()).await.unwrap().is_empty());
}

pub async fn what_changes_nothing_or_fails_is_not_noted(subject: &AccessSubject) {
    let files = &subject.files;
    let root = files.root();
    let file = files.file(root, "a", 5).await;
    files.file(root, "taken", 5).await;
    let note = subject.note(subject.operation(), 0);
    for act in [relocate("a", root), Act::Tag(Vec::new()), Act::Star(None)] {
        let acted = subject.journal.act(file.id, None, &act, &note).await.unwrap();
        assert_eq!(acted, Acted { node: file.clone(), noted: false }, "{act:?}");
    }
    let seen = Some(file.revision + 1);
    for (act, revision, expected) in [
        (relocate("taken", root), None, "NameTaken"),
        (relocate("b", root), seen, "Changed"),
        (tags(&["x"]), seen, "Changed"),
        (Act::Star(Some(note.at)), seen, "Changed"),
        (Act::Trash, seen, "Changed"),
        (Act::Restore, None, "NotTrashed"),
    ] {
        let error = subject.journal.act(file.id, revision, &act, &note).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{act:?} {error:?}");
    }
    let trashed = files.trash(file.id).await;
    for act in [relocate("b", root), tags(&["x"]), Act::Star(Some(note.at)), Act::Trash] {
        let error = subject.journal.act(file.id, None, &act, &note).await.unwrap_err();
        assert!(matches!(error, NodeError::NotFound), "{act:?} {error:?}");
    }
    let seen = Some(trashed.revision + 1);
    let error = subject.journal.act(file.id, seen, &Act::Restore, &note).await.unwrap_err();
    assert!(matches!(error, NodeError::Changed), "{error:?}");
    files.delete(file.id).await;
    let error = subject.journal.act(file.id, None, &Act::Restore, &note).await.unwrap_err();
    assert!(matches!(error, NodeError::NotFound), "{error:?}");
    let error = subject.journal.act(files.ids.next(), None, &Act::Trash, &note).await.unwrap_err();
    assert!(matches!(error, NodeError::NotFound), "{error:?}");
    assert_eq!(subject.journal.find_operation(note.operation).await.unwrap(), None);
}

pub async fn a_part_is_undone_once_and_undoing_is_an_operation(subject: &AccessSubject) {
    let files = &subject.files;
    let root = files.root();
    let (a, b) = (files.file(root, "a", 5).await, files.file(root, "b", 5).await);
    let done = subject.operation();
    let renamed = subject.act(a.id, &relocate("x", root), &subject.note(done, 0)).await;
    subject.act(b.id, &relocate("y", root), &subject.note(done, 1)).await;
    let undo = subject.operation();
    let undoing = |part| Note { undoes: Some(done), ..subject.note(undo, part) };
    // what fails takes nothing
    let error = subject.journal.act(a.id, Some(1), &relocate("a", root), &undoing(0)).await.unwrap_err();
    assert!(matches!(error, NodeError::Changed), "{error:?}");
    // nor what does not change anything any more
    let error = subject.journal.act(a.id, None, &relocate("x", root), &undoing(0)).await.unwrap_err();
    assert!(matches!(error, NodeError::Changed), "{error:?}");
    let undone = async |id| subject.journal.find_operation(id).await.unwrap().map(|found| found.undone);
    assert_eq!((undone(done).await, undone(undo).await), (Some(0), None));
    let back = subject.journal.act(a.id, Some(renamed.revision), &relocate("a", root), &undoing(0)).await;
    assert_eq!(back.unwrap().node.name.as_str(), "a");
    assert_eq!((undone(done).await, undone(undo).await), (Some(1), Some(0)));
    let error = subject.journal.act(a.id, None, &relocate("other", root), &undoing(0)).await.unwrap_err();
    assert!(matches!(error, NodeError::Changed), "{error:?}");
    // there is no such part
    let error = subject.journal.act(b.id, None, &relocate("b", root), &undoing(2)).await.unwrap_err();
    assert!(matches!(error, NodeError::Changed), "{error:?}");
    let parts = subject.journal.list_parts(done).await.unwrap();
    let by: Vec<_> = parts.iter().map(|part| part.undone_by).collect();
    assert_eq!(by, [Some(undo), None]);
    let operation = subject.journal.find_operation(undo).await.unwrap().unwrap();
    assert_eq!(
        (operation.undoes, operation.parts, operation.kind),
        (Some(done), 1, Some(ChangeKind::Rename))
    );
    // an undo is undone as anything else
    let redo = subject.operation();
    let note = Note { undoes: Some(undo), ..subject.note(redo, 0) };
    assert_eq!(subject.act(a.id, &relocate("x", root), &note).await.name.as_str(), "x");
    assert_eq!((undone(undo).await, undone(done).await), (Some(1), Some(1)));
    assert_eq!(files.names(root).await, ["x", "y"]);
}

pub async fn undoing_a_star_leaves_a_later_one(subject: &AccessSubject) {
    let files = &subject.files;
    let file = files.file(files.root(), "a", 5).await;
    let (first, later) = (files.now(), files.now() + Duration::from_secs(1));
    let done = subject.operation();
    subject.act(file.id, &Act::Star(Some(first)), &subject.note(done, 0)).await;
    for act in [Act::Star(None), Act::Star(Some(later))] {
        subject.act(file.id, &act, &subject.note(subject.operation(), 0)).await;
    }
    let stars = async || subject.marks.list_starred(files.user, None, 10).await.unwrap();
    let undo = Note { undoes: Some(done), ..subject.note(subject.operation(), 0) };
    let error = subject.journal.act(file.id, None, &Act::Unstar(first), &undo).await.unwrap_err();
    assert!(matches!(error, NodeError::Changed), "{error:?}");
    // by itself it changes nothing
    let note = subject.note(subject.operation(), 0);
    assert!(!subject.journal.act(file.id, None, &Act::Unstar(first), &note).await.unwrap().noted);
    assert_eq!(stars().await, [Dated { at: later, node: file.id }]);
    subject.act(file.id, &Act::Unstar(later), &note).await;
    assert!(stars().await.is_empty());
    let parts = subject.journal.list_parts(note.operation).await.unwrap();
    assert_eq!(parts[0].change.undo, Act::Star(Some(later)));
}

pub async fn of_two_undos_at_once_one_succeeds(subject: &AccessSubject) {
    let files = &subject.files;
    let file = files.file(files.root(), "a", 5).await;
    let done = subject.operation();
    subject.act(file.id, &Act::Star(Some(files.now())), &subject.note(done, 0)).await;
    let undos = (0..6).map(|_| async {
        let note = Note { undoes: Some(done), ..subject.note(subject.operation(), 0) };
        subject.journal.act(file.id, None, &Act::Star(None), &note).await
    });
    let results = join_all(undos).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let lost = results.iter().filter(|result| matches!(result, Err(NodeError::Changed)));
    assert_eq!(lost.count(), 5, "{results:?}");
    assert_eq!(subject.journal.find_operation(done).await.unwrap().unwrap().undone, 1);
}

pub async fn operations_are_listed_by_who_did_them_and_forgotten(subject: &AccessSubject) {
    let files = &subject.files;
    let (user, other) = (files.user, subject.user());
    let folder = files.folder(files.root(), "f").await;
    let file = files.file(folder.id, "a", 5).await;
    let mut ids = Vec::new();
    for (number, within) in [(0, None), (1, Some(folder.id)), (2, None)] {
        files.clock.advance(Duration::from_secs(1));
        let id = subject.operation();
        let note = Note { within, ..subject.note(id, 0) };
        subject.act(file.id, &relocate(&format!("a{number}"), folder.id), &note).await;
        ids.push(id);
    }
    let theirs = subject.operation();
    let note = Note { user: other, ..subject.note(theirs, 0) };
    subject.act(file.id, &relocate("theirs", folder.id), &note).await;
    let newest_first: Vec<OperationId> = ids.iter().rev().copied().collect();
    assert_eq!(subject.operations(user, None).await, newest_first);
    assert_eq!(subject.operations(user, Some(folder.id)).await, [ids[1]]);
    assert_eq!(subject.operations(other, None).await, [theirs]);
    assert!(subject.operations(subject.user(), None).await.is_empty());
    // copies are listed in the same way
    let copies = async |within| {
        let found = subject.copies.list_copies(user, within, None, 10).await.unwrap();
        found.into_iter().map(|copy| copy.id).collect::<Vec<_>>()
    };
    assert!(copies(None).await.is_empty());
    let (first, _) = subject.begin(folder.id, files.root(), "copy").await;
    let (second, _) = subject.begin(folder.id, files.root(), "copy 2").await;
    assert_eq!(copies(None).await, [second, first]);
    assert!(copies(Some(folder.id)).await.is_empty());
    let older = subject.copies.list_copies(user, None, Some(second), 10).await.unwrap();
    assert_eq!(older.iter().map(|copy| copy.id).collect::<Vec<_>>(), [first]);

    // those of the last moment stay
    assert_eq!(subject.journal.sweep_operations(note.at, 1).await.unwrap(), 1);
    assert_eq!(subject.journal.sweep_operations(note.at, 10).await.unwrap(), 1);
    assert_eq!(subject.journal.sweep_operations(note.at, 10).await.unwrap(), 0);
    assert_eq!(subject.operations(user, None).await, [ids[2]]);
    assert!(subject.journal.list_parts(ids[0]).await.unwrap().is_empty());
    assert_eq!(subject.journal.list_parts(ids[2]).await.unwrap().len(), 1);
    assert_eq!(subject.journal.forget_operations(user, 10).await.unwrap(), 1);
    assert_eq!(subject.journal.forget_operations(user, 10).await.unwrap(), 0);
    assert!(subject.operations(user, None).await.is_empty());
    assert_eq!(subject.operations(other, None).await, [theirs]);
}
