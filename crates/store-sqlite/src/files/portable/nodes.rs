//! Rows of nodes.

use common::files::{Kind, NodeName, Tag, sort_key};
use common::portable::{PortableContent, PortableNode, PortableReturn, PortableStamp};
use common::{FileId, Timestamp};
use rusqlite::{Row, params};

use super::super::{marks, node, places, search};
use crate::engine::{Tx, damaged};
use crate::row::{RowExt as _, int, is_there};

pub(super) const NODE: &str = "n.id, n.space, n.owner, n.parent, n.name, n.kind, n.created_at, n.modified_at, n.revision, n.trashed_at, \
     n.trashed_by, n.deleted_at, n.public_since, n.public_by, n.classic_name, n.classic_type, n.tags, n.folder_count, n.file_count, \
     (SELECT count(*) FROM shares WHERE node = n.id), (SELECT count(*) FROM links WHERE node = n.id), \
     (SELECT count(*) FROM stars WHERE node = n.id), \
     n.version, n.blob, n.size, n.mime, n.content_modified_at, n.content_at, n.content_by, n.return_to, n.return_as, n.return_after";

fn stamp(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<PortableStamp>> {
    let Some(time) = row.time_opt(at)? else { return Ok(None) };
    Ok(Some(PortableStamp { at: time, by: row.id(at + 1)? }))
}

/// Reads a content from its version on.
pub(super) fn content(row: &Row<'_>, at: usize) -> rusqlite::Result<PortableContent> {
    Ok(PortableContent {
        version: row.get(at)?,
        blob: row.id(at + 1)?,
        size: row.count(at + 2)?,
        mime: row.get(at + 3)?,
        modified_at: row.time(at + 4)?,
        came: PortableStamp { at: row.time(at + 5)?, by: row.id(at + 6)? },
    })
}

pub(super) fn read_node(row: &Row<'_>) -> rusqlite::Result<PortableNode> {
    let tags = Tag::split(row.get_ref(16)?.as_str()?).map_err(|_| damaged("a tag that is none"))?;
    Ok(PortableNode {
        id: row.id(0)?,
        space: row.id(1)?,
        owner: row.id(2)?,
        parent: row.id_opt(3)?,
        name: row.get(4)?,
        kind: match row.get::<_, i64>(5)? {
            0 => Kind::Folder,
            1 => Kind::File,
            _ => return Err(damaged("an unknown kind")),
        },
        created_at: row.time(6)?,
        modified_at: row.time(7)?,
        revision: row.count(8)?,
        trashed: stamp(row, 9)?,
        deleted_at: row.time_opt(11)?,
        public: stamp(row, 12)?,
        classic_name: row.get(14)?,
        classic_type: row.get(15)?,
        tags: tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        folder_count: row.count(17)?,
        file_count: row.count(18)?,
        shares: row.count(19)?,
        links: row.count(20)?,
        stars: row.count(21)?,
        content: match row.get_ref(23)?.as_blob_or_null()? {
            Some(_) => Some(content(row, 22)?),
            None => None,
        },
        returns: match row.id_opt(29)? {
            Some(to) => Some(PortableReturn { to, name: row.get(30)?, after: row.id(31)? }),
            None => None,
        },
    })
}

pub(super) fn keep_node(tx: &Tx<'_>, kept: &PortableNode) -> rusqlite::Result<()> {
    if is_there(tx, "nodes", kept.id.bytes())? {
        return Ok(());
    }
    let tags: Vec<Tag> = kept
        .tags
        .iter()
        .map(|tag| Tag::parse(tag))
        .collect::<Result<_, _>>()
        .map_err(|_| damaged("a tag that is none"))?;
    let name = match kept.name.as_str() {
        "" => NodeName::root(),
        text => NodeName::parse(text).map_err(|_| damaged("a name that is none"))?,
    };
    let (content, returns) = (kept.content.as_ref(), kept.returns.as_ref());
    tx.prepare_cached(
        "INSERT INTO nodes (id, space, owner, parent, name, sort_key, kind, live, created_at, modified_at, revision, trashed_at, trashed_by,
                            deleted_at, public_since, public_by, classic_name, classic_type, folder_count, file_count,
                            version, blob, size, mime, content_modified_at, content_at, content_by, tags, return_to, return_as, return_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26,
                 ?27, ?28, ?29, ?30, ?31)",
    )?
    .execute(params![
        kept.id.bytes(),
        kept.space.bytes(),
        kept.owner.bytes(),
        kept.parent.as_ref().map(FileId::bytes),
        kept.name,
        sort_key(&kept.name),
        node::kind_number(kept.kind),
        kept.trashed.is_none() && kept.deleted_at.is_none(),
        kept.created_at.millis(),
        kept.modified_at.millis(),
        int(kept.revision),
        kept.trashed.map(|trashed| trashed.at.millis()),
        kept.trashed.as_ref().map(|trashed| trashed.by.bytes()),
        kept.deleted_at.map(Timestamp::millis),
        kept.public.map(|public| public.at.millis()),
        kept.public.as_ref().map(|public| public.by.bytes()),
        kept.classic_name,
        kept.classic_type,
        int(kept.folder_count),
        int(kept.file_count),
        content.map(|content| content.version),
        content.map(|content| content.blob.bytes()),
        content.map_or(0, |content| int(content.size)),
        content.map_or("", |content| content.mime.as_str()),
        content.map(|content| content.modified_at.millis()),
        content.map(|content| content.came.at.millis()),
        content.map(|content| content.came.by.bytes()),
        Tag::join(&tags),
        returns.map(|returns| returns.to.bytes()),
        returns.and_then(|returns| returns.name.as_ref()),
        returns.map(|returns| returns.after.bytes()),
    ])?;
    if let Some(parent) = kept.parent {
        places::something_came(tx, parent)?;
    }
    marks::index_tags(tx, kept.space, kept.id, &tags)?;
    search::index_node(tx, (kept.space, kept.id), &name, &tags)
}
