//! What every [`ActivityStore`](common::files::ActivityStore) promises.

use std::time::Duration;

use common::files::FileEventKind::{
    Created, Deleted, Linked, Moved, Renamed, Restored, Shared, Tagged, Trashed, Unlinked, Unshared, Updated,
};
use common::files::{
    Act, ActivityOf, Commit, CommitTarget, FileEvent, FileEventKind, Grantee, LinkRole, NamedPlace,
    NewFolder, Note, ShareRole, Tag,
};
use common::{FileId, IdGen as _, LinkId, OperationId, ShareId, SpaceId};
use futures_util::future::join_all;

use super::{AccessSubject, named};

impl AccessSubject {
    pub(super) async fn told(&self) -> Vec<FileEvent> {
        let page = self.activity.events_after(self.files.space.id, 0, 1000).await.unwrap();
        assert!(!page.gap);
        assert_eq!(
            page.events.iter().map(|event| event.seq).collect::<Vec<_>>(),
            Vec::from_iter(1..=page.last)
        );
        let given = self.activity.last_events(&[self.files.space.id]).await.unwrap();
        assert_eq!(given, [page.last]);
        page.events
    }

    pub(super) async fn do_act(&self, node: FileId, act: Act) {
        self.files.clock.advance(Duration::from_secs(1));
        let operation = OperationId(self.files.ids.object_id());
        let (user, at) = (self.files.user, self.files.now());
        let note = Note { operation, part: 0, user, within: None, undoes: None, undone_part: 0, at };
        self.journal.act(node, None, &act, &note).await.unwrap();
    }

    /// The history of something, which is the same in pages of one.
    async fn history(&self, of: ActivityOf) -> Vec<FileEvent> {
        let all = self.activity.list_activity(of, None, 1000).await.unwrap();
        let mut paged: Vec<FileEvent> = Vec::new();
        loop {
            let before = paged.last().map(|event| event.seq);
            match self.activity.list_activity(of, before, 1).await.unwrap().pop() {
                Some(event) => paged.push(event),
                None => break,
            }
        }
        assert_eq!(paged, all);
        all
    }
}

fn kinds(events: &[FileEvent]) -> Vec<FileEventKind> {
    events.iter().map(|event| event.kind).collect()
}

pub async fn each_change_of_a_node_is_told_in_its_order(subject: &AccessSubject) {
    let files = &subject.files;
    let (root, by) = (files.root(), files.user);
    assert_eq!(subject.told().await, []);
    let folder = files.folder(root, "f").await;
    let via = Some(LinkId(files.ids.object_id()));
    let dropped = Commit { via, ..files.upload(root, "a", 5) };
    let file = files.commit(&dropped).await.unwrap().node;
    files.commit(&files.update(file.id, 7, 5)).await.unwrap();
    let relocate = |name: &str, parent| Act::Relocate { name: named(name), parent };
    subject.do_act(file.id, relocate("b", root)).await;
    subject.do_act(file.id, relocate("c", folder.id)).await;
    subject.do_act(file.id, Act::Tag(vec![Tag::parse("x").unwrap()])).await;
    subject.do_act(file.id, Act::Trash).await;
    subject.do_act(file.id, Act::Restore).await;
    let ann = subject.user();
    let share = subject.share(file.id, Grantee::User(ann), ShareRole::Viewer).await;
    subject.shares.remove_share(share.id, Some(ann), files.now()).await.unwrap();
    let link = subject.links.create_link(&subject.new_link(file.id, LinkRole::Viewer)).await.unwrap();
    subject.links.remove_link(link.id, None, files.now()).await.unwrap();
    files.store.set_public(file.id, true, by, files.now()).await.unwrap();
    files.store.set_public(file.id, false, by, files.now()).await.unwrap();
    files.trash(file.id).await;
    files.delete(file.id).await;
    let (_, copy) = subject.begin(folder.id, root, "copy").await;
    let open = NewFolder { public: true, ..files.new_folder(root, "open folder") };
    files.store.create_folder(&open).await.unwrap();
    let mut open = files.upload(root, "open file", 5);
    if let CommitTarget::New(file) = &mut open.target {
        file.public = true;
    }
    files.commit(&open).await.unwrap();

    let told = subject.told().await;
    let of_file = [
        Created, Updated, Renamed, Moved, Tagged, Trashed, Restored, Shared, Unshared, Linked, Unlinked,
        Linked, Unlinked, Trashed, Deleted,
    ];
    let open_from_the_start = [Created, Linked, Created, Linked];
    assert_eq!(kinds(&told), [&[Created], &of_file[..], &[Created], &open_from_the_start].concat());
    assert_eq!(told.iter().filter(|event| event.node == file.id).count(), of_file.len());
    let place = |name: &str, parent| NamedPlace { name: name.to_owned(), parent: Some(parent) };
    let made = FileEvent {
        space: files.space.id,
        seq: 1,
        at: folder.created_at,
        kind: Created,
        node: folder.id,
        folder: true,
        place: place("f", root),
        before: None,
        user: Some(by),
        link: None,
    };
    assert_eq!(told[0], made);
    assert_eq!((told[1].user, told[1].link, told[1].folder), (Some(by), via, false));
    assert_eq!((&told[3].place, &told[3].before), (&place("b", root), &Some(place("a", root))));
    assert_eq!((&told[4].place, &told[4].before), (&place("c", folder.id), &Some(place("b", root))));
    assert_eq!(told[4].at, told[3].at + Duration::from_secs(1));
    assert_eq!((&told[5].place, &told[5].before), (&place("c", folder.id), &None));
    assert_eq!((told[9].user, told[11].user), (Some(ann), None));
    assert_eq!((&told[15].place, told[15].user), (&place("c", folder.id), Some(by)));
    assert_eq!(told[16].node, copy.id);

    let newest_first: Vec<FileEvent> = told.iter().rev().cloned().collect();
    assert_eq!(subject.history(ActivityOf::Space(files.space.id)).await, newest_first);
    let of_one: Vec<FileEvent> = newest_first.into_iter().filter(|event| event.node == file.id).collect();
    assert_eq!(subject.history(ActivityOf::Node(file.id)).await, of_one);
    assert_eq!(subject.history(ActivityOf::Node(files.ids.next())).await, []);
    let page = subject.activity.events_after(files.space.id, 3, 2).await.unwrap();
    assert_eq!((&page.events[..], page.last, page.gap), (&told[3..5], 5, false));
    let page = subject.activity.events_after(files.space.id, 21, 2).await.unwrap();
    assert_eq!((&page.events[..], page.last, page.gap), (&[][..], 21, false));
}

pub async fn what_changes_nothing_or_fails_is_not_told(subject: &AccessSubject) {
    let files = &subject.files;
    let root = files.root();
    let file = files.file(root, "a", 5).await;
    let other = files.file(root, "b", 5).await;
    let ann = Grantee::User(subject.user());
    let share = subject.share(file.id, ann, ShareRole::Viewer).await;
    let told = subject.told().await;
    files.commit(&files.upload(root, "a", 5)).await.unwrap_err();
    files.store.create_folder(&files.new_folder(root, "a")).await.unwrap_err();
    files.store.delete(other.id, Some(other.revision + 1), None, files.now(), &[]).await.unwrap_err();
    files.store.set_public(file.id, false, files.user, files.now()).await.unwrap();
    subject.do_act(file.id, Act::Relocate { name: named("a"), parent: root }).await;
    subject.do_act(file.id, Act::Tag(Vec::new())).await;
    // a star is a thing of whoever set it
    subject.do_act(file.id, Act::Star(Some(files.now()))).await;
    let (again, made) =
        subject.shares.put_share(&subject.new_share(file.id, ann, ShareRole::Editor)).await.unwrap();
    assert_eq!((again.id, made), (share.id, false));
    subject.shares.remove_share(ShareId(files.ids.object_id()), None, files.now()).await.unwrap();
    assert_eq!(subject.told().await, told);
}

pub async fn events_made_at_once_have_places_in_turn(subject: &AccessSubject) {
    const MAKERS: usize = 8;
    const EACH: usize = 5;
    let files = &subject.files;
    let space = files.space.id;
    let makers = join_all((0..MAKERS).map(|maker| async move {
        for n in 0..EACH {
            let new = NewFolder { rename_if_taken: true, ..files.new_folder(files.root(), "f") };
            match n % 2 {
                0 => drop(files.store.create_folder(&new).await.unwrap()),
                _ => drop(files.file(files.root(), &format!("{maker} {n}"), 3).await),
            }
        }
    }));
    // whoever reads meanwhile misses none
    let reader = async {
        let (mut seen, mut at) = (Vec::new(), 0);
        while seen.len() < MAKERS * EACH {
            let page = subject.activity.events_after(space, at, 3).await.unwrap();
            assert!(!page.gap);
            at = page.last;
            seen.extend(page.events.into_iter().map(|event| event.seq));
            tokio::task::yield_now().await;
        }
        seen
    };
    let (_, seen) = tokio::join!(makers, reader);
    assert_eq!(seen, Vec::from_iter(1..=(MAKERS * EACH) as u64));
    assert_eq!(subject.told().await.len(), MAKERS * EACH);
    // the numbers of each space are its own
    let (bob, fresh) = (subject.user(), (SpaceId(files.ids.object_id()), files.ids.next()));
    assert_eq!(files.store.find_space_of(bob).await.unwrap(), None);
    let theirs = files.store.ensure_space(bob, fresh, None, files.now()).await.unwrap();
    assert_eq!(files.store.find_space_of(bob).await.unwrap(), Some(theirs.clone()));
    files.folder(theirs.root, "f").await;
    let unknown = SpaceId(files.ids.object_id());
    let lasts = subject.activity.last_events(&[theirs.id, unknown, space]).await.unwrap();
    assert_eq!(lasts, [1, 0, (MAKERS * EACH) as u64]);
}

pub async fn events_are_forgotten_in_time_and_numbers_go_on(subject: &AccessSubject) {
    let files = &subject.files;
    let space = files.space.id;
    for name in ["a", "b", "c"] {
        files.folder(files.root(), name).await;
        files.clock.advance(Duration::from_secs(10));
    }
    let before = files.now() - Duration::from_secs(15);
    assert_eq!(subject.activity.sweep_activity(before, 1).await.unwrap(), 1);
    assert_eq!(subject.activity.sweep_activity(before, 10).await.unwrap(), 1);
    assert_eq!(subject.activity.sweep_activity(before, 10).await.unwrap(), 0);
    let after = async |seq| subject.activity.events_after(space, seq, 10).await.unwrap();
    let seqs = |events: &[FileEvent]| events.iter().map(|event| event.seq).collect::<Vec<_>>();
    for (seq, gap) in [(0, true), (1, true), (2, false)] {
        let page = after(seq).await;
        assert_eq!((seqs(&page.events), page.last, page.gap), (vec![3], 3, gap), "{seq}");
    }
    assert_eq!(subject.activity.forget_activity(space, 10).await.unwrap(), 1);
    assert_eq!(subject.activity.forget_activity(space, 10).await.unwrap(), 0);
    let page = after(1).await;
    assert_eq!((page.events.len(), page.last, page.gap), (0, 3, true));
    assert!(!after(3).await.gap);
    // a place of another store
    assert!(after(7).await.gap);
    files.folder(files.root(), "d").await;
    assert_eq!(seqs(&after(3).await.events), [4]);
    assert_eq!(seqs(&subject.history(ActivityOf::Space(space)).await), [4]);
}
