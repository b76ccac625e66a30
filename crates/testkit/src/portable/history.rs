use common::Code;
use common::files::{
    Act, ActivityStore, Change, ChangeKind, CopyFront, CopyOperation, CopyState, CopyStore, FileEvent,
    FileEventKind, JournalStore, NamedPlace, Operation, Part,
};
use common::portable::{PortableFiles, PortableFront, PortablePart};

use super::{at, id};

fn event(space: u8, seq: u64, seconds: i64) -> FileEvent {
    let is_rich = seq == 2;
    FileEvent {
        space: id(space),
        seq,
        at: at(seconds),
        kind: if is_rich { FileEventKind::Moved } else { FileEventKind::Linked },
        node: id(12),
        folder: !is_rich,
        place: NamedPlace { name: "Näme".to_owned(), parent: is_rich.then(|| id(11)) },
        before: is_rich.then(|| NamedPlace { name: "before".to_owned(), parent: Some(id(10)) }),
        user: is_rich.then(|| id(1)),
        link: (!is_rich).then(|| id(2)),
    }
}

/// What happened, what can be undone, and copies.
pub(super) async fn history<S>(store: &S)
where
    S: PortableFiles + ActivityStore + JournalStore + CopyStore,
{
    there_and_back!(
        store,
        vec![event(100, 1, 50), event(100, 2, 51), event(101, 1, 3)],
        keep_events,
        |after| store.page_events(after, 2),
        |kept| (kept.space, kept.seq)
    );
    assert_eq!(store.last_events(&[id(100), id(101)]).await.unwrap(), [2, 0], "spaces say what comes next");
    assert_eq!(
        store.sweep_activity(at(10), 1).await.unwrap(),
        1,
        "the oldest goes first, wherever it came in"
    );

    let operation = |number: u8| Operation {
        id: id(number),
        user: id(1),
        within: (number == 1).then(|| id(11)),
        at: at(1),
        undoes: (number == 2).then(|| id(1)),
        kind: (number != 3).then_some(ChangeKind::Tag),
        node: id(12),
        parts: number.into(),
        undone: u64::from(number == 1),
    };
    there_and_back!(
        store,
        (1..=3).map(operation).collect::<Vec<_>>(),
        keep_operations,
        |after| store.page_operations(after, 2),
        |kept| kept.id
    );
    let part = |number: u8| PortablePart {
        operation: id(1 + number % 2),
        part: Part {
            number: u32::from(number / 2),
            node: id(12),
            change: Change { kind: ChangeKind::Trash, undo: Act::Restore, before: 2, after: 3 },
            undone_by: (number == 0).then(|| id(2)),
        },
    };
    there_and_back!(
        store,
        (0..=4).map(part).collect::<Vec<_>>(),
        keep_parts,
        |after| store.page_parts(after, 2),
        |kept| (kept.operation, kept.part.number)
    );
    assert_eq!(store.find_operation(id(1)).await.unwrap(), Some(operation(1)));
    assert_eq!(store.list_parts(id(1)).await.unwrap().len(), 3);

    let copy = |number: u8| CopyOperation {
        id: id(number),
        user: id(1),
        within: (number == 1).then(|| id(11)),
        source: id(11),
        root: id(if number == 3 { 99 } else { 13 }),
        state: [CopyState::Running, CopyState::Done, CopyState::Failed(Code::Internal)]
            [usize::from(number) - 1],
        nodes: 2,
        bytes: 3,
        at: at(1),
        ended_at: (number != 1).then_some(at(2)),
    };
    there_and_back!(
        store,
        (1..=3).map(copy).collect::<Vec<_>>(),
        keep_copies,
        |after| store.page_copies(after, 2),
        |kept| kept.id
    );
    let front = |number: u8| PortableFront {
        copy: id(1),
        front: CopyFront { source: id(11), target: id(number), after: (number == 14).then(|| id(12)) },
    };
    there_and_back!(
        store,
        (13..=15).map(front).collect::<Vec<_>>(),
        keep_fronts,
        |after| store.page_fronts(after, 2),
        |kept| (kept.copy, kept.front.target)
    );
    assert!(store.copy_front(id(1)).await.unwrap().is_some(), "it goes on");
}
