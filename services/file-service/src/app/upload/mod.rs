//! Uploads: bytes come in, and one commit makes them a file.
//!
//! Nothing is visible before the commit, and whatever was set aside or written for an upload that fails, or whose client goes away, is given
//! back. The commit itself runs to its end even if nobody waits for it any more: otherwise nobody would know whether its bytes are needed.

mod commit;
mod guards;
mod many;
mod receive;

use bytes::Bytes;
pub(crate) use common::files::OnConflict;
use common::files::{
    Action, ClassicType, CommitTarget, Committed, FormerNode, Kind, MAX_DEPTH, NewFile, Node, NodeName,
};
use common::{Code, FileId, Sha256, Timestamp, idempotency};
use futures_util::Stream;
use http_kit::BodyError;

use super::access::{Authorized, still};
use super::watch::Pass;
use crate::error::AppError;
use crate::state::FileService;

pub(crate) use commit::Sender;
pub(super) use commit::{Finished, Subject};
pub(super) use guards::Reservation;
pub(crate) use many::{MAX_FILES, Many};
pub(super) use receive::Received;

use commit::Uncommitted;
use receive::receive;

/// How often a name is looked up again after somebody else was faster.
const RACES: usize = 5;

/// What a client says of the bytes that it sends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Announced {
    /// How many they are.
    pub(crate) length: Option<u64>,
    /// Their digest.
    pub(crate) digest: Option<Sha256>,
    /// When they were last changed where they come from.
    pub(crate) modified_at: Option<Timestamp>,
}

/// Puts a file with these bytes into `parent` (action: add a child).
///
/// # Errors
/// `name_taken`, `quota_exceeded`, `disk_full`, `too_large` before a byte is read, where that can be known; those of the body; `digest_mismatch`;
/// `parent_not_found`, `too_deep`; `unauthorized` if the sender's credential was ended while the bytes came.
pub(crate) async fn put_child(
    service: &FileService,
    parent: &Authorized,
    (name, on_conflict): (&NodeName, OnConflict),
    sender: Sender,
    announced: Announced,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Committed, AppError> {
    debug_assert_eq!(parent.action(), Action::AddChild);
    // what can be refused now is not sent in vain
    check_child(service, parent, name, on_conflict).await?;
    let received = idempotency::aside(receive(service, parent.space(), name, announced, body)).await?;
    let subject = Subject::of(parent, announced, false);
    let id = FileId(service.ids.object_id());
    let finished = Finished::new(service, received, subject).sent_by(sender);
    commit_child(service, parent, name, on_conflict, id, finished).await
}

/// Takes over a file that was another product's, with the id that it had there (action: add a child): under the next free name if its name is taken, and with a job
/// for thumbnails if it was called an image.
///
/// # Errors
/// As [`put_child`].
pub(super) async fn take_former(
    service: &FileService,
    parent: &Authorized,
    name: &NodeName,
    former: FormerNode,
    announced: Announced,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Committed, AppError> {
    debug_assert_eq!(parent.action(), Action::AddChild);
    let received = receive(service, parent.space(), name, announced, body).await?;
    let subject = Subject::of(parent, announced, former.kind == ClassicType::Image);
    let target = CommitTarget::New(NewFile {
        id: former.id,
        parent: parent.id(),
        name: name.clone(),
        rename_if_taken: true,
        classic_type: Some(former.kind),
        public: former.public,
        tags: Vec::new(),
    });
    // the clock of the machine that it comes from may have been wrong
    let made_at = former.created_at.min(service.clock.now());
    let finished = Finished::new(service, received, subject).made_at(made_at);
    Ok(finished.commit(target).await?)
}

/// Whether a file can be put into `parent` under this name, as things stand.
///
/// # Errors
/// `name_taken`, `too_deep`.
pub(super) async fn check_child(
    service: &FileService,
    parent: &Authorized,
    name: &NodeName,
    on_conflict: OnConflict,
) -> Result<(), AppError> {
    if on_conflict != OnConflict::Rename
        && let Some(existing) = service.store.find_child(parent.id(), name).await?
    {
        replaceable(&existing, on_conflict)
    } else if parent.path().depth() >= MAX_DEPTH {
        Err(AppError::refused(Code::TooDeep))
    } else {
        Ok(())
    }
}

/// Makes a complete upload a file in `parent`: a new one with this id, or new content of the one that has the name.
///
/// # Errors
/// `name_taken`, `quota_exceeded`, `parent_not_found`, `too_deep`; `forbidden` if the caller may not add to the folder any more; `conflict` if
/// others are quicker again and again.
pub(super) async fn commit_child(
    service: &FileService,
    parent: &Authorized,
    name: &NodeName,
    on_conflict: OnConflict,
    id: FileId,
    mut finished: Finished,
) -> Result<Committed, AppError> {
    // the folder may have been closed to them while the bytes came
    still(service, parent, finished.pass()).await.map_err(parent_gone)?;
    for _ in 0..RACES {
        let target = child_target(service, parent, name, on_conflict, id).await?;
        match finished.commit(target).await {
            // somebody took the name, or removed the file, since it was looked up
            Err(Uncommitted::Refused(error, again))
                if on_conflict == OnConflict::Replace
                    && matches!(error.code(), Code::NameTaken | Code::NotFound) =>
            {
                finished = *again;
            }
            committed => return Ok(committed?),
        }
    }
    Err(AppError::refused(Code::Conflict))
}

/// A folder that was closed while the bytes came.
pub(super) fn parent_gone(error: AppError) -> AppError {
    if error.code() == Code::NotFound { AppError::refused(Code::ParentNotFound) } else { error }
}

/// Whether a name that this node has may be used: a folder is never replaced by a file.
fn replaceable(existing: &Node, on_conflict: OnConflict) -> Result<(), AppError> {
    if on_conflict == OnConflict::Replace && existing.kind == Kind::File {
        Ok(())
    } else {
        Err(AppError::NameTaken { existing: existing.id })
    }
}

pub(super) async fn child_target(
    service: &FileService,
    parent: &Authorized,
    name: &NodeName,
    on_conflict: OnConflict,
    id: FileId,
) -> Result<CommitTarget, AppError> {
    if on_conflict == OnConflict::Replace
        && let Some(existing) = service.store.find_child(parent.id(), name).await?
    {
        replaceable(&existing, on_conflict)?;
        return Ok(CommitTarget::Existing {
            id: existing.id,
            revision: None,
            keep_versions: service.settings.keep_versions,
        });
    }
    Ok(CommitTarget::New(NewFile {
        id,
        parent: parent.id(),
        name: name.clone(),
        rename_if_taken: on_conflict == OnConflict::Rename,
        classic_type: None,
        public: false,
        tags: Vec::new(),
    }))
}

/// Gives a file (action: change) new content, if it still has this revision.
///
/// # Errors
/// As [`put_child`]; `not_a_file`, `not_found`, `precondition_failed`.
pub(crate) async fn put_content(
    service: &FileService,
    file: &Authorized,
    revision: Option<u64>,
    pass: &Pass,
    announced: Announced,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Committed, AppError> {
    debug_assert_eq!(file.action(), Action::Change);
    if file.node().kind != Kind::File {
        return Err(AppError::refused(Code::NotAFile));
    }
    let receiving = receive(service, file.space(), &file.node().name, announced, body);
    let received = idempotency::aside(receiving).await?;
    still(service, file, pass).await?;
    let subject = Subject::of(file, announced, file.node().classic_type == Some(ClassicType::Image));
    let keep_versions = service.settings.keep_versions;
    let target = CommitTarget::Existing { id: file.id(), revision, keep_versions };
    Ok(Finished::new(service, received, subject).commit(target).await?)
}

/// Keeps a file as the classic API does: from bytes in memory, under the next free name if the name is taken, and with a job for thumbnails whenever
/// it was called an image.
///
/// # Errors
/// As [`put_child`], without those of the body.
pub(crate) async fn store_classic(
    service: &FileService,
    parent: &Authorized,
    name: NodeName,
    kind: ClassicType,
    public: bool,
    content: Bytes,
) -> Result<Node, AppError> {
    let announced = Announced { length: Some(content.len() as u64), ..Announced::default() };
    let body = futures_util::stream::iter([Ok(content)]);
    let received = receive(service, parent.space(), &name, announced, body).await?;
    let subject = Subject::of(parent, announced, kind == ClassicType::Image);
    let target = CommitTarget::New(NewFile {
        id: FileId(service.ids.object_id()),
        parent: parent.id(),
        name,
        rename_if_taken: true,
        classic_type: Some(kind),
        public,
        tags: Vec::new(),
    });
    Ok(Finished::new(service, received, subject).commit(target).await?.node)
}
