//! The one commit that ends an upload.

use std::sync::Arc;
use std::time::Duration;

use common::files::{
    Commit, CommitTarget, Committed, FileStore, LinkStore, LinkUse, NewContent, NewFile, NodeError, Place,
    ThumbnailState,
};
use common::jobs::{Cause, NewJob, types};
use common::{Causes, Clock, FileId, IdGen, JobId, LinkId, PortError, Timestamp, UserId};
use metrics::counter;
use runtime::crash_point;

use super::Announced;
use super::receive::Received;
use crate::app::access::Authorized;
use crate::app::watch::Pass;
use crate::background::Background;
use crate::error::AppError;
use crate::state::FileService;

/// Whose upload it is, and what it says of itself.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) struct Subject {
    by: UserId,
    via: Option<LinkId>,
    owner: UserId,
    modified_at: Option<Timestamp>,
    /// Thumbnails are tried whatever the type.
    called_image: bool,
}

impl Subject {
    /// An upload into, or onto, this node.
    pub(in crate::app) fn of(node: &Authorized, announced: Announced, called_image: bool) -> Self {
        Self {
            by: node.by(),
            via: node.doer().link,
            owner: node.node().owner,
            modified_at: announced.modified_at,
            called_image,
        }
    }
}

/// Who sends bytes.
#[derive(Debug)]
pub(crate) enum Sender {
    /// Whoever was let in by this.
    Caller(Pass),
    /// A visitor by this link, with the job that may have to tell of it.
    Visitor(LinkId, Box<NewJob>),
}

/// A commit that did not come about.
pub(super) enum Uncommitted {
    /// The store refused it; it can be committed to another target.
    Refused(AppError, Box<Finished>),
    /// The process is ending, or a task of it has failed: what became of the commit is unknown.
    Lost(PortError),
}

impl From<Uncommitted> for AppError {
    fn from(uncommitted: Uncommitted) -> Self {
        match uncommitted {
            Uncommitted::Refused(error, _) => error,
            Uncommitted::Lost(error) => error.into(),
        }
    }
}

/// An upload whose bytes are all there, ready to be committed.
pub(in crate::app) struct Finished {
    received: Received,
    subject: Subject,
    sender: Sender,
    store: Arc<dyn FileStore>,
    links: Arc<dyn LinkStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    background: Background,
    complete_since: Timestamp,
    within: Duration,
    /// What it works for, where that is not the present request.
    cause: Option<Cause>,
    /// When it was made where it comes from; else now.
    made_at: Option<Timestamp>,
}

impl Finished {
    pub(in crate::app) fn new(service: &FileService, received: Received, subject: Subject) -> Self {
        Self {
            received,
            subject,
            sender: Sender::Caller(Pass::Free),
            store: Arc::clone(&service.store),
            links: Arc::clone(&service.links),
            clock: Arc::clone(&service.clock),
            ids: Arc::clone(&service.ids),
            background: service.background.clone(),
            complete_since: service.clock.now(),
            within: service.settings.commit_within,
            cause: None,
            made_at: None,
        }
    }

    /// Its jobs are those of this cause, although the commit is not made in its request.
    pub(in crate::app) fn caused_by(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// It comes from somebody who may have been shut out since, or by a link, which notes it.
    pub(in crate::app) fn sent_by(self, sender: Sender) -> Self {
        Self { sender, ..self }
    }

    /// What whoever sends it was let in by.
    pub(super) fn pass(&self) -> &Pass {
        match &self.sender {
            Sender::Caller(pass) => pass,
            Sender::Visitor(..) => &Pass::Free,
        }
    }

    /// It was made at this time, before it came here.
    pub(super) fn made_at(self, at: Timestamp) -> Self {
        Self { made_at: Some(at), ..self }
    }

    /// Commits. It goes on to its end although the caller may be dropped.
    ///
    /// # Errors
    /// Why it was not committed, and the upload itself, which can be committed to another target.
    pub(super) async fn commit(self, target: CommitTarget) -> Result<Committed, Uncommitted> {
        let cause = self.cause.clone().unwrap_or_else(http_kit::cause::current);
        let work = self.background.clone().spawn_awaited(self.run(target, cause));
        work.await.unwrap_or_else(|ended| Err(Uncommitted::Lost(PortError::broken("files", ended))))
    }

    async fn run(mut self, target: CommitTarget, cause: Cause) -> Result<Committed, Uncommitted> {
        let file = match &target {
            CommitTarget::New(NewFile { id, .. }) | CommitTarget::Existing { id, .. } => *id,
        };
        // a process that was suspended for so long may come too late: the sweep takes bytes without a row for strays when they are old
        if self.clock.now().since(self.complete_since) > self.within {
            let late = PortError::unavailable("files", "the upload waited too long for its commit");
            return Err(Uncommitted::Refused(late.into(), Box::new(self)));
        }
        let commit = self.commit_of(target, file, &cause);
        // from here on the commit may happen although nobody hears of it
        self.may_be_committed(true);
        match self.store.commit_upload(&commit).await {
            Ok(committed) => {
                crash_point("upload.after-commit");
                let place =
                    if matches!(commit.content.blob.place, Place::Inline(_)) { "inline" } else { "blob" };
                counter!("fm_files_uploads_total", "place" => place).increment(1);
                counter!("fm_files_uploaded_bytes_total").increment(commit.content.blob.size);
                self.note(committed.node.id).await;
                Ok(committed)
            }
            Err(error) => {
                // a store that does not answer may have committed
                let unknown = matches!(
                    error,
                    NodeError::Port(PortError::Unavailable { .. } | PortError::Broken { .. })
                );
                self.may_be_committed(unknown);
                Err(Uncommitted::Refused(error.into(), Box::new(self)))
            }
        }
    }

    /// Notes at its link what came by it. That fails alone: whoever sent it would send it again if they heard of no file.
    async fn note(&self, file: FileId) {
        let Sender::Visitor(link, job) = &self.sender else { return };
        let used = LinkUse { file, job: (**job).clone() };
        if let Err(error) = self.links.note_drop(*link, self.clock.now(), &used).await {
            tracing::error!(%link, %file, cause = %Causes(&error), "a file came by a link, and the link has no note of it");
        }
    }

    fn may_be_committed(&mut self, may_be: bool) {
        if let Some(reservation) = &mut self.received.reservation {
            reservation.set_settled(may_be);
        }
        if let Some(stray) = &mut self.received.stray {
            stray.set_kept(may_be);
        }
    }

    fn commit_of(&self, target: CommitTarget, file: FileId, cause: &Cause) -> Commit {
        let at = self.clock.now();
        let Received { blob, mime, reservation, .. } = &self.received;
        let thumbnails = self.subject.called_image || thumbnails::supports(mime);
        let (id, owner, content) =
            (|| JobId(self.ids.object_id()), self.subject.owner, (blob.key, blob.size));
        let mut jobs = Vec::new();
        if thumbnails {
            jobs.push(types::thumbnails(id(), owner, file, blob.key, at).caused_by(cause));
        } else if media_facts::supports(mime) {
            jobs.push(types::media_facts(id(), owner, file, content, at).caused_by(cause));
        }
        if blob.size > 0 && texts::supports(mime) {
            jobs.push(types::text(id(), owner, file, content, mime, at).caused_by(cause));
        }
        Commit {
            target,
            content: NewContent {
                blob: blob.clone(),
                mime: (*mime).to_owned(),
                modified_at: self.subject.modified_at.or(self.made_at).unwrap_or(at),
                thumbnails: if thumbnails { ThumbnailState::Pending } else { ThumbnailState::None },
            },
            by: self.subject.by,
            via: self.subject.via,
            at: self.made_at.unwrap_or(at),
            reservation: reservation.as_ref().map(super::guards::Reservation::id),
            jobs,
        }
    }
}
