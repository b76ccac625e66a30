//! Stars, tags, and what somebody last worked on.

use std::collections::HashSet;

use common::files::{Act, Action, Actor, Dated, Node, NodeError, Tag, TagCount};
use common::{Code, FileId, SpaceId, UserId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::access::{Authorized, Sight, authorize};
use super::journal::Recording;
use crate::error::AppError;
use crate::state::FileService;

/// How many nodes of a list are looked up at once.
const LOOK_UPS_AT_ONCE: usize = 16;

/// How often tags are changed anew when someone else changed the node in between and the caller set no condition.
const TRIES: usize = 4;

/// Most tags that the list of a space's tags names.
pub(crate) const MAX_TAGS: u32 = 10_000;

/// The same look at a node, with the star that the caller may have set on it. Most nodes have none of anybody's, and cost no query.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn seen(
    service: &FileService,
    actor: Actor,
    node: &Node,
    sight: Sight,
) -> Result<Sight, AppError> {
    let starred = stars(service, actor, [node]).await?.contains(&node.id);
    Ok(Sight { starred, ..sight })
}

/// Those of the nodes on which the caller has set a star.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn stars(
    service: &FileService,
    actor: Actor,
    nodes: impl IntoIterator<Item = &Node>,
) -> Result<HashSet<FileId>, AppError> {
    let starred: Vec<FileId> = nodes.into_iter().filter(|node| node.starred).map(|node| node.id).collect();
    match actor.user() {
        Some(user) if !starred.is_empty() => {
            Ok(service.marks.starred_of(user, &starred).await?.into_iter().collect())
        }
        _ => Ok(HashSet::new()),
    }
}

/// Sets the caller's star on a node (action: read metadata), or takes it off.
///
/// # Errors
/// `not_found`, also for what is in the trash.
pub(crate) async fn star(
    service: &FileService,
    node: &Authorized,
    on: bool,
    recording: Recording<'_>,
) -> Result<Node, AppError> {
    debug_assert_eq!(node.action(), Action::ReadMetadata);
    let starred_at = on.then(|| service.clock.now());
    Ok(recording.act(service, node.id(), None, &Act::Star(starred_at)).await?)
}

/// How the tags of a node shall change.
#[derive(Debug, Clone)]
pub(crate) enum TagChange {
    /// These in place of those that it has.
    Set(Vec<Tag>),
    /// Some more and some less.
    Edit {
        /// Those that it shall have.
        add: Vec<Tag>,
        /// Those that it shall not have; what is in both is not taken away.
        remove: Vec<Tag>,
    },
}

impl TagChange {
    /// The tags of a node that has these.
    ///
    /// # Errors
    /// `too_many`.
    fn applied(&self, present: &[Tag]) -> Result<Vec<Tag>, AppError> {
        let tags = match self {
            Self::Set(tags) => Tag::distinct(tags.iter().cloned()),
            Self::Edit { add, remove } => {
                let removed: HashSet<String> = remove.iter().map(Tag::folded).collect();
                let kept = present.iter().filter(|tag| !removed.contains(&tag.folded()));
                Tag::distinct(kept.chain(add).cloned())
            }
        };
        if tags.len() > Tag::MAX_OF_NODE {
            let detail = format!("A file or folder has at most {} tags", Tag::MAX_OF_NODE);
            return Err(AppError::because(Code::TooMany, detail));
        }
        Ok(tags)
    }
}

/// Changes the tags of a node (action: change). With `revision`, only if the node still has it.
///
/// # Errors
/// `too_many`, `not_found`; `precondition_failed` if the revision is another; `conflict` if the node never stood still.
pub(crate) async fn tag(
    service: &FileService,
    mut node: Authorized,
    revision: Option<u64>,
    change: &TagChange,
    recording: Recording<'_>,
) -> Result<Node, AppError> {
    debug_assert_eq!(node.action(), Action::Change);
    for _ in 0..TRIES {
        let tags = change.applied(&node.node().tags)?;
        let seen = match change {
            TagChange::Set(_) => revision,
            TagChange::Edit { .. } => revision.or(Some(node.node().revision)),
        };
        match recording.act(service, node.id(), seen, &Act::Tag(tags)).await {
            Ok(node) => return Ok(node),
            Err(NodeError::Changed) if revision.is_none() => {
                node = authorize(service, node.actor(), node.action(), node.id()).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::refused(Code::Conflict))
}

/// A part of a list of nodes that are found by what somebody did with them.
pub(crate) struct Found<T> {
    /// Those that the caller may see, as the caller sees them. What is in the trash or closed to them is left out.
    pub(crate) items: Vec<(Node, Sight)>,
    /// Where the page ended, if more follow.
    pub(crate) next: Option<T>,
}

/// What `user` has starred, the latest star first.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn starred(
    service: &FileService,
    user: UserId,
    after: Option<Dated>,
    limit: u32,
) -> Result<Found<Dated>, AppError> {
    let found = service.marks.list_starred(user, after, limit + 1).await?;
    page(service, user, found, limit, |dated| dated.node).await
}

/// Files, among the caller's and those shared with them, whose content `user` put there, the latest first.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn recent(
    service: &FileService,
    user: UserId,
    after: Option<Dated>,
    limit: u32,
) -> Result<Found<Dated>, AppError> {
    let found = service.marks.list_recent(user, after, limit + 1).await?;
    page(service, user, found, limit, |dated| dated.node).await
}

/// What of the space of `user` has a tag, the newest first.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn tagged(
    service: &FileService,
    (user, space): (UserId, SpaceId),
    tag: &Tag,
    after: Option<FileId>,
    limit: u32,
) -> Result<Found<FileId>, AppError> {
    let found = service.marks.list_tagged(space, tag, after, limit + 1).await?;
    page(service, user, found, limit, |id| *id).await
}

/// The tags of a space, and how often each is used.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn tags(service: &FileService, space: SpaceId) -> Result<Vec<TagCount>, AppError> {
    Ok(service.marks.list_tags(space, MAX_TAGS).await?)
}

/// The first `limit` of what was found, of which there is one more if another page follows.
async fn page<T>(
    service: &FileService,
    user: UserId,
    mut found: Vec<T>,
    limit: u32,
    id: impl Fn(&T) -> FileId,
) -> Result<Found<T>, AppError> {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let actor = Actor::User(user);
    let look_ups: Vec<_> = found.iter().map(|found| visible(service, actor, id(found))).collect();
    let nodes: Vec<_> = stream::iter(look_ups).buffered(LOOK_UPS_AT_ONCE).try_collect().await?;
    let nodes: Vec<Authorized> = nodes.into_iter().flatten().collect();
    let stars = stars(service, actor, nodes.iter().map(Authorized::node)).await?;
    let items = nodes.into_iter().map(|node| {
        let sight = Sight { starred: stars.contains(&node.id()), ..node.sight() };
        (node.node().clone(), sight)
    });
    Ok(Found { items: items.collect(), next: if more { found.pop() } else { None } })
}

/// A node that the caller may see and that is not in the trash.
pub(super) async fn visible(
    service: &FileService,
    actor: Actor,
    id: FileId,
) -> Result<Option<Authorized>, AppError> {
    match authorize(service, actor, Action::ReadMetadata, id).await.and_then(Authorized::live) {
        Ok(node) => Ok(Some(node)),
        Err(error) if matches!(error.code(), Code::NotFound | Code::Forbidden) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(texts: &[&str]) -> Vec<Tag> {
        texts.iter().map(|text| Tag::parse(text).unwrap()).collect()
    }

    #[test]
    fn tags_are_added_and_removed_by_what_they_fold_to() {
        let present = tags(&["Work", "2024"]);
        let edit = |add: &[&str], remove: &[&str]| TagChange::Edit { add: tags(add), remove: tags(remove) };
        for (change, after) in [
            (edit(&["new"], &[]), tags(&["Work", "2024", "new"])),
            (edit(&["WORK"], &["2024", "gone"]), tags(&["Work"])),
            (edit(&["WORK"], &["work"]), tags(&["2024", "WORK"])),
            (TagChange::Set(tags(&["a", "A", "b"])), tags(&["a", "b"])),
        ] {
            assert_eq!(change.applied(&present).unwrap(), after, "{change:?}");
        }
        let many: Vec<String> = (0..Tag::MAX_OF_NODE).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(TagChange::Set(tags(&many)).applied(&present).is_ok());
        assert_eq!(edit(&many, &[]).applied(&present).unwrap_err().code(), Code::TooMany);
    }
}
