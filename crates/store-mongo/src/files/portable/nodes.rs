//! Files and folders, and contents that they had before.

use std::collections::BTreeMap;

use common::files::{Kind, Tag, sort_key};
use common::portable::{PortableContent, PortableNode, PortableReturn, PortableStamp, PortableVersion};
use common::{BlobKey, FileId, Timestamp};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, deserialize_from_document, doc};
use serde::Deserialize;

use super::super::content::{ContentDoc, Facts, VersionDoc};
use super::super::node::{NodeDoc, TagDoc, kind_number, name};
use super::super::returns::ReturnDoc;
use super::super::search::words_of_node;
use super::super::{FilesDb, schema};
use super::known;
use crate::engine::Fault;
use crate::portable::{document, keep, page_of, put};
use crate::value::{ToOid as _, count, id, int, key, read_key};

fn stamp(at: Option<i64>, by: Option<ObjectId>) -> Option<PortableStamp> {
    at.zip(by).map(|(at, by)| PortableStamp { at: Timestamp::from_millis(at), by: id(by) })
}

pub(super) fn read(found: Document) -> Result<PortableNode, Fault> {
    let deleted_at = found.get_i64("deleted_at").ok();
    let doc: NodeDoc =
        deserialize_from_document(found).map_err(|_| Fault::Damaged("a node that cannot be read"))?;
    let (size, mime) = (doc.size, doc.mime);
    let content = doc.content.map(|content| {
        Ok::<_, Fault>(PortableContent {
            version: content.version,
            blob: read_key(&content.blob)?,
            size: count(size)?,
            mime,
            modified_at: Timestamp::from_millis(content.modified_at),
            came: PortableStamp { at: Timestamp::from_millis(content.at), by: id(content.by) },
        })
    });
    Ok(PortableNode {
        id: id(doc.id),
        space: id(doc.space),
        owner: id(doc.owner),
        parent: doc.parent.map(id),
        name: doc.name,
        kind: match doc.kind {
            0 => Kind::Folder,
            1 => Kind::File,
            _ => return Err(Fault::Damaged("an unknown kind")),
        },
        created_at: Timestamp::from_millis(doc.created_at),
        modified_at: Timestamp::from_millis(doc.modified_at),
        revision: count(doc.revision)?,
        trashed: stamp(doc.trashed_at, doc.trashed_by),
        deleted_at: deleted_at.filter(|_| doc.deleted).map(Timestamp::from_millis),
        public: stamp(doc.public_since, doc.public_by),
        classic_name: doc.classic_name,
        classic_type: doc.classic_type,
        tags: doc.tags.into_iter().map(|tag| tag.tag).collect(),
        folder_count: count(doc.folder_count)?,
        file_count: count(doc.file_count)?,
        shares: count(doc.shares)?,
        links: count(doc.links)?,
        stars: count(doc.stars)?,
        content: content.transpose()?,
        returns: doc.returns.map(|returns| PortableReturn {
            to: id(returns.to),
            name: returns.name,
            after: id(returns.after),
        }),
    })
}

/// What a file repeats of its content.
#[derive(Deserialize)]
struct Known {
    #[serde(rename = "_id")]
    key: Binary,
    sha256: Binary,
    crc32: i64,
    #[serde(flatten)]
    facts: Facts,
}

fn node(kept: &PortableNode, blobs: &BTreeMap<BlobKey, Known>) -> Result<Document, Fault> {
    let tags: Vec<Tag> = kept.tags.iter().map(|tag| TagDoc::parse(tag)).collect::<Result<_, _>>()?;
    let content = match &kept.content {
        Some(content) => {
            let blob = blobs.get(&content.blob).ok_or(Fault::Damaged("a file without its content"))?;
            Some(ContentDoc {
                sha256: blob.sha256.clone(),
                crc32: blob.crc32,
                modified_at: content.modified_at.millis(),
                at: content.came.at.millis(),
                by: content.came.by.oid(),
                ..ContentDoc::of(content.version, key(content.blob), blob.facts.clone())
            })
        }
        None => None,
    };
    let is_deleted = kept.deleted_at.is_some();
    let doc = NodeDoc {
        id: kept.id.oid(),
        space: kept.space.oid(),
        owner: kept.owner.oid(),
        parent: kept.parent.map(FileId::oid),
        name: kept.name.clone(),
        sort_key: sort_key(&kept.name),
        kind: kind_number(kept.kind),
        live: kept.trashed.is_none() && !is_deleted,
        in_trash: kept.trashed.is_some() && !is_deleted,
        deleted: is_deleted,
        created_at: kept.created_at.millis(),
        modified_at: kept.modified_at.millis(),
        revision: int(kept.revision),
        trashed_at: kept.trashed.map(|trashed| trashed.at.millis()),
        trashed_by: kept.trashed.map(|trashed| trashed.by.oid()),
        public_since: kept.public.map(|public| public.at.millis()),
        public_by: kept.public.map(|public| public.by.oid()),
        classic_name: kept.classic_name.clone(),
        classic_type: kept.classic_type.clone(),
        folder_count: int(kept.folder_count),
        file_count: int(kept.file_count),
        shares: int(kept.shares),
        links: int(kept.links),
        stars: int(kept.stars),
        tagged: !tags.is_empty(),
        tags: tags.iter().map(TagDoc::new).collect(),
        words: words_of_node(&name(&kept.name)?, &tags),
        returns: kept.returns.as_ref().map(|returns| ReturnDoc {
            to: returns.to.oid(),
            name: returns.name.clone(),
            after: returns.after.oid(),
        }),
        size: kept.content.as_ref().map_or(0, |content| int(content.size)),
        mime: kept.content.as_ref().map_or_else(String::new, |content| content.mime.clone()),
        has_content: content.is_some(),
        content,
    };
    let mut doc = document(&doc)?;
    put(&mut doc, "deleted_at", kept.deleted_at.map(Timestamp::millis));
    Ok(doc)
}

pub(super) async fn keep_all(db: &FilesDb, nodes: &[PortableNode]) -> Result<(), Fault> {
    let keys = nodes.iter().filter_map(|node| node.content.as_ref()).map(|content| key(content.blob));
    let found: Vec<Known> = known(db, keys.collect()).await?;
    let mut blobs = BTreeMap::new();
    for blob in found {
        blobs.insert(read_key(&blob.key)?, blob);
    }
    let docs = nodes.iter().map(|kept| node(kept, &blobs)).collect::<Result<_, _>>()?;
    keep::<Document>(&db.engine, schema::NODES, docs).await
}

pub(super) async fn page_versions(
    db: &FilesDb,
    after: Option<(FileId, u32)>,
    limit: u32,
) -> Result<Vec<PortableVersion>, Fault> {
    // as the index has them: the newest of each file first
    let behind = after.map_or_else(Document::new, |(node, version)| {
        let ties = doc! { "node": node.oid(), "version": { "$lt": version } };
        doc! { "$or": [{ "node": { "$gt": node.oid() } }, ties] }
    });
    let order = doc! { "node": 1, "version": -1 };
    let found: Vec<VersionDoc> = page_of(&db.engine, schema::VERSIONS, behind, order, limit).await?;
    let read = |doc: VersionDoc| {
        Ok(PortableVersion {
            node: id(doc.node),
            content: PortableContent {
                version: doc.version,
                blob: read_key(&doc.blob)?,
                size: count(doc.size)?,
                mime: doc.mime,
                modified_at: Timestamp::from_millis(doc.modified_at),
                came: PortableStamp { at: Timestamp::from_millis(doc.at), by: id(doc.by) },
            },
            replaced_at: doc.replaced_at.map(Timestamp::from_millis),
        })
    };
    found.into_iter().map(read).collect()
}

pub(super) async fn keep_versions(db: &FilesDb, versions: &[PortableVersion]) -> Result<(), Fault> {
    let doc = |PortableVersion { node, content, replaced_at }: &PortableVersion| VersionDoc {
        node: node.oid(),
        version: content.version,
        blob: key(content.blob),
        size: int(content.size),
        mime: content.mime.clone(),
        modified_at: content.modified_at.millis(),
        at: content.came.at.millis(),
        by: content.came.by.oid(),
        replaced_at: replaced_at.map(Timestamp::millis),
    };
    keep(&db.engine, schema::VERSIONS, versions.iter().map(doc).collect()).await
}
