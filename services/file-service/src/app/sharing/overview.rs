//! Everything that opens somebody's files to others, in one place.

use std::sync::Arc;

use common::files::{AccessOf, Link, Node, Share, SharesOf};
use common::{Code, FileId, LinkId, ObjectId, ShareId, SpaceId, UserId};
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
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpeningKind {
    Share,
    Link,
    Public,
}

impl OpeningKind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Link => "link",
            Self::Public => "public",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Share, Self::Link, Self::Public].into_iter().find(|kind| kind.word() == word)
    }
}

/// Where a page of the list ended. The kinds follow one another; each is newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    #[serde(rename = "s")]
    Share(ShareId),
    #[serde(rename = "l")]
    Link(LinkId),
    #[serde(rename = "p")]
    Public(FileId),
}

impl Opening {
    pub(crate) fn kind(&self) -> OpeningKind {
        match self {
            Self::Share(_) => OpeningKind::Share,
            Self::Link(_) => OpeningKind::Link,
            Self::Public(_) => OpeningKind::Public,
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Share(share) => Place::Share(share.id),
            Self::Link(link) => Place::Link(link.id),
            Self::Public(node) => Place::Public(node.id),
        }
    }

    pub(crate) fn node(&self) -> FileId {
        match self {
            Self::Share(share) => share.node,
            Self::Link(link) => link.node,
            Self::Public(node) => node.id,
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
    pub(crate) shares: Option<SharesOf>,
    /// These links.
    pub(crate) links: AccessOf,
    /// What is open to everybody in this space, or nothing.
    pub(crate) public: Option<SpaceId>,
}

impl Asked {
    /// Everything that opens the files of `user`.
    ///
    /// # Errors
    /// Those of the store alone.
    pub(crate) async fn everything(service: &FileService, user: UserId) -> Result<Self, AppError> {
        let space = own_space(service, user).await?;
        Ok(Self { shares: Some(SharesOf::Space(space)), links: AccessOf::Space(space), public: Some(space) })
    }

    /// The links that `user` made or that lead to their files, and what of these is open to everybody.
    ///
    /// # Errors
    /// Those of the store alone.
    pub(crate) async fn links(service: &FileService, user: UserId) -> Result<Self, AppError> {
        let space = own_space(service, user).await?;
        Ok(Self { shares: None, links: links::of(service, user).await?, public: Some(space) })
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
        let left = |items: &Vec<Opening>| u32::try_from(wanted - items.len()).unwrap_or(u32::MAX);
        let mut items = Vec::new();
        let mut total = 0;
        if let Some(of) = &self.shares {
            total += service.shares.count_shares(of).await?;
            let place = match after {
                None => Some(None),
                Some(Place::Share(id)) => Some(Some(id)),
                Some(Place::Link(_) | Place::Public(_)) => None,
            };
            if let Some(place) = place {
                let found = service.shares.list_shares(of, place, left(&items)).await?;
                items.extend(found.into_iter().map(Opening::Share));
            }
        }
        total += service.links.count_links(&self.links).await?;
        let place = match after {
            None | Some(Place::Share(_)) => Some(None),
            Some(Place::Link(id)) => Some(Some(id)),
            Some(Place::Public(_)) => None,
        };
        if let Some(place) = place
            && items.len() < wanted
        {
            let found = service.links.list_links(&self.links, place, left(&items)).await?;
            items.extend(found.into_iter().map(Opening::Link));
        }
        if let Some(space) = self.public {
            total += service.links.count_public(space).await?;
            if items.len() < wanted {
                let place = match after {
                    Some(Place::Public(id)) => Some(id),
                    _ => None,
                };
                let found = service.links.list_public(space, place, left(&items)).await?;
                items.extend(found.into_iter().map(|node| Opening::Public(Box::new(node))));
            }
        }
        let more = items.len() == wanted;
        items.truncate(limit as usize);
        Ok(Page { items, more, total })
    }
}

/// Ends one of the things that open the files of `user`.
///
/// # Errors
/// `not_found`.
pub(crate) async fn end(
    service: &Arc<FileService>,
    user: UserId,
    kind: OpeningKind,
    id: ObjectId,
) -> Result<(), AppError> {
    let gone = || AppError::refused(Code::NotFound);
    let space = own_space(service, user).await?;
    match kind {
        OpeningKind::Share => {
            let share = service.shares.find_share(ShareId(id)).await?;
            let share = share.filter(|share| share.space == space).ok_or_else(gone)?;
            service.shares.remove_share(share.id).await?;
            resumable::end_closed(service, &share);
        }
        OpeningKind::Link => {
            let link = service.links.find_link(LinkId(id)).await?;
            let link = link.filter(|link| link.space == space).ok_or_else(gone)?;
            service.links.remove_link(link.id).await?;
        }
        OpeningKind::Public => links::close(service, user, FileId(id)).await?,
    }
    Ok(())
}
