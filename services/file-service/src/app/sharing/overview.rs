//! Everything that opens somebody's files, to others and to themselves, in one place.

use std::sync::Arc;

use common::auth::{CredentialEnd, EndedBy, OwnCredential, OwnCredentialKind, Principal, Scope};
use common::files::{AccessOf, Link, Node, Share, SharesOf, Upload, Uploader};
use common::{Code, FileId, LinkId, ObjectId, ShareId, SpaceId, UploadId, UserId};
use serde::{Deserialize, Serialize};

use super::{links, own_space};
use crate::app::resumable;
use crate::error::AppError;
use crate::state::FileService;

/// One thing that opens a file.
pub(crate) enum Opening {
    /// Somebody was given a right.
    Share(Share),
    /// A link.
    Link(Link),
    /// It is open to everybody.
    Public(Box<Node>),
    /// An API token, a sign-in, or an identity that signs in.
    Credential(OwnCredential),
    /// An upload that is no file yet: theirs, or of somebody else or by a link into their space.
    Upload(Box<Upload>),
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpeningKind {
    Share,
    Link,
    Public,
    Token,
    Session,
    Identity,
    Upload,
}

impl OpeningKind {
    const ALL: [Self; 7] =
        [Self::Share, Self::Link, Self::Public, Self::Token, Self::Session, Self::Identity, Self::Upload];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Link => "link",
            Self::Public => "public",
            Self::Token => "token",
            Self::Session => "session",
            Self::Identity => "identity",
            Self::Upload => "upload",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What a credential must be good for to see and end what is of this kind.
    pub(crate) const fn scope(self) -> Scope {
        match self {
            Self::Share | Self::Link | Self::Public => Scope::Shares,
            Self::Token | Self::Session | Self::Identity => Scope::Account,
            Self::Upload => Scope::FilesWrite,
        }
    }
}

/// Where a page of the list ended. The kinds follow one another in this order; each is newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    #[serde(rename = "s")]
    Share(ShareId),
    #[serde(rename = "l")]
    Link(LinkId),
    #[serde(rename = "p")]
    Public(FileId),
    #[serde(rename = "t")]
    Token(ObjectId),
    #[serde(rename = "n")]
    Session(ObjectId),
    #[serde(rename = "i")]
    Identity(ObjectId),
    #[serde(rename = "u")]
    Upload(UploadId),
}

impl Place {
    fn order(self) -> usize {
        match self {
            Self::Share(_) => 0,
            Self::Link(_) => 1,
            Self::Public(_) => 2,
            Self::Token(_) => 3,
            Self::Session(_) => 4,
            Self::Identity(_) => 5,
            Self::Upload(_) => 6,
        }
    }
}

impl Opening {
    pub(crate) fn kind(&self) -> OpeningKind {
        match self {
            Self::Share(_) => OpeningKind::Share,
            Self::Link(_) => OpeningKind::Link,
            Self::Public(_) => OpeningKind::Public,
            Self::Credential(credential) => match credential.kind {
                OwnCredentialKind::Token => OpeningKind::Token,
                OwnCredentialKind::Session => OpeningKind::Session,
                OwnCredentialKind::Identity => OpeningKind::Identity,
            },
            Self::Upload(_) => OpeningKind::Upload,
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Share(share) => Place::Share(share.id),
            Self::Link(link) => Place::Link(link.id),
            Self::Public(node) => Place::Public(node.id),
            Self::Credential(credential) => match credential.kind {
                OwnCredentialKind::Token => Place::Token(credential.id),
                OwnCredentialKind::Session => Place::Session(credential.id),
                OwnCredentialKind::Identity => Place::Identity(credential.id),
            },
            Self::Upload(upload) => Place::Upload(upload.id),
        }
    }

    /// What it opens: for a credential without a folder everything, which is the root.
    pub(crate) fn node(&self, root: FileId) -> FileId {
        match self {
            Self::Share(share) => share.node,
            Self::Link(link) => link.node,
            Self::Public(node) => node.id,
            Self::Credential(credential) => credential.folder.unwrap_or(root),
            Self::Upload(upload) => upload.parent,
        }
    }
}

/// A page of such a list.
pub(crate) struct Page {
    pub(crate) items: Vec<Opening>,
    pub(crate) more: bool,
    pub(crate) total: u64,
}

/// What a list holds.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// These shares, or none.
    shares: Option<SharesOf>,
    /// These links.
    links: AccessOf,
    /// What is open to everybody in this space, or nothing.
    public: Option<SpaceId>,
    /// Tokens, sessions and identities.
    credentials: Vec<OwnCredential>,
    /// The uploads of this person, and those of others and by links into this space; or none.
    uploads: Option<(UserId, SpaceId)>,
}

impl Asked {
    /// Everything that opens the files of `user`, as far as the caller's credential is good for it.
    ///
    /// # Errors
    /// Those of the store; `unavailable` where auth-service does not answer.
    pub(crate) async fn everything(
        service: &FileService,
        caller: &Principal,
        user: UserId,
    ) -> Result<Self, AppError> {
        let space = own_space(service, user).await?;
        let may_see = |kind: OpeningKind| caller.scopes.contains(kind.scope());
        let credentials = if may_see(OpeningKind::Token) {
            service.credentials.list_credentials(user).await?
        } else {
            Vec::new()
        };
        Ok(Self {
            shares: Some(SharesOf::Space(space)),
            links: AccessOf::Space(space),
            public: Some(space),
            credentials,
            uploads: may_see(OpeningKind::Upload).then_some((user, space)),
        })
    }

    /// The links that `user` made or that lead to their files, and what of these is open to everybody.
    ///
    /// # Errors
    /// Those of the store alone.
    pub(crate) async fn links(service: &FileService, user: UserId) -> Result<Self, AppError> {
        let space = own_space(service, user).await?;
        let links = links::of(service, user).await?;
        Ok(Self { shares: None, links, public: Some(space), credentials: Vec::new(), uploads: None })
    }

    /// At most `limit` of them after `after`.
    ///
    /// # Errors
    /// Those of the store alone.
    pub(crate) async fn page(
        &self,
        service: &FileService,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page, AppError> {
        let wanted = limit as usize + 1;
        // an id after which a kind goes on; none if the list is beyond it
        let from = after.map_or(0, Place::order);
        let left = |items: &Vec<Opening>| u32::try_from(wanted - items.len()).unwrap_or(u32::MAX);
        let mut items = Vec::new();
        let mut total = 0;
        if let Some(of) = &self.shares {
            total += service.shares.count_shares(of).await?;
            if from == 0 {
                let after = if let Some(Place::Share(id)) = after { Some(id) } else { None };
                let found = service.shares.list_shares(of, after, left(&items)).await?;
                items.extend(found.into_iter().map(Opening::Share));
            }
        }
        total += service.links.count_links(&self.links).await?;
        if from <= 1 && items.len() < wanted {
            let after = if let Some(Place::Link(id)) = after { Some(id) } else { None };
            let found = service.links.list_links(&self.links, after, left(&items)).await?;
            items.extend(found.into_iter().map(Opening::Link));
        }
        if let Some(space) = self.public {
            total += service.links.count_public(space).await?;
            if from <= 2 && items.len() < wanted {
                let after = if let Some(Place::Public(id)) = after { Some(id) } else { None };
                let found = service.links.list_public(space, after, left(&items)).await?;
                items.extend(found.into_iter().map(|node| Opening::Public(Box::new(node))));
            }
        }
        total += self.credentials.len() as u64;
        if from <= 5 {
            // ids descend within a kind, so that a place is one whether or not what was there has ended
            let is_behind = |one: &Opening| match (one.place(), after) {
                (Place::Token(id), Some(Place::Token(last)))
                | (Place::Session(id), Some(Place::Session(last)))
                | (Place::Identity(id), Some(Place::Identity(last))) => id < last,
                (place, Some(after)) => place.order() > after.order(),
                (_, None) => true,
            };
            let credentials = self.credentials.iter().cloned().map(Opening::Credential).filter(is_behind);
            items.extend(credentials.take(wanted - items.len()));
        }
        if let Some((user, space)) = self.uploads {
            let (store, own) = (&service.uploads.store, Uploader::User(user));
            total += store.count_uploads(own).await? + store.count_uploads_into(space, user).await?;
            if items.len() < wanted {
                let after = if let Some(Place::Upload(id)) = after { Some(id) } else { None };
                let mut found = store.list_uploads(own, after, left(&items)).await?;
                found.extend(store.list_uploads_into(space, user, after, left(&items)).await?);
                // two lists, each the newest first
                found.sort_unstable_by_key(|upload| std::cmp::Reverse(upload.id));
                found.truncate(wanted - items.len());
                items.extend(found.into_iter().map(|upload| Opening::Upload(Box::new(upload))));
            }
        }
        let more = items.len() == wanted;
        items.truncate(limit as usize);
        Ok(Page { items, more, total })
    }
}

/// Ends one of the things that open the files of `user`. `by` is for the log of auth-service, whose credentials are.
///
/// # Errors
/// `not_found`; `last_way_in` for an identity without which nothing opens the account; `unavailable` where auth-service does not answer; `locked` for an upload that somebody does not leave.
pub(crate) async fn end(
    service: &Arc<FileService>,
    user: UserId,
    kind: OpeningKind,
    id: ObjectId,
    by: EndedBy,
) -> Result<(), AppError> {
    let gone = || AppError::refused(Code::NotFound);
    let space = own_space(service, user).await?;
    match kind {
        OpeningKind::Share => {
            let share = service.shares.find_share(ShareId(id)).await?;
            let share = share.filter(|share| share.space == space).ok_or_else(gone)?;
            service.shares.remove_share(share.id, Some(user), service.clock.now()).await?;
            resumable::end_closed(service, &share);
        }
        OpeningKind::Link => {
            let link = service.links.find_link(LinkId(id)).await?;
            let link = link.filter(|link| link.space == space).ok_or_else(gone)?;
            service.links.remove_link(link.id, Some(user), service.clock.now()).await?;
            resumable::end_by_link(service, link.id);
        }
        OpeningKind::Public => links::close(service, user, FileId(id)).await?,
        OpeningKind::Token => end_credential(service, user, OwnCredentialKind::Token, id, by).await?,
        OpeningKind::Session => end_credential(service, user, OwnCredentialKind::Session, id, by).await?,
        OpeningKind::Identity => end_credential(service, user, OwnCredentialKind::Identity, id, by).await?,
        OpeningKind::Upload => resumable::end_seen(service, user, space, UploadId(id)).await?,
    }
    Ok(())
}

async fn end_credential(
    service: &FileService,
    user: UserId,
    kind: OwnCredentialKind,
    id: ObjectId,
    by: EndedBy,
) -> Result<(), AppError> {
    match service.credentials.end_credential(user, kind, id, by).await? {
        CredentialEnd::Ended => Ok(()),
        CredentialEnd::Unknown => Err(AppError::refused(Code::NotFound)),
        CredentialEnd::LastWayIn => Err(AppError::refused(Code::LastWayIn)),
    }
}
