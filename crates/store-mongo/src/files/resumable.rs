//! Uploads that come in several goes: a document each, changed by its generation.

mod room;

use async_trait::async_trait;
use common::files::{
    NodeError, NodeName, OnConflict, PartialBlob, Saved, Taken, Upload, UploadRole, UploadState, UploadStore,
    Uploader,
};
use common::{BlobKey, PortResult, ReservationId, Sha256, SpaceId, Timestamp, UploadId, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::{FilesDb, schema};
use crate::engine::Fault;
use crate::value::{ToOid as _, binary, count, fixed, id as read_id, int, key, read_key};

/// Most uploads that are told to wait for one part.
const MAX_FINALS: i64 = 100;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct UploadDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    owner: ObjectId,
    /// Not there at all if it comes by none: an index has the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<ObjectId>,
    space: ObjectId,
    parent: ObjectId,
    name: Option<String>,
    on_conflict: String,
    modified_at: Option<i64>,
    metadata: Option<String>,
    /// `whole`, `part`, `final`.
    role: String,
    parts: Vec<ObjectId>,
    length: Option<i64>,
    digest: Option<Binary>,
    blob: Binary,
    /// Bytes that are there, durable.
    size: i64,
    blob_state: String,
    file: ObjectId,
    /// `open`, `complete`, `done`.
    state: String,
    done_file: Option<ObjectId>,
    /// For indexes: it is no file yet.
    unfinished: bool,
    reservation: Option<ObjectId>,
    created_at: i64,
    expires_at: i64,
    generation: i64,
    /// 0 if nobody holds it: a filter by null would also find what has no such field.
    lease_until: i64,
    /// Somebody else wants it.
    wanted: bool,
}

const fn state_words(state: UploadState) -> (&'static str, Option<common::FileId>) {
    match state {
        UploadState::Open => ("open", None),
        UploadState::Complete => ("complete", None),
        UploadState::Done(file) => ("done", Some(file)),
    }
}

impl UploadDoc {
    fn of(upload: &Upload) -> Self {
        let (role, parts): (_, &[UploadId]) = match &upload.role {
            UploadRole::Whole => ("whole", &[]),
            UploadRole::Part => ("part", &[]),
            UploadRole::Final(parts) => ("final", parts),
        };
        let (state, done_file) = state_words(upload.state);
        Self {
            id: upload.id.oid(),
            owner: upload.owner.oid(),
            link: upload.link.map(|link| link.oid()),
            space: upload.space.oid(),
            parent: upload.parent.oid(),
            name: upload.name.as_ref().map(|name| name.as_str().to_owned()),
            on_conflict: upload.on_conflict.word().to_owned(),
            modified_at: upload.modified_at.map(Timestamp::millis),
            metadata: upload.metadata.clone(),
            role: role.to_owned(),
            parts: parts.iter().map(|part| part.oid()).collect(),
            length: upload.length.map(int),
            digest: upload.digest.map(|digest| binary(&digest.0)),
            blob: key(upload.blob.key),
            size: int(upload.blob.size),
            blob_state: upload.blob.state.clone(),
            file: upload.file.oid(),
            state: state.to_owned(),
            done_file: done_file.map(|file| file.oid()),
            unfinished: done_file.is_none(),
            reservation: upload.reservation.map(|reservation| reservation.oid()),
            created_at: upload.created_at.millis(),
            expires_at: upload.expires_at.millis(),
            generation: int(upload.generation),
            lease_until: upload.lease.map_or(0, Timestamp::millis),
            wanted: false,
        }
    }

    fn upload(self) -> Result<Upload, Fault> {
        let name = self.name.map(|name| NodeName::parse(&name)).transpose();
        let parts: Vec<UploadId> = self.parts.into_iter().map(read_id).collect();
        Ok(Upload {
            id: read_id(self.id),
            owner: read_id(self.owner),
            link: self.link.map(read_id),
            space: read_id(self.space),
            parent: read_id(self.parent),
            name: name.map_err(|_| Fault::Damaged("an upload has no good name"))?,
            on_conflict: OnConflict::parse(&self.on_conflict).ok_or(Fault::Damaged("an unknown word"))?,
            modified_at: self.modified_at.map(Timestamp::from_millis),
            metadata: self.metadata,
            role: match self.role.as_str() {
                "whole" => UploadRole::Whole,
                "part" => UploadRole::Part,
                "final" => UploadRole::Final(parts),
                _ => return Err(Fault::Damaged("an upload of an unknown role")),
            },
            length: self.length.map(count).transpose()?,
            digest: self.digest.as_ref().map(fixed).transpose()?.map(Sha256),
            blob: PartialBlob { key: read_key(&self.blob)?, size: count(self.size)?, state: self.blob_state },
            file: read_id(self.file),
            state: match (self.state.as_str(), self.done_file) {
                ("open", None) => UploadState::Open,
                ("complete", None) => UploadState::Complete,
                ("done", Some(file)) => UploadState::Done(read_id(file)),
                _ => return Err(Fault::Damaged("an upload of an unknown state")),
            },
            reservation: self.reservation.map(read_id),
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            generation: count(self.generation)?,
            lease: (self.lease_until != 0).then(|| Timestamp::from_millis(self.lease_until)),
        })
    }

    /// What a holder can change.
    fn changes(self) -> Document {
        doc! {
            "parent": self.parent,
            "name": self.name,
            "on_conflict": self.on_conflict,
            "modified_at": self.modified_at,
            "metadata": self.metadata,
            "length": self.length,
            "digest": self.digest,
            "size": self.size,
            "blob_state": self.blob_state,
            "state": self.state,
            "done_file": self.done_file,
            "unfinished": self.unfinished,
            "reservation": self.reservation,
            "expires_at": self.expires_at,
            "lease_until": self.lease_until,
        }
    }
}

fn uploads(db: &FilesDb) -> Collection<UploadDoc> {
    db.collection(schema::UPLOADS)
}

/// The filter and the update that keep an upload.
fn saving(upload: &Upload) -> (Document, Document) {
    let own = doc! { "_id": upload.id.oid(), "generation": int(upload.generation) };
    (own, doc! { "$set": UploadDoc::of(upload).changes() })
}

/// The uploads that a query finds, in its order.
async fn list(db: &FilesDb, filter: Document, sort: Document, limit: u32) -> PortResult<Vec<Upload>> {
    if limit == 0 {
        // the server takes it for no limit
        return Ok(Vec::new());
    }
    db.read(async {
        let found: Vec<UploadDoc> =
            uploads(db).find(filter).sort(sort).limit(i64::from(limit)).await?.try_collect().await?;
        Ok(found.into_iter().map(UploadDoc::upload).collect::<Result<_, _>>()?)
    })
    .await
}

/// Unfinished uploads of somebody.
fn whose(of: Uploader) -> Document {
    match of {
        Uploader::User(user) => {
            doc! { "owner": user.oid(), "unfinished": true, "link": { "$exists": false } }
        }
        Uploader::Link(link) => doc! { "link": link.oid(), "unfinished": true },
    }
}

/// Unfinished uploads into a space that are not its owner's own.
fn into_space(space: SpaceId, owner: UserId) -> Document {
    let not_own = vec![doc! { "owner": { "$ne": owner.oid() } }, doc! { "link": { "$exists": true } }];
    doc! { "space": space.oid(), "unfinished": true, "$or": not_own }
}

#[derive(Deserialize)]
struct OfBlob {
    blob: Binary,
}

#[derive(Deserialize)]
struct OnlyId {
    #[serde(rename = "_id")]
    id: ObjectId,
}

#[async_trait]
impl UploadStore for FilesDb {
    async fn insert_upload(&self, upload: &Upload) -> PortResult<()> {
        let new = UploadDoc::of(upload);
        self.read(async {
            uploads(self).insert_one(&new).await?;
            Ok(())
        })
        .await
    }

    async fn insert_upload_with_room(
        &self,
        upload: &Upload,
        bytes: u64,
        until: Timestamp,
    ) -> Result<(), NodeError> {
        match upload.reservation {
            Some(reservation) => room::insert(self, upload, reservation, bytes, until).await,
            None => Ok(self.insert_upload(upload).await?),
        }
    }

    async fn find_upload(&self, id: UploadId) -> PortResult<Option<Upload>> {
        self.read(async {
            let found = uploads(self).find_one(doc! { "_id": id.oid() }).await?;
            Ok(found.map(UploadDoc::upload).transpose()?)
        })
        .await
    }

    async fn list_uploads(
        &self,
        of: Uploader,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>> {
        let mut filter = whose(of);
        if let Some(before) = before {
            filter.insert("_id", doc! { "$lt": before.oid() });
        }
        list(self, filter, doc! { "_id": -1 }, limit).await
    }

    async fn count_uploads(&self, of: Uploader) -> PortResult<u64> {
        self.read(async { Ok(uploads(self).count_documents(whose(of)).await?) }).await
    }

    async fn list_uploads_into(
        &self,
        space: SpaceId,
        owner: UserId,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>> {
        let mut filter = into_space(space, owner);
        if let Some(before) = before {
            filter.insert("_id", doc! { "$lt": before.oid() });
        }
        list(self, filter, doc! { "_id": -1 }, limit).await
    }

    async fn count_uploads_into(&self, space: SpaceId, owner: UserId) -> PortResult<u64> {
        let filter = into_space(space, owner);
        self.read(async { Ok(uploads(self).count_documents(filter).await?) }).await
    }

    async fn list_unfinished_uploads(&self, after: Option<UploadId>, limit: u32) -> PortResult<Vec<Upload>> {
        let mut filter = doc! { "unfinished": true };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": after.oid() });
        }
        list(self, filter, doc! { "_id": 1 }, limit).await
    }

    async fn take_upload(&self, id: UploadId, now: Timestamp, until: Timestamp) -> PortResult<Taken> {
        self.read(async {
            // one that nobody holds has the lease 0, which ended long ago
            let free = doc! { "_id": id.oid(), "lease_until": { "$lt": now.millis() } };
            let change = doc! {
                "$inc": { "generation": 1_i64 },
                "$set": { "lease_until": until.millis(), "wanted": false },
            };
            let taken = uploads(self)
                .find_one_and_update(free, change)
                .return_document(ReturnDocument::After)
                .await?;
            if let Some(taken) = taken {
                return Ok(Taken::Held(Box::new(taken.upload()?)));
            }
            let noted = uploads(self)
                .update_one(doc! { "_id": id.oid() }, doc! { "$set": { "wanted": true } })
                .await?;
            Ok(if noted.matched_count > 0 { Taken::Busy } else { Taken::Gone })
        })
        .await
    }

    async fn save_upload(&self, upload: &Upload) -> PortResult<Saved> {
        let (own, change) = saving(upload);
        self.read(async {
            let saved =
                uploads(self).find_one_and_update(own, change).return_document(ReturnDocument::After).await?;
            Ok(saved.map_or(Saved::Lost, |saved| Saved::Kept { wanted: saved.wanted }))
        })
        .await
    }

    async fn save_upload_with_room(
        &self,
        upload: &Upload,
        merged: &[ReservationId],
        bytes: u64,
        until: Timestamp,
    ) -> Result<Saved, NodeError> {
        match upload.reservation {
            Some(reservation) => room::save(self, upload, (reservation, merged), bytes, until).await,
            None => Ok(self.save_upload(upload).await?),
        }
    }

    async fn save_upload_without_parts(&self, upload: &Upload) -> PortResult<(Saved, Vec<Upload>)> {
        match &upload.role {
            UploadRole::Final(parts) => room::save_without_parts(self, upload, parts).await,
            UploadRole::Whole | UploadRole::Part => Ok((self.save_upload(upload).await?, Vec::new())),
        }
    }

    async fn cut_off_uploads(&self, of: Uploader) -> PortResult<u64> {
        let change = doc! {
            "$inc": { "generation": 1_i64 },
            "$set": { "expires_at": Upload::CUT_OFF.millis(), "lease_until": 0_i64, "wanted": false },
        };
        self.read(async { Ok(uploads(self).update_many(whose(of), change).await?.modified_count) }).await
    }

    async fn remove_upload(&self, id: UploadId, generation: u64) -> PortResult<bool> {
        room::remove(self, id, generation).await
    }

    async fn list_expired_uploads(&self, now: Timestamp, limit: u32) -> PortResult<Vec<Upload>> {
        let filter = doc! { "expires_at": { "$lt": now.millis() } };
        list(self, filter, doc! { "expires_at": 1 }, limit).await
    }

    async fn known_uploads(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Binary> = keys.iter().map(|blob| key(*blob)).collect();
        self.read(async {
            let found: Vec<OfBlob> = self
                .collection::<OfBlob>(schema::UPLOADS)
                .find(doc! { "blob": { "$in": keys }, "unfinished": true })
                .projection(doc! { "blob": 1, "_id": 0 })
                .await?
                .try_collect()
                .await?;
            Ok(found.iter().map(|upload| read_key(&upload.blob)).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn finals_of_part(&self, part: UploadId) -> PortResult<Vec<UploadId>> {
        self.read(async {
            let found: Vec<OnlyId> = self
                .collection::<OnlyId>(schema::UPLOADS)
                .find(doc! { "parts": part.oid(), "unfinished": true })
                .projection(doc! { "_id": 1 })
                .limit(MAX_FINALS)
                .await?
                .try_collect()
                .await?;
            Ok(found.into_iter().map(|upload| read_id(upload.id)).collect())
        })
        .await
    }
}
