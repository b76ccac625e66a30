//! What every [`LinkStore`](common::files::LinkStore) promises.

use std::time::Duration;

use common::files::{
    AccessOf, Link, LinkChange, LinkNotice, LinkRole, LinkToken, LinkUse, NewLink, NodeError, TakeDownload,
};
use common::jobs::types;
use common::{FileId, IdGen as _, LinkId, UserId};
use futures_util::future::join_all;

use super::AccessSubject;

impl AccessSubject {
    pub(super) fn new_link(&self, node: FileId, role: LinkRole) -> NewLink {
        NewLink {
            id: LinkId(self.files.ids.object_id()),
            token: LinkToken::from_bytes(*self.files.ids.blob_key().bytes()),
            node,
            role,
            label: "for ann".to_owned(),
            password_hash: None,
            expires_at: None,
            max_downloads: None,
            notify: false,
            by: self.files.user,
            at: self.files.now(),
        }
    }

    async fn link(&self, node: FileId, role: LinkRole) -> Link {
        self.links.create_link(&self.new_link(node, role)).await.unwrap()
    }

    fn used(&self, link: LinkId, file: FileId) -> LinkUse {
        let job = types::link_notice(self.files.ids.next(), link, self.files.user, self.files.now());
        LinkUse { file, job }
    }

    async fn linked(&self, of: AccessOf) -> Vec<LinkId> {
        let all = self.links.list_links(&of, None, 1000).await.unwrap();
        assert_eq!(self.links.count_links(&of).await.unwrap(), all.len() as u64);
        let first = self.links.list_links(&of, None, 1).await.unwrap();
        assert_eq!(first, all[..all.len().min(1)]);
        if let Some(first) = first.first() {
            assert_eq!(self.links.list_links(&of, Some(first.id), 1000).await.unwrap(), all[1..]);
        }
        all.into_iter().map(|link| link.id).collect()
    }
}

pub async fn a_link_is_found_as_it_was_made(subject: &AccessSubject) {
    let file = subject.files.file(subject.files.root(), "a", 3).await;
    let new = NewLink {
        password_hash: Some("$2b$…".to_owned()),
        expires_at: Some(subject.files.now() + Duration::from_secs(60)),
        max_downloads: Some(3),
        ..subject.new_link(file.id, LinkRole::PreviewOnly)
    };
    let link = subject.links.create_link(&new).await.unwrap();
    let expected = Link {
        id: new.id,
        token: new.token,
        node: file.id,
        space: subject.files.space.id,
        owner: subject.files.user,
        role: LinkRole::PreviewOnly,
        label: "for ann".to_owned(),
        password_hash: new.password_hash.clone(),
        expires_at: new.expires_at,
        max_downloads: Some(3),
        notify: false,
        downloads: 0,
        opens: 0,
        last_used_at: None,
        by: subject.files.user,
        at: new.at,
    };
    assert_eq!(link, expected);
    assert_eq!(subject.links.find_link(new.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(subject.links.find_link_by_token(new.token).await.unwrap(), Some(expected));
    assert_eq!(subject.links.find_link_by_token(LinkToken::from_bytes([0; 16])).await.unwrap(), None);
    assert_eq!(subject.links.find_link(LinkId(subject.files.ids.object_id())).await.unwrap(), None);
    let shown = subject.files.node(file.id).await.unwrap();
    assert!(shown.linked && !shown.shared && shown.revision == file.revision);
}

pub async fn only_a_live_node_is_linked(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let inside = subject.files.file(folder.id, "b", 3).await;
    subject.files.trash(folder.id).await;
    for node in [folder.id, inside.id, FileId(subject.files.ids.object_id())] {
        let refused = subject.links.create_link(&subject.new_link(node, LinkRole::Viewer)).await;
        assert!(matches!(refused, Err(NodeError::NotFound)), "{refused:?}");
    }
}

pub async fn a_link_changes_as_asked_and_ends(subject: &AccessSubject) {
    let file = subject.files.file(subject.files.root(), "a", 3).await;
    let link = subject.link(file.id, LinkRole::Viewer).await;
    let change = async |change: LinkChange| subject.links.change_link(link.id, &change).await.unwrap();
    assert_eq!(change(LinkChange::default()).await, Some(link.clone()));
    let end = subject.files.now() + Duration::from_secs(9);
    let full = LinkChange {
        role: Some(LinkRole::Editor),
        label: Some("new".to_owned()),
        password_hash: Some(Some("hash".to_owned())),
        expires_at: Some(Some(end)),
        max_downloads: Some(Some(5)),
        notify: Some(true),
    };
    let changed = Link {
        role: LinkRole::Editor,
        label: "new".to_owned(),
        password_hash: Some("hash".to_owned()),
        expires_at: Some(end),
        max_downloads: Some(5),
        notify: true,
        ..link.clone()
    };
    assert_eq!(change(full).await, Some(changed.clone()));
    let only_label = LinkChange { label: Some("again".to_owned()), ..LinkChange::default() };
    assert_eq!(change(only_label).await, Some(Link { label: "again".to_owned(), ..changed.clone() }));
    let open = LinkChange {
        password_hash: Some(None),
        expires_at: Some(None),
        max_downloads: Some(None),
        notify: Some(false),
        ..LinkChange::default()
    };
    let opened = Link { role: LinkRole::Editor, label: "again".to_owned(), ..link.clone() };
    assert_eq!(change(open).await, Some(opened.clone()));
    assert_eq!(subject.links.find_link_by_token(link.token).await.unwrap(), Some(opened));
    assert!(subject.links.remove_link(link.id, None, subject.files.now()).await.unwrap());
    assert!(!subject.links.remove_link(link.id, None, subject.files.now()).await.unwrap());
    assert_eq!(change(LinkChange::default()).await, None);
    assert_eq!(subject.links.find_link_by_token(link.token).await.unwrap(), None);
    assert!(!subject.files.node(file.id).await.unwrap().linked);
}

pub async fn uses_of_a_link_are_counted(subject: &AccessSubject) {
    let file = subject.files.file(subject.files.root(), "a", 3).await;
    let link = subject.link(file.id, LinkRole::Viewer).await;
    for second in 1..=3 {
        let at = subject.files.now() + Duration::from_secs(second);
        subject.links.count_open(link.id, at).await.unwrap();
    }
    let at = subject.files.now() + Duration::from_secs(4);
    assert_eq!(
        subject.links.take_download(link.id, at, &subject.used(link.id, file.id)).await.unwrap(),
        TakeDownload::Taken
    );
    let counted = Link { opens: 3, downloads: 1, last_used_at: Some(at), ..link.clone() };
    assert_eq!(subject.links.find_link(link.id).await.unwrap(), Some(counted.clone()));
    let at = subject.files.now() + Duration::from_secs(5);
    subject.links.note_drop(link.id, at, &subject.used(link.id, file.id)).await.unwrap();
    let noted = Link { last_used_at: Some(at), ..counted };
    assert_eq!(subject.links.find_link(link.id).await.unwrap(), Some(noted));
    let gone = LinkId(subject.files.ids.object_id());
    subject.links.count_open(gone, at).await.unwrap();
    subject.links.note_drop(gone, at, &subject.used(gone, file.id)).await.unwrap();
    assert_eq!(
        subject.links.take_download(gone, at, &subject.used(gone, file.id)).await.unwrap(),
        TakeDownload::Gone
    );
    assert_eq!(subject.links.find_link(gone).await.unwrap(), None);
}

pub async fn of_fifty_downloads_ten_pass(subject: &AccessSubject) {
    let file = subject.files.file(subject.files.root(), "a", 3).await;
    let new = NewLink { max_downloads: Some(10), ..subject.new_link(file.id, LinkRole::Viewer) };
    let link = subject.links.create_link(&new).await.unwrap();
    let take = async || {
        let used = subject.used(link.id, file.id);
        let takes = (0..50).map(|_| subject.links.take_download(link.id, subject.files.now(), &used));
        let taken = join_all(takes).await.into_iter().map(Result::unwrap);
        taken.filter(|taken| *taken == TakeDownload::Taken).count()
    };
    assert_eq!(take().await, 10);
    assert_eq!(subject.links.find_link(link.id).await.unwrap().unwrap().downloads, 10);
    // the limit counts all times, those that lie behind too
    let more = |max| LinkChange { max_downloads: Some(max), ..LinkChange::default() };
    subject.links.change_link(link.id, &more(Some(15))).await.unwrap();
    assert_eq!(take().await, 5);
    subject.links.change_link(link.id, &more(Some(2))).await.unwrap();
    assert_eq!(take().await, 0);
    subject.links.change_link(link.id, &more(None)).await.unwrap();
    assert_eq!(take().await, 50);
}

pub async fn a_notice_tells_at_once_and_then_of_all_since_once_an_hour(subject: &AccessSubject) {
    let files = &subject.files;
    let folder = files.folder(files.root(), "f").await;
    let file = files.file(folder.id, "a", 3).await;
    let (links, begin) = (&subject.links, files.now());
    let minute = |n: u64| begin + Duration::from_secs(60 * n);
    let take = async |link: &Link, at| {
        let used = subject.used(link.id, file.id);
        assert_eq!(links.take_download(link.id, at, &used).await.unwrap(), TakeDownload::Taken);
        used.job
    };
    let silent = subject.link(folder.id, LinkRole::Editor).await;
    take(&silent, begin).await;
    links.note_drop(silent.id, begin, &subject.used(silent.id, file.id)).await.unwrap();
    assert!(files.outbox_jobs().await.is_empty());

    let new = NewLink { notify: true, ..subject.new_link(folder.id, LinkRole::Editor) };
    let link = links.create_link(&new).await.unwrap();
    assert!(link.notify);
    let first = take(&link, begin).await;
    let jobs = files.outbox_jobs().await;
    assert_eq!((jobs.len(), jobs[0].id, jobs[0].run_at), (1, first.id, Some(begin)));
    let other = take(&link, minute(1)).await;
    assert_eq!(links.open_notice(link.id, other.id).await.unwrap(), None, "another job tells");
    let notice = links.open_notice(link.id, first.id).await.unwrap().unwrap();
    assert_eq!((notice.downloads, notice.drops, notice.file), (2, 0, file.id));
    assert_eq!((notice.link.id, notice.link.downloads), (link.id, 2));
    // what happens while it is told is told next
    let dropped = files.file(folder.id, "b", 3).await;
    links.note_drop(link.id, minute(2), &subject.used(link.id, dropped.id)).await.unwrap();
    let again = links.open_notice(link.id, first.id).await.unwrap().unwrap();
    assert_eq!((again.downloads, again.drops), (2, 0));
    let next = subject.used(link.id, file.id).job;
    for _ in 0..2 {
        links.close_notice(link.id, first.id, &next, minute(3)).await.unwrap();
    }
    assert_eq!(links.open_notice(link.id, first.id).await.unwrap(), None);
    let jobs = files.outbox_jobs().await;
    assert_eq!((jobs.len(), jobs[0].id, jobs[0].run_at), (1, next.id, Some(minute(63))));
    for n in 4..60 {
        take(&link, minute(n)).await;
    }
    assert!(files.outbox_jobs().await.is_empty(), "one is awaited");
    let notice = links.open_notice(link.id, next.id).await.unwrap().unwrap();
    assert_eq!((notice.downloads, notice.drops), (56, 1));
    links.close_notice(link.id, next.id, &subject.used(link.id, file.id).job, minute(64)).await.unwrap();
    assert!(files.outbox_jobs().await.is_empty(), "nothing happened since");
    // an hour after the last one
    let soon = take(&link, minute(65)).await;
    let jobs = files.outbox_jobs().await;
    assert_eq!((jobs.len(), jobs[0].id, jobs[0].run_at), (1, soon.id, Some(minute(124))));
    // one that never comes is not waited for
    let lost = minute(124) + LinkNotice::LOST_AFTER + Duration::from_millis(1);
    let later = take(&link, lost).await;
    let jobs = files.outbox_jobs().await;
    assert_eq!((jobs.len(), jobs[0].id, jobs[0].run_at), (1, later.id, Some(lost)));
    assert_eq!(links.open_notice(link.id, soon.id).await.unwrap(), None);
    assert_eq!(links.open_notice(link.id, later.id).await.unwrap().unwrap().downloads, 2);
    links.remove_link(link.id, None, subject.files.now()).await.unwrap();
    assert_eq!(links.open_notice(link.id, later.id).await.unwrap(), None);
    links.close_notice(link.id, later.id, &next, lost).await.unwrap();
}

pub async fn of_simultaneous_uses_one_makes_the_notice(subject: &AccessSubject) {
    let files = &subject.files;
    let file = files.file(files.root(), "a", 3).await;
    let new = NewLink { notify: true, max_downloads: Some(9), ..subject.new_link(file.id, LinkRole::Viewer) };
    let link = subject.links.create_link(&new).await.unwrap();
    let uses: Vec<LinkUse> = (0..12).map(|_| subject.used(link.id, file.id)).collect();
    let takes = uses.iter().map(|used| subject.links.take_download(link.id, files.now(), used));
    let taken =
        join_all(takes).await.into_iter().filter(|taken| *taken.as_ref().unwrap() == TakeDownload::Taken);
    assert_eq!(taken.count(), 9);
    let jobs = files.outbox_jobs().await;
    assert_eq!(jobs.len(), 1);
    let notice = subject.links.open_notice(link.id, jobs[0].id).await.unwrap().unwrap();
    assert_eq!(notice.downloads, 9);
}

pub async fn links_are_listed_by_who_asks(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let other_owner = UserId(subject.files.ids.object_id());
    let fresh = (subject.files.ids.next(), subject.files.ids.next());
    let other =
        subject.files.store.ensure_space(other_owner, fresh, None, subject.files.now()).await.unwrap();
    let elsewhere = subject.files.folder(other.root, "b").await;
    let first = subject.link(folder.id, LinkRole::Viewer).await.id;
    let second = subject.link(folder.id, LinkRole::Dropper).await.id;
    let third = subject.link(elsewhere.id, LinkRole::Viewer).await.id;
    let space = subject.files.space.id;
    assert_eq!(subject.linked(AccessOf::Node(folder.id)).await, [second, first]);
    assert_eq!(subject.linked(AccessOf::Space(space)).await, [second, first]);
    assert_eq!(subject.linked(AccessOf::Maker(space, subject.files.user)).await, [third, second, first]);
    assert_eq!(subject.linked(AccessOf::Maker(other.id, other_owner)).await, [third]);
    assert_eq!(subject.linked(AccessOf::Node(subject.files.root())).await, []);
}

pub async fn links_go_with_their_node(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let file = subject.files.file(folder.id, "b", 3).await;
    let links =
        [subject.link(folder.id, LinkRole::Viewer).await, subject.link(file.id, LinkRole::Viewer).await];
    subject.files.delete(folder.id).await;
    subject.files.purged(folder.id).await;
    // the tombstone itself goes a day later
    assert_eq!(subject.links.find_link_by_token(links[1].token).await.unwrap(), None);
    let later = subject.files.now() + Duration::from_secs(2 * 24 * 3600);
    subject.files.store.purge(folder.id, 100, later, later).await.unwrap();
    assert_eq!(subject.links.find_link_by_token(links[0].token).await.unwrap(), None);
    assert_eq!(subject.linked(AccessOf::Space(subject.files.space.id)).await, []);
}

pub async fn what_is_public_is_listed(subject: &AccessSubject) {
    let space = subject.files.space.id;
    let mut open = Vec::new();
    for name in ["a", "b", "c"] {
        let file = subject.files.file(subject.files.root(), name, 3).await;
        let (by, at) = (subject.files.user, subject.files.now());
        open.push(subject.files.store.set_public(file.id, true, by, at).await.unwrap());
    }
    subject.files.file(subject.files.root(), "closed", 3).await;
    open.reverse();
    let list = async |after, limit| subject.links.list_public(space, after, limit).await.unwrap();
    assert_eq!(list(None, 10).await, open);
    assert_eq!(list(None, 2).await, open[..2]);
    assert_eq!(list(Some(open[0].id), 10).await, open[1..]);
    assert_eq!(subject.links.count_public(space).await.unwrap(), 3);
    subject.files.store.set_public(open[0].id, false, subject.files.user, subject.files.now()).await.unwrap();
    subject.files.delete(open[1].id).await;
    assert_eq!(list(None, 10).await, open[2..]);
    assert_eq!(subject.links.count_public(space).await.unwrap(), 1);
}
