//! What every [`ShareStore`] promises.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::files::{
    ActivityStore, CopyStore, FileStore, Grant, Grantee, JournalStore, LinkStore, MarkStore, NewShare,
    NodeError, Share, ShareRole, ShareStore, SharesOf, VersionStore, search::SearchStore,
};
use common::jobs::Outbox;
use common::{FileId, GroupId, IdGen as _, ShareId, UserId};
use futures_util::future::join_all;

use super::FilesSubject;

/// A fresh store with one user's space, with all that it is a store of besides.
pub struct AccessSubject {
    /// The files.
    pub files: FilesSubject,
    /// The shares.
    pub shares: Arc<dyn ShareStore>,
    /// The links.
    pub links: Arc<dyn LinkStore>,
    /// Stars and tags.
    pub marks: Arc<dyn MarkStore>,
    /// Old versions.
    pub versions: Arc<dyn VersionStore>,
    /// Copies of folders.
    pub copies: Arc<dyn CopyStore>,
    /// Changes that can be undone.
    pub journal: Arc<dyn JournalStore>,
    /// What happened.
    pub activity: Arc<dyn ActivityStore>,
    /// Search.
    pub search: Arc<dyn SearchStore>,
}

impl AccessSubject {
    /// A subject over an empty store; `keep` lives as long as it does.
    pub async fn new<S>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self
    where
        S: FileStore
            + Outbox
            + ShareStore
            + LinkStore
            + MarkStore
            + VersionStore
            + CopyStore
            + JournalStore
            + ActivityStore
            + SearchStore
            + 'static,
    {
        let (shares, links, marks) = (store.clone(), store.clone(), store.clone());
        let (versions, copies) = (store.clone(), store.clone());
        let (journal, activity, search) = (store.clone(), store.clone(), store.clone());
        Self {
            files: FilesSubject::new(store, keep).await,
            shares,
            links,
            marks,
            versions,
            copies,
            journal,
            activity,
            search,
        }
    }

    pub(super) fn new_share(&self, node: FileId, grantee: Grantee, role: ShareRole) -> NewShare {
        NewShare {
            id: ShareId(self.files.ids.object_id()),
            node,
            grantee,
            role,
            by: self.files.user,
            at: self.files.now(),
        }
    }

    pub(super) async fn share(&self, node: FileId, grantee: Grantee, role: ShareRole) -> Share {
        let (share, made) = self.shares.put_share(&self.new_share(node, grantee, role)).await.unwrap();
        assert!(made);
        share
    }

    pub(super) fn user(&self) -> UserId {
        UserId(self.files.ids.object_id())
    }

    async fn grants(&self, nodes: &[FileId], user: UserId) -> Vec<Grant> {
        let mut grants = self.shares.find_grants(self.files.space.id, nodes, user).await.unwrap();
        grants.sort_by_key(|grant| (grant.node, grant.grantee));
        grants
    }

    async fn listed(&self, of: SharesOf) -> Vec<ShareId> {
        let all = self.shares.list_shares(&of, None, 1000).await.unwrap();
        assert_eq!(self.shares.count_shares(&of).await.unwrap(), all.len() as u64);
        // in pages of one the same comes
        let mut paged: Vec<Share> = Vec::new();
        loop {
            let page = self.shares.list_shares(&of, paged.last().map(|share| share.id), 1).await.unwrap();
            match page.into_iter().next() {
                Some(share) => paged.push(share),
                None => break,
            }
        }
        assert_eq!(paged, all);
        all.into_iter().map(|share| share.id).collect()
    }
}

pub async fn a_share_is_found_as_it_was_given(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let ann = subject.user();
    let new = subject.new_share(folder.id, Grantee::User(ann), ShareRole::Editor);
    let (share, made) = subject.shares.put_share(&new).await.unwrap();
    let expected = Share {
        id: new.id,
        node: folder.id,
        space: subject.files.space.id,
        grantee: Grantee::User(ann),
        role: ShareRole::Editor,
        by: subject.files.user,
        at: new.at,
    };
    assert_eq!((&share, made), (&expected, true));
    assert_eq!(subject.shares.find_share(new.id).await.unwrap(), Some(expected));
    assert_eq!(subject.shares.find_share(ShareId(subject.files.ids.object_id())).await.unwrap(), None);
    let shown = subject.files.node(folder.id).await.unwrap();
    assert!(shown.shared && !shown.linked && shown.revision == folder.revision);
    let page = super::query(common::files::Sort::Name, common::files::Order::Asc, 10);
    let page = subject.files.store.list_children(subject.files.root(), &page).await.unwrap();
    assert!(page.items[0].shared);
}

pub async fn a_grantee_has_one_share_of_a_node(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let ann = Grantee::User(subject.user());
    let first = subject.share(folder.id, ann, ShareRole::Viewer).await;
    let again = subject.new_share(folder.id, ann, ShareRole::Manager);
    let (second, made) = subject.shares.put_share(&again).await.unwrap();
    assert_eq!((second, made), (Share { role: ShareRole::Manager, ..first.clone() }, false));
    assert_eq!(subject.listed(SharesOf::Node(folder.id)).await, [first.id]);

    // of many at once one is made
    let bob = Grantee::User(subject.user());
    let new: Vec<_> = (0..8).map(|_| subject.new_share(folder.id, bob, ShareRole::Editor)).collect();
    let put = join_all(new.iter().map(|new| subject.shares.put_share(new))).await;
    let put: Vec<_> = put.into_iter().map(Result::unwrap).collect();
    assert_eq!(put.iter().filter(|(_, made)| *made).count(), 1);
    assert!(put.iter().all(|(share, _)| share.id == put[0].0.id));
    assert_eq!(subject.listed(SharesOf::Node(folder.id)).await.len(), 2);
}

pub async fn only_a_live_node_is_shared(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let inside = subject.files.file(folder.id, "b", 3).await;
    let ann = Grantee::User(subject.user());
    subject.files.trash(folder.id).await;
    let unknown = FileId(subject.files.ids.object_id());
    for node in [folder.id, inside.id, unknown] {
        let refused = subject.shares.put_share(&subject.new_share(node, ann, ShareRole::Viewer)).await;
        assert!(matches!(refused, Err(NodeError::NotFound)), "{refused:?}");
    }
}

pub async fn grants_are_those_of_the_person_and_the_nodes(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let inside = subject.files.folder(folder.id, "b").await;
    let beside = subject.files.folder(subject.files.root(), "c").await;
    let (ann, bob, group) = (subject.user(), subject.user(), GroupId(subject.files.ids.object_id()));
    let first = subject.share(folder.id, Grantee::User(ann), ShareRole::Editor).await;
    let given_at = subject.files.now();
    subject.files.clock.advance(Duration::from_secs(1));
    let later = subject.files.now();
    // another role, but no other time
    subject.shares.set_share_role(first.id, ShareRole::Viewer).await.unwrap();
    subject.share(inside.id, Grantee::User(ann), ShareRole::Editor).await;
    subject.share(inside.id, Grantee::Group(group), ShareRole::Manager).await;
    subject.share(beside.id, Grantee::User(ann), ShareRole::Manager).await;
    subject.share(inside.id, Grantee::User(bob), ShareRole::Manager).await;
    // a user with the id of a group is not the group
    let namesake = UserId::from(group.0);
    let way = [subject.files.root(), folder.id, inside.id];
    let grant = |node, grantee, role, at| Grant { node, grantee, role, at };
    let of_ann = [
        grant(folder.id, Grantee::User(ann), ShareRole::Viewer, given_at),
        grant(inside.id, Grantee::User(ann), ShareRole::Editor, later),
    ];
    let of_group = grant(inside.id, Grantee::Group(group), ShareRole::Manager, later);
    assert_eq!(subject.grants(&way, ann).await, [&of_ann[..], &[of_group]].concat());
    assert_eq!(subject.grants(&way[..2], ann).await, of_ann[..1]);
    assert_eq!(subject.grants(&way, subject.user()).await, [of_group], "whoever is in it");
    assert_eq!(subject.grants(&way[..2], namesake).await, []);
}

pub async fn a_role_is_changed_and_a_share_ended(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let ann = subject.user();
    let share = subject.share(folder.id, Grantee::User(ann), ShareRole::Viewer).await;
    let changed = subject.shares.set_share_role(share.id, ShareRole::Manager).await.unwrap();
    assert_eq!(changed, Some(Share { role: ShareRole::Manager, ..share.clone() }));
    assert_eq!(subject.grants(&[folder.id], ann).await[0].role, ShareRole::Manager);
    assert!(subject.shares.remove_share(share.id, None, subject.files.now()).await.unwrap());
    assert!(!subject.shares.remove_share(share.id, None, subject.files.now()).await.unwrap());
    assert_eq!(subject.shares.set_share_role(share.id, ShareRole::Viewer).await.unwrap(), None);
    assert_eq!(subject.grants(&[folder.id], ann).await, []);
    assert!(!subject.files.node(folder.id).await.unwrap().shared);
}

pub async fn shares_are_listed_by_who_asks(subject: &AccessSubject) {
    let folder = subject.files.folder(subject.files.root(), "a").await;
    let other_owner = subject.user();
    let fresh = (subject.files.ids.next(), subject.files.ids.next());
    let other =
        subject.files.store.ensure_space(other_owner, fresh, None, subject.files.now()).await.unwrap();
    let elsewhere = subject.files.folder(other.root, "b").await;
    let (ann, group) = (subject.user(), GroupId(subject.files.ids.object_id()));
    let first = subject.share(folder.id, Grantee::User(ann), ShareRole::Viewer).await.id;
    let second = subject.share(folder.id, Grantee::Group(group), ShareRole::Viewer).await.id;
    // given by the subject's user in somebody else's space
    let third = subject.share(elsewhere.id, Grantee::User(ann), ShareRole::Viewer).await.id;
    let space = subject.files.space.id;
    assert_eq!(subject.listed(SharesOf::Node(folder.id)).await, [second, first]);
    assert_eq!(subject.listed(SharesOf::Space(space)).await, [second, first]);
    assert_eq!(subject.listed(SharesOf::Space(other.id)).await, [third]);
    assert_eq!(subject.listed(SharesOf::Giver(space, subject.files.user)).await, [third, second, first]);
    assert_eq!(subject.listed(SharesOf::Receiver(ann, vec![])).await, [third, first]);
    assert_eq!(subject.listed(SharesOf::Receiver(ann, vec![group])).await, [third, second, first]);
    assert_eq!(subject.listed(SharesOf::Receiver(subject.user(), vec![group])).await, [second]);
    assert_eq!(subject.listed(SharesOf::Receiver(subject.user(), vec![])).await, []);
}

pub async fn shares_stay_with_a_node_that_moves_and_go_with_it(subject: &AccessSubject) {
    let (from, to) = (
        subject.files.folder(subject.files.root(), "from").await,
        subject.files.folder(subject.files.root(), "to").await,
    );
    let file = subject.files.file(from.id, "f", 3).await;
    let ann = subject.user();
    let share = subject.share(file.id, Grantee::User(ann), ShareRole::Viewer).await;
    subject.files.move_to(&file, to.id).await.unwrap();
    assert_eq!(subject.grants(&[file.id], ann).await.len(), 1);
    subject.files.delete(to.id).await;
    subject.files.purged(to.id).await;
    assert_eq!(subject.shares.find_share(share.id).await.unwrap(), None);
    assert_eq!(subject.listed(SharesOf::Receiver(ann, vec![])).await, []);
}
