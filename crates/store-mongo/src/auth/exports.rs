//! What accounts have asked to take with them.

use async_trait::async_trait;
use bytes::Bytes;
use common::auth::{
    AuditEntry, Export, ExportEnd, ExportFile, ExportPart, ExportState, ExportStore, NewExport,
};
use common::jobs::NewJob;
use common::{ExportId, PortError, PortResult, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::users::USERS;
use super::{AuthDb, audit};
use crate::engine::{Abort, Engine, Fault, Index, Migration, Step, Version};
use crate::value::{ToOid as _, binary, count, id, int};

const EXPORTS: &str = "exports";
const PARTS: &str = "export_parts";

/// Exports of accounts.
pub(super) const MIGRATION: Migration = Migration {
    version: Version { major: 1, minor: 5 },
    steps: &[
        Step::Collection(EXPORTS),
        Step::Index(Index::new(EXPORTS, "expires_1", &[("expires_at", 1)])),
        Step::Collection(PARTS),
        Step::Index(Index::new(PARTS, "part_1", &[("export", 1), ("file", 1), ("number", 1)]).unique()),
    ],
};

/// An account's export, under the account's id: it has one at most.
#[derive(Serialize, Deserialize)]
struct ExportDoc {
    #[serde(rename = "_id")]
    user: ObjectId,
    export: ObjectId,
    state: String,
    requested_at: i64,
    ended_at: Option<i64>,
    expires_at: i64,
    /// The run of the job that wrote the parts.
    run: i64,
    size_bytes: Option<i64>,
    files: Vec<FileDoc>,
}

#[derive(Serialize, Deserialize)]
struct FileDoc {
    name: String,
    size: i64,
    crc32: i64,
}

impl ExportDoc {
    fn of(new: &NewExport) -> Self {
        Self {
            user: new.user.oid(),
            export: new.id.oid(),
            state: ExportState::Running.word().to_owned(),
            requested_at: new.at.millis(),
            ended_at: None,
            expires_at: new.expires_at.millis(),
            run: 0,
            size_bytes: None,
            files: Vec::new(),
        }
    }

    fn read(self) -> Result<Export, Fault> {
        let file = |file: FileDoc| {
            let crc32 = u32::try_from(file.crc32).map_err(|_| Fault::Damaged("a sum of another length"))?;
            Ok(ExportFile { name: file.name, size: count(file.size)?, crc32 })
        };
        Ok(Export {
            id: id(self.export),
            user: id(self.user),
            state: ExportState::parse(&self.state).ok_or(Fault::Damaged("an unknown state of an export"))?,
            requested_at: Timestamp::from_millis(self.requested_at),
            ended_at: self.ended_at.map(Timestamp::from_millis),
            expires_at: Timestamp::from_millis(self.expires_at),
            size_bytes: self.size_bytes.map(count).transpose()?,
            files: self.files.into_iter().map(file).collect::<Result<_, Fault>>()?,
        })
    }
}

fn running(user: UserId, id: ExportId) -> Document {
    doc! { "_id": user.oid(), "export": id.oid(), "state": ExportState::Running.word() }
}

fn named(part: ExportPart) -> Document {
    doc! { "export": part.export.oid(), "file": i64::from(part.file), "number": i64::from(part.number) }
}

async fn find(engine: &Engine, user: ObjectId) -> Result<Option<Export>, Fault> {
    let found = engine.collection::<ExportDoc>(EXPORTS).find_one(doc! { "_id": user }).await?;
    found.map(ExportDoc::read).transpose()
}

/// The export, and whether it was begun just now.
async fn begin(
    engine: &Engine,
    session: &mut ClientSession,
    new: &NewExport,
) -> Result<Option<(Export, bool)>, Fault> {
    let users = engine.collection::<Document>(USERS);
    // a write, so that it meets the deletion of the account
    let touched = users
        .update_one(doc! { "_id": new.user.oid() }, doc! { "$inc": { "exports": 1_i64 } })
        .session(&mut *session)
        .await?;
    if touched.matched_count == 0 {
        return Ok(None);
    }
    let exports = engine.collection::<ExportDoc>(EXPORTS);
    let found = exports.find_one(doc! { "_id": new.user.oid() }).session(&mut *session).await?;
    if let Some(found) = found.map(ExportDoc::read).transpose()?
        && found.state == ExportState::Running
        && found.is_live(new.at)
    {
        return Ok(Some((found, false)));
    }
    remove_of(engine, session, new.user.oid()).await?;
    exports.insert_one(ExportDoc::of(new)).session(session).await?;
    Ok(Some((ExportDoc::of(new).read()?, true)))
}

async fn put(
    engine: &Engine,
    session: &mut ClientSession,
    part: ExportPart,
    run: i64,
    bytes: &[u8],
) -> Result<bool, Fault> {
    let mut filter = running(part.user, part.export);
    filter.insert("run", doc! { "$lte": run });
    // the count is of no use but that the write meets the end of the export, whatever ends it
    let change = doc! { "$set": { "run": run }, "$inc": { "written": 1_i64 } };
    let exports = engine.collection::<ExportDoc>(EXPORTS);
    let Some(before) = exports.find_one_and_update(filter, change).session(&mut *session).await? else {
        return Ok(false);
    };
    if before.run < run {
        remove_parts(engine, session, part.export.oid()).await?;
    }
    engine
        .collection::<Document>(PARTS)
        .update_one(named(part), doc! { "$set": { "bytes": binary(bytes) } })
        .upsert(true)
        .session(session)
        .await?;
    Ok(true)
}

async fn read(engine: &Engine, part: ExportPart) -> Result<Option<Bytes>, Fault> {
    #[derive(Deserialize)]
    struct PartDoc {
        bytes: Binary,
    }
    let whose = doc! { "_id": part.user.oid(), "export": part.export.oid() };
    if engine.collection::<Document>(EXPORTS).find_one(whose).await?.is_none() {
        return Ok(None);
    }
    let found = engine.collection::<PartDoc>(PARTS).find_one(named(part)).await?;
    Ok(found.map(|part| Bytes::from(part.bytes.bytes)))
}

async fn end(
    engine: &Engine,
    session: &mut ClientSession,
    (user, id): (UserId, ExportId),
    how: &ExportEnd,
    (at, expires_at): (Timestamp, Timestamp),
) -> Result<bool, Fault> {
    let mut filter = running(user, id);
    let mut set = doc! { "ended_at": at.millis(), "expires_at": expires_at.millis() };
    match how {
        ExportEnd::Ready { run, files, size_bytes } => {
            filter.insert("run", doc! { "$lte": run });
            let file = |file: &ExportFile| {
                let ExportFile { name, size, crc32 } = file;
                Bson::Document(doc! { "name": name, "size": int(*size), "crc32": i64::from(*crc32) })
            };
            set.insert("state", ExportState::Ready.word());
            set.insert("size_bytes", int(*size_bytes));
            set.insert("files", files.iter().map(file).collect::<Vec<_>>());
        }
        ExportEnd::Failed => {
            set.insert("state", ExportState::Failed.word());
        }
    }
    let exports = engine.collection::<Document>(EXPORTS);
    let ended = exports.update_one(filter, doc! { "$set": set }).session(&mut *session).await?;
    if ended.matched_count == 1 && *how == ExportEnd::Failed {
        remove_parts(engine, session, id.oid()).await?;
    }
    Ok(ended.matched_count == 1)
}

async fn remove_parts(
    engine: &Engine,
    session: &mut ClientSession,
    export: ObjectId,
) -> Result<(), mongodb::error::Error> {
    let parts = engine.collection::<Document>(PARTS);
    parts.delete_many(doc! { "export": export }).session(session).await.map(drop)
}

/// The export of an account, with its parts.
pub(super) async fn remove_of(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> Result<(), mongodb::error::Error> {
    let exports = engine.collection::<Document>(EXPORTS);
    let gone = exports.find_one_and_delete(doc! { "_id": user }).session(&mut *session).await?;
    match gone.and_then(|gone| gone.get_object_id("export").ok()) {
        Some(export) => remove_parts(engine, session, export).await,
        None => Ok(()),
    }
}

async fn expired(engine: &Engine, now: Timestamp, limit: u32) -> Result<Vec<ObjectId>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let found: Vec<Document> = engine
        .collection::<Document>(EXPORTS)
        .find(doc! { "expires_at": { "$lte": now.millis() } })
        .projection(doc! { "_id": 1 })
        .sort(doc! { "expires_at": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    Ok(found.iter().filter_map(|one| one.get_object_id("_id").ok()).collect())
}

#[async_trait]
impl ExportStore for AuthDb {
    async fn begin_export(
        &self,
        export: &NewExport,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<Option<Export>> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[export.user.oid()], |mut tx| async move {
                let begun = begin(engine, tx.session(), export).await?;
                if let Some((_, true)) = &begun {
                    audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                    self.outbox.push(engine, tx.session(), jobs).await?;
                }
                Ok::<_, Abort<PortError>>(begun.map(|(export, _)| export))
            })
            .await
    }

    async fn find_export(&self, user: UserId) -> PortResult<Option<Export>> {
        self.engine.run(find(&self.engine, user.oid())).await
    }

    async fn put_export_part(&self, part: ExportPart, run: i64, bytes: &[u8]) -> PortResult<bool> {
        let engine = &self.engine;
        engine
            .transact(&[part.user.oid()], |mut tx| async move {
                Ok::<_, Abort<PortError>>(put(engine, tx.session(), part, run, bytes).await?)
            })
            .await
    }

    async fn read_export_part(&self, part: ExportPart) -> PortResult<Option<Bytes>> {
        self.engine.run(read(&self.engine, part)).await
    }

    async fn end_export(
        &self,
        user: UserId,
        id: ExportId,
        how: &ExportEnd,
        at: Timestamp,
        expires_at: Timestamp,
        jobs: &[NewJob],
    ) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[user.oid()], |mut tx| async move {
                let ended = end(engine, tx.session(), (user, id), how, (at, expires_at)).await?;
                if ended {
                    self.outbox.push(engine, tx.session(), jobs).await?;
                }
                Ok::<_, Abort<PortError>>(ended)
            })
            .await
    }

    async fn remove_expired_exports(&self, now: Timestamp, limit: u32) -> PortResult<u32> {
        let engine = &self.engine;
        let mut removed = 0;
        for user in engine.run(expired(engine, now, limit)).await? {
            // it may have been asked for anew since
            let gone = engine
                .transact(&[user], |mut tx| async move {
                    let exports = engine.collection::<Document>(EXPORTS);
                    let still = doc! { "_id": user, "expires_at": { "$lte": now.millis() } };
                    if exports.find_one(still).session(tx.session()).await?.is_none() {
                        return Ok(0);
                    }
                    remove_of(engine, tx.session(), user).await?;
                    Ok::<_, Abort<PortError>>(1)
                })
                .await?;
            removed += gone;
        }
        Ok(removed)
    }
}
