//! What is known here of an account, for its export: beside its files themselves, which the archive has.

use common::files::internal::ExportPage;
use common::files::{
    AccessOf, Action, Actor, Dated, Grantee, Link, Node, NodePath, Share, SharesOf, Tag, Uploader,
};
use common::{FileId, SpaceId, Timestamp, UserId};
use serde_json::{Value, json};

use super::access::{Target, authorize};
use super::marks::MAX_TAGS;
use super::sharing::{Names, names, paths};
use crate::error::AppError;
use crate::state::FileService;

/// Items of a page.
const PAGE: u32 = 200;

/// Some of what is known of an account; none for an unknown subject. What cannot be a cursor begins at the beginning.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn page(
    service: &FileService,
    user: UserId,
    what: &str,
    cursor: Option<&str>,
) -> Result<Option<ExportPage>, AppError> {
    let root = authorize(service, Actor::User(user), Action::List, Target::Root).await?;
    let space = root.space();
    Ok(Some(match what {
        "shares-given" => shares(service, (user, space), &SharesOf::Giver(space, user), cursor).await?,
        "shares-received" => {
            let groups = service.people.groups_of(user).await?;
            shares(service, (user, space), &SharesOf::Receiver(user, groups), cursor).await?
        }
        "links" => links(service, (user, space), cursor).await?,
        "public-files" => public_files(service, space, cursor).await?,
        "stars" => stars(service, (user, space), cursor).await?,
        "tags" => tags(service, space, cursor).await?,
        "unfinished-uploads" => uploads(service, user, cursor).await?,
        _ => return Ok(None),
    }))
}

/// How a node is called: by the whole way to it in the account's own space, by its name alone in that of others.
fn place(path: Option<&NodePath>, space: SpaceId) -> Value {
    let Some(path) = path else { return Value::Null };
    if path.node.space != space {
        return json!(path.node.name.as_str());
    }
    let names = path.ancestors.iter().skip(1).map(|crumb| crumb.name.as_str());
    let way: Vec<_> = names.chain([path.node.name.as_str()]).collect();
    json!(format!("/{}", way.join("/")))
}

fn next<T>(items: &[T], id: impl Fn(&T) -> String) -> Option<String> {
    items.last().filter(|_| items.len() == PAGE as usize).map(id)
}

async fn shares(
    service: &FileService,
    (user, space): (UserId, SpaceId),
    of: &SharesOf,
    cursor: Option<&str>,
) -> Result<ExportPage, AppError> {
    let after = cursor.and_then(|text| text.parse().ok());
    let shares = service.shares.list_shares(of, after, PAGE).await?;
    let paths = paths(service, shares.iter().map(|share| share.node)).await?;
    let names = names(service, &shares, []).await;
    let item = |(share, path): (&Share, &Option<NodePath>)| {
        json!({
            "id": share.id,
            "file": share.node,
            "path": place(path.as_ref(), space),
            "role": share.role,
            "to": grantee(share.grantee, user, &names),
            "by": names.people.get(&share.by),
            "at": share.at,
        })
    };
    let items = shares.iter().zip(&paths).map(item).collect();
    Ok(ExportPage { items, cursor: next(&shares, |share| share.id.to_string()) })
}

fn grantee(grantee: Grantee, user: UserId, names: &Names) -> Value {
    match grantee {
        Grantee::User(id) => json!({ "user": id, "email": names.people.get(&id), "isMe": id == user }),
        Grantee::Group(id) => json!({ "group": id, "name": names.groups.get(&id) }),
    }
}

async fn links(
    service: &FileService,
    (user, space): (UserId, SpaceId),
    cursor: Option<&str>,
) -> Result<ExportPage, AppError> {
    let after = cursor.and_then(|text| text.parse().ok());
    let links = service.links.list_links(&AccessOf::Maker(space, user), after, PAGE).await?;
    let paths = paths(service, links.iter().map(|link| link.node)).await?;
    // neither token nor password: whoever has the archive must not be let in by it
    let item = |(link, path): (&Link, &Option<NodePath>)| {
        json!({
            "id": link.id,
            "file": link.node,
            "path": place(path.as_ref(), space),
            "role": link.role,
            "label": link.label,
            "hasPassword": link.password_hash.is_some(),
            "expiresAt": link.expires_at,
            "maxDownloads": link.max_downloads,
            "downloads": link.downloads,
            "opens": link.opens,
            "lastUsedAt": link.last_used_at,
            "at": link.at,
        })
    };
    let items = links.iter().zip(&paths).map(item).collect();
    Ok(ExportPage { items, cursor: next(&links, |link| link.id.to_string()) })
}

async fn public_files(
    service: &FileService,
    space: SpaceId,
    cursor: Option<&str>,
) -> Result<ExportPage, AppError> {
    let after = cursor.and_then(|text| text.parse().ok());
    let nodes: Vec<Node> = service.links.list_public(space, after, PAGE).await?;
    let paths = paths(service, nodes.iter().map(|node| node.id)).await?;
    let item = |(node, path): (&Node, &Option<NodePath>)| json!({ "file": node.id, "path": place(path.as_ref(), space), "since": node.public.as_ref().map(|public| public.since) });
    let items = nodes.iter().zip(&paths).map(item).collect();
    Ok(ExportPage { items, cursor: next(&nodes, |node| node.id.to_string()) })
}

async fn stars(
    service: &FileService,
    (user, space): (UserId, SpaceId),
    cursor: Option<&str>,
) -> Result<ExportPage, AppError> {
    let after = cursor.and_then(|text| {
        let (at, node) = text.split_once(' ')?;
        Some(Dated { at: Timestamp::from_millis(at.parse().ok()?), node: node.parse().ok()? })
    });
    let stars = service.marks.list_starred(user, after, PAGE).await?;
    let paths = paths(service, stars.iter().map(|star| star.node)).await?;
    let item = |(star, path): (&Dated, &Option<NodePath>)| json!({ "file": star.node, "path": place(path.as_ref(), space), "at": star.at });
    let items = stars.iter().zip(&paths).map(item).collect();
    let cursor = next(&stars, |star| format!("{} {}", star.at.millis(), star.node));
    Ok(ExportPage { items, cursor })
}

/// One tag after another: the cursor is the tag, and the node after which it goes on.
async fn tags(service: &FileService, space: SpaceId, cursor: Option<&str>) -> Result<ExportPage, AppError> {
    let (from, after) = match cursor.and_then(|text| text.split_once(Tag::SEPARATOR)) {
        Some((node, tag)) => (Some(tag), node.parse::<FileId>().ok()),
        None => (None, None),
    };
    let all = service.marks.list_tags(space, MAX_TAGS).await?;
    let tag = |at: usize| all.get(at).map(|count| &count.tag);
    // in the order of the list: one that has gone since is passed over
    let at = from.map_or(0, |from| {
        all.iter().position(|count| count.tag.folded().as_str() >= from).unwrap_or(all.len())
    });
    let Some(present) = tag(at) else { return Ok(ExportPage { items: Vec::new(), cursor: None }) };
    let after = after.filter(|_| from.is_some_and(|from| present.folded() == from));
    let nodes = service.marks.list_tagged(space, present, after, PAGE).await?;
    let paths = paths(service, nodes.iter().copied()).await?;
    let item = |(node, path): (&FileId, &Option<NodePath>)| json!({ "tag": present.as_str(), "file": node, "path": place(path.as_ref(), space) });
    let items = nodes.iter().zip(&paths).map(item).collect();
    let here = |node: &FileId| format!("{node}{}{}", Tag::SEPARATOR, present.folded());
    let next_tag = tag(at + 1).map(|tag| format!("{}{}", Tag::SEPARATOR, tag.folded()));
    Ok(ExportPage { items, cursor: next(&nodes, here).or(next_tag) })
}

async fn uploads(service: &FileService, user: UserId, cursor: Option<&str>) -> Result<ExportPage, AppError> {
    let before = cursor.and_then(|text| text.parse().ok());
    let uploads = service.uploads.store.list_uploads(Uploader::User(user), before, PAGE).await?;
    let item = |upload: &common::files::Upload| {
        json!({
            "id": upload.id,
            "folder": upload.parent,
            "name": upload.name.as_ref().map(common::files::NodeName::as_str),
            "length": upload.length,
            "createdAt": upload.created_at,
            "expiresAt": upload.expires_at,
        })
    };
    let items = uploads.iter().map(item).collect();
    Ok(ExportPage { items, cursor: next(&uploads, |upload| upload.id.to_string()) })
}
