//! Uploads that come in several goes.

mod room;

use std::collections::HashSet;

use async_trait::async_trait;
use common::files::{
    NodeError, NodeName, OnConflict, PartialBlob, Saved, Taken, Upload, UploadRole, UploadState, UploadStore,
    Uploader,
};
use common::{BlobKey, PortResult, ReservationId, Sha256, SpaceId, Timestamp, UploadId, UserId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::FilesDb;
use crate::engine::{Tx, damaged};
use crate::row::{RowExt as _, int};

const COLUMNS: &str = "id, owner, space, parent, name, on_conflict, modified_at, metadata, role, length, digest, blob, size, blob_state, file,
     state, done_file, reservation, created_at, expires_at, generation, lease_until, link";

/// Most uploads that are told to wait for one part.
const MAX_FINALS: u32 = 100;

/// No id is behind this one.
const GREATEST: UploadId = UploadId::from_bytes([0xff; 12]);

/// All but the parts of a final upload.
fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let digest: Option<Vec<u8>> = row.get(10)?;
    let digest = digest.map(|bytes| bytes.try_into().map_err(|_| damaged("a digest of another length")));
    let name: Option<String> = row.get(4)?;
    Ok(Upload {
        id: row.id(0)?,
        owner: row.id(1)?,
        space: row.id(2)?,
        parent: row.id(3)?,
        name: name
            .map(|name| NodeName::parse(&name).map_err(|_| damaged("an upload has no good name")))
            .transpose()?,
        on_conflict: row.word(5, OnConflict::parse)?,
        modified_at: row.time_opt(6)?,
        metadata: row.get(7)?,
        role: row.word(8, |word| match word {
            "whole" => Some(UploadRole::Whole),
            "part" => Some(UploadRole::Part),
            "final" => Some(UploadRole::Final(Vec::new())),
            _ => None,
        })?,
        length: if row.get::<_, Option<i64>>(9)?.is_some() { Some(row.count(9)?) } else { None },
        digest: digest.transpose()?.map(Sha256),
        blob: PartialBlob { key: row.id(11)?, size: row.count(12)?, state: row.get(13)? },
        file: row.id(14)?,
        state: match (row.get_ref(15)?.as_str()?, row.id_opt(16)?) {
            ("open", None) => UploadState::Open,
            ("complete", None) => UploadState::Complete,
            ("done", Some(file)) => UploadState::Done(file),
            _ => return Err(damaged("an upload of an unknown state")),
        },
        reservation: row.id_opt(17)?,
        created_at: row.time(18)?,
        expires_at: row.time(19)?,
        generation: row.count(20)?,
        lease: row.time_opt(21)?,
        link: row.id_opt(22)?,
    })
}

fn with_parts(connection: &Connection, mut upload: Upload) -> rusqlite::Result<Upload> {
    if let UploadRole::Final(parts) = &mut upload.role {
        *parts = connection
            .prepare_cached("SELECT part FROM upload_parts WHERE upload = ?1 ORDER BY position")?
            .query_map([upload.id.bytes()], |row| row.id(0))?
            .collect::<Result<_, _>>()?;
    }
    Ok(upload)
}

fn all_with_parts(
    connection: &Connection,
    uploads: impl Iterator<Item = rusqlite::Result<Upload>>,
) -> rusqlite::Result<Vec<Upload>> {
    uploads.map(|upload| with_parts(connection, upload?)).collect()
}

fn find(connection: &Connection, id: UploadId) -> rusqlite::Result<Option<Upload>> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM uploads WHERE id = ?1"))?
        .query_row([id.bytes()], upload)
        .optional()?;
    found.map(|upload| with_parts(connection, upload)).transpose()
}

const fn state_words(state: UploadState) -> (&'static str, Option<common::FileId>) {
    match state {
        UploadState::Open => ("open", None),
        UploadState::Complete => ("complete", None),
        UploadState::Done(file) => ("done", Some(file)),
    }
}

fn insert(tx: &Tx<'_>, upload: &Upload) -> rusqlite::Result<()> {
    let (role, parts): (_, &[UploadId]) = match &upload.role {
        UploadRole::Whole => ("whole", &[]),
        UploadRole::Part => ("part", &[]),
        UploadRole::Final(parts) => ("final", parts),
    };
    let (state, done_file) = state_words(upload.state);
    tx.prepare_cached(&format!(
        "INSERT INTO uploads ({COLUMNS}) VALUES
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)"
    ))?
    .execute(params![
        upload.id.bytes(),
        upload.owner.bytes(),
        upload.space.bytes(),
        upload.parent.bytes(),
        upload.name.as_ref().map(NodeName::as_str),
        upload.on_conflict.word(),
        upload.modified_at.map(Timestamp::millis),
        upload.metadata,
        role,
        upload.length.map(int),
        upload.digest.map(|digest| digest.0),
        upload.blob.key.bytes(),
        int(upload.blob.size),
        upload.blob.state,
        upload.file.bytes(),
        state,
        done_file.map(|file| *file.bytes()),
        upload.reservation.map(|reservation| *reservation.bytes()),
        upload.created_at.millis(),
        upload.expires_at.millis(),
        int(upload.generation),
        upload.lease.map(Timestamp::millis),
        upload.link.map(|link| *link.bytes()),
    ])?;
    let mut statement =
        tx.prepare_cached("INSERT INTO upload_parts (upload, position, part) VALUES (?1, ?2, ?3)")?;
    for (position, part) in (0_i64..).zip(parts) {
        statement.execute((upload.id.bytes(), position, part.bytes()))?;
    }
    Ok(())
}

fn take(tx: &Tx<'_>, id: UploadId, now: Timestamp, until: Timestamp) -> rusqlite::Result<Taken> {
    let taken = tx
        .prepare_cached(
            "UPDATE uploads SET generation = generation + 1, lease_until = ?3, wanted = 0
             WHERE id = ?1 AND (lease_until IS NULL OR lease_until < ?2)",
        )?
        .execute((id.bytes(), now.millis(), until.millis()))?;
    if taken > 0 {
        return Ok(find(tx, id)?.map_or(Taken::Gone, |upload| Taken::Held(Box::new(upload))));
    }
    let noted = tx.prepare_cached("UPDATE uploads SET wanted = 1 WHERE id = ?1")?.execute([id.bytes()])?;
    Ok(if noted > 0 { Taken::Busy } else { Taken::Gone })
}

fn save(tx: &Tx<'_>, upload: &Upload) -> rusqlite::Result<Saved> {
    let (state, done_file) = state_words(upload.state);
    let wanted = tx
        .prepare_cached(
            "UPDATE uploads SET parent = ?3, name = ?4, on_conflict = ?5, modified_at = ?6, metadata = ?7, length = ?8, digest = ?9,
                                size = ?10, blob_state = ?11, state = ?12, done_file = ?13, reservation = ?14, expires_at = ?15,
                                lease_until = ?16
             WHERE id = ?1 AND generation = ?2 RETURNING wanted",
        )?
        .query_row(
            params![
                upload.id.bytes(),
                int(upload.generation),
                upload.parent.bytes(),
                upload.name.as_ref().map(NodeName::as_str),
                upload.on_conflict.word(),
                upload.modified_at.map(Timestamp::millis),
                upload.metadata,
                upload.length.map(int),
                upload.digest.map(|digest| digest.0),
                int(upload.blob.size),
                upload.blob.state,
                state,
                done_file.map(|file| *file.bytes()),
                upload.reservation.map(|reservation| *reservation.bytes()),
                upload.expires_at.millis(),
                upload.lease.map(Timestamp::millis),
            ],
            |row| row.get::<_, bool>(0),
        )
        .optional()?;
    Ok(wanted.map_or(Saved::Lost, |wanted| Saved::Kept { wanted }))
}

/// What selects the unfinished uploads of somebody, whose id is the first parameter. Each condition is that of an index.
fn whose(of: &Uploader) -> (&'static str, &[u8; 12]) {
    match of {
        Uploader::User(user) => ("owner = ?1 AND link IS NULL AND state != 'done'", user.bytes()),
        Uploader::Link(link) => ("link = ?1 AND state != 'done'", link.bytes()),
    }
}

fn cut_off(tx: &Tx<'_>, of: Uploader) -> rusqlite::Result<u64> {
    let (whose, id) = whose(&of);
    let cut = tx
        .prepare_cached(&format!(
            "UPDATE uploads SET expires_at = ?2, generation = generation + 1, lease_until = NULL, wanted = 0 WHERE {whose}"
        ))?
        .execute((id, Upload::CUT_OFF.millis()))?;
    Ok(cut as u64)
}

impl FilesDb {
    /// Ends the leases of all uploads, whoever holds them, and gives back what these had set aside ahead of bytes that did not come: for a process that has the
    /// data to itself, when it starts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_upload_leases(&self) -> PortResult<()> {
        self.write(room::end_leases).await
    }
}

#[async_trait]
impl UploadStore for FilesDb {
    async fn insert_upload(&self, upload: &Upload) -> PortResult<()> {
        let upload = upload.clone();
        self.write(move |tx| insert(tx, &upload)).await
    }

    async fn insert_upload_with_room(
        &self,
        upload: &Upload,
        bytes: u64,
        until: Timestamp,
    ) -> Result<(), NodeError> {
        let upload = upload.clone();
        self.change(move |tx| room::insert(tx, &upload, bytes, until)).await
    }

    async fn find_upload(&self, id: UploadId) -> PortResult<Option<Upload>> {
        self.read_one_state(move |connection| find(connection, id)).await
    }

    async fn list_uploads(
        &self,
        of: Uploader,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>> {
        self.read_one_state(move |connection| {
            let before = before.unwrap_or(GREATEST);
            let (whose, id) = whose(&of);
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM uploads WHERE {whose} AND id < ?2 ORDER BY id DESC LIMIT ?3"
            ))?;
            let found = statement.query_map((id, before.bytes(), limit), upload)?;
            all_with_parts(connection, found)
        })
        .await
    }

    async fn count_uploads(&self, of: Uploader) -> PortResult<u64> {
        self.read(move |connection| {
            let (whose, id) = whose(&of);
            connection
                .prepare_cached(&format!("SELECT count(*) FROM uploads WHERE {whose}"))?
                .query_row([id], |row| row.count(0))
        })
        .await
    }

    async fn list_uploads_into(
        &self,
        space: SpaceId,
        owner: UserId,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>> {
        self.read_one_state(move |connection| {
            let before = before.unwrap_or(GREATEST);
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM uploads WHERE space = ?1 AND state != 'done' AND (owner != ?2 OR link IS NOT NULL) AND id < ?3
                 ORDER BY id DESC LIMIT ?4"
            ))?;
            let found =
                statement.query_map((space.bytes(), owner.bytes(), before.bytes(), limit), upload)?;
            all_with_parts(connection, found)
        })
        .await
    }

    async fn count_uploads_into(&self, space: SpaceId, owner: UserId) -> PortResult<u64> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT count(*) FROM uploads WHERE space = ?1 AND state != 'done' AND (owner != ?2 OR link IS NOT NULL)",
                )?
                .query_row((space.bytes(), owner.bytes()), |row| row.count(0))
        })
        .await
    }

    async fn list_unfinished_uploads(&self, after: Option<UploadId>, limit: u32) -> PortResult<Vec<Upload>> {
        self.read_one_state(move |connection| {
            let after = after.map(|after| *after.bytes());
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM uploads WHERE state != 'done' AND id > coalesce(?1, x'') ORDER BY id LIMIT ?2"
            ))?;
            let found = statement.query_map((after, limit), upload)?;
            all_with_parts(connection, found)
        })
        .await
    }

    async fn take_upload(&self, id: UploadId, now: Timestamp, until: Timestamp) -> PortResult<Taken> {
        self.write(move |tx| take(tx, id, now, until)).await
    }

    async fn save_upload(&self, upload: &Upload) -> PortResult<Saved> {
        let upload = upload.clone();
        self.write(move |tx| save(tx, &upload)).await
    }

    async fn save_upload_with_room(
        &self,
        upload: &Upload,
        merged: &[ReservationId],
        bytes: u64,
        until: Timestamp,
    ) -> Result<Saved, NodeError> {
        let (upload, merged) = (upload.clone(), merged.to_vec());
        self.change(move |tx| room::save(tx, &upload, &merged, bytes, until)).await
    }

    async fn save_upload_without_parts(&self, upload: &Upload) -> PortResult<(Saved, Vec<Upload>)> {
        let upload = upload.clone();
        self.write(move |tx| room::save_without_parts(tx, &upload)).await
    }

    async fn cut_off_uploads(&self, of: Uploader) -> PortResult<u64> {
        self.write(move |tx| cut_off(tx, of)).await
    }

    async fn remove_upload(&self, id: UploadId, generation: u64) -> PortResult<bool> {
        self.write(move |tx| room::remove(tx, id, generation)).await
    }

    async fn list_expired_uploads(&self, now: Timestamp, limit: u32) -> PortResult<Vec<Upload>> {
        self.read_one_state(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM uploads WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2"
            ))?;
            let found = statement.query_map((now.millis(), limit), upload)?;
            all_with_parts(connection, found)
        })
        .await
    }

    async fn known_uploads(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>> {
        /// As many as go into one statement.
        const AT_ONCE: usize = 500;
        let keys: HashSet<BlobKey> = keys.iter().copied().collect();
        self.read_one_state(move |connection| {
            let (keys, mut known): (Vec<_>, _) = (keys.into_iter().collect(), Vec::new());
            for keys in keys.chunks(AT_ONCE) {
                let marks = vec!["?"; keys.len()].join(", ");
                let sql = format!("SELECT blob FROM uploads WHERE state != 'done' AND blob IN ({marks})");
                let values = keys.iter().map(|key| Value::Blob(key.bytes().to_vec()));
                let mut statement = connection.prepare(&sql)?;
                for key in statement.query_map(params_from_iter(values), |row| row.id(0))? {
                    known.push(key?);
                }
            }
            Ok(known)
        })
        .await
    }

    async fn finals_of_part(&self, part: UploadId) -> PortResult<Vec<UploadId>> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT DISTINCT upload FROM upload_parts JOIN uploads ON uploads.id = upload
                     WHERE part = ?1 AND state != 'done' LIMIT ?2",
                )?
                .query_map((part.bytes(), MAX_FINALS), |row| row.id(0))?
                .collect()
        })
        .await
    }
}
