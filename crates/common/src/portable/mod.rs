//! What an installation is carried by from one store to another of whatever kind: everything that its stores keep of their own, in pages and as it is.
//!
//! Nothing here decides or checks anything of the domain: what is read by one port is written by the other, ids, hashes and counts included. What stores derive (the words that
//! files are found by, counters beside those that stand in the records) is theirs to make anew. Nobody else uses a store meanwhile.
//!
//! `page_…` gives up to `limit` records behind `after`, the last one of the page before, in an order that is the store's own; fewer than `limit` only at the
//! end. `keep_…` is durable when it returns, and safe to repeat: what is there already stays as it is.

mod files;

use async_trait::async_trait;

use crate::auth::{Account, ApiToken, AuditEntry, Group, Identity, Invitation};
use crate::error::PortResult;
use crate::files::{CopyOperation, FileEvent, Operation, Share};
use crate::jobs::{Job, JobState, NewJob};
use crate::notifications::Notification;
use crate::{
    AuditId, BlobKey, FileId, GroupId, IdentityId, InvitationId, JobId, LinkId, NotificationId, OperationId,
    ShareId, SpaceId, Timestamp, TokenId, UserId,
};

pub use files::{
    PortableBlob, PortableContent, PortableFront, PortableLink, PortableNode, PortableNotice, PortablePart,
    PortableReturn, PortableSpace, PortableStamp, PortableStar, PortableThumbnail, PortableVersion,
};

/// The master key, as far as a folder must know it.
pub trait Keys: Send + Sync {
    /// Seals `plain` for the use that `label` names.
    fn seal(&self, label: &str, plain: &[u8]) -> Vec<u8>;
    /// Opens it, by this key or the one before; none if another one sealed it.
    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>>;
    /// Whether there is a key before this one, and it may be what sealed this.
    fn is_former(&self, sealed: &[u8]) -> bool;
}

/// An account with what only its sign-ins know.
#[derive(Debug, Clone, PartialEq)]
pub struct PortableAccount {
    /// The account. Its `user` is disabled as well while it waits to be deleted; `blocked` says what an administrator did.
    pub account: Account,
    /// Hashes of the recovery codes that are left, in ascending order.
    pub recovery_codes: Vec<[u8; 32]>,
    /// Hashes of devices that it was signed in from, and when last, in ascending order.
    pub devices: Vec<([u8; 32], Timestamp)>,
}

/// Accounts and what is theirs. Sessions, codes that went by mail, signing keys and accounts' exports stay where they are: whoever comes along signs in anew.
#[async_trait]
pub trait PortableAuth: Send + Sync {
    /// Accounts.
    async fn page_accounts(&self, after: Option<UserId>, limit: u32) -> PortResult<Vec<PortableAccount>>;

    /// Keeps accounts.
    ///
    /// # Errors
    /// `Broken` if another account has the address of one.
    async fn keep_accounts(&self, accounts: &[PortableAccount]) -> PortResult<()>;

    /// API tokens.
    async fn page_tokens(&self, after: Option<TokenId>, limit: u32) -> PortResult<Vec<ApiToken>>;

    /// Keeps API tokens.
    async fn keep_tokens(&self, tokens: &[ApiToken]) -> PortResult<()>;

    /// Lines of the audit log.
    async fn page_audit(&self, after: Option<AuditId>, limit: u32) -> PortResult<Vec<AuditEntry>>;

    /// Keeps lines of the audit log.
    async fn keep_audit(&self, entries: &[AuditEntry]) -> PortResult<()>;

    /// Invitations.
    async fn page_invitations(&self, after: Option<InvitationId>, limit: u32) -> PortResult<Vec<Invitation>>;

    /// Keeps invitations.
    async fn keep_invitations(&self, invitations: &[Invitation]) -> PortResult<()>;

    /// Groups with their members.
    async fn page_groups(&self, after: Option<GroupId>, limit: u32) -> PortResult<Vec<Group>>;

    /// Keeps groups. Their members need not be there yet.
    async fn keep_groups(&self, groups: &[Group]) -> PortResult<()>;

    /// Identities.
    async fn page_identities(
        &self,
        after: Option<(UserId, IdentityId)>,
        limit: u32,
    ) -> PortResult<Vec<Identity>>;

    /// Keeps identities.
    async fn keep_identities(&self, identities: &[Identity]) -> PortResult<()>;

    /// Jobs in the outbox.
    async fn page_outbox(&self, after: Option<JobId>, limit: u32) -> PortResult<Vec<NewJob>>;
}

/// Files and what belongs to them. Uploads under way, what is reserved for them, and the texts that are searched stay where they are.
#[async_trait]
pub trait PortableFiles: Send + Sync {
    /// What an import that has not ended has noted, if there is one.
    async fn import_mark(&self) -> PortResult<Option<String>>;

    /// Notes that an import has begun, or with none that it has ended.
    async fn set_import_mark(&self, mark: Option<&str>) -> PortResult<()>;

    /// Spaces.
    async fn page_spaces(&self, after: Option<SpaceId>, limit: u32) -> PortResult<Vec<PortableSpace>>;

    /// Keeps spaces.
    async fn keep_spaces(&self, spaces: &[PortableSpace]) -> PortResult<()>;

    /// Rows of contents, with the bytes of those that are kept with them.
    async fn page_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<PortableBlob>>;

    /// Keeps rows of contents.
    async fn keep_blobs(&self, blobs: &[PortableBlob]) -> PortResult<()>;

    /// Which contents are thumbnails of which.
    async fn page_thumbnails(
        &self,
        after: Option<(BlobKey, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortableThumbnail>>;

    /// Keeps thumbnails, whose contents are there.
    async fn keep_thumbnails(&self, thumbnails: &[PortableThumbnail]) -> PortResult<()>;

    /// Files and folders: roots, trashed and deleted ones too.
    async fn page_nodes(&self, after: Option<FileId>, limit: u32) -> PortResult<Vec<PortableNode>>;

    /// Keeps files and folders, whose contents are there.
    async fn keep_nodes(&self, nodes: &[PortableNode]) -> PortResult<()>;

    /// Contents that files had before.
    async fn page_versions(
        &self,
        after: Option<(FileId, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortableVersion>>;

    /// Keeps contents that files had before.
    async fn keep_versions(&self, versions: &[PortableVersion]) -> PortResult<()>;

    /// Shares.
    async fn page_shares(&self, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>>;

    /// Keeps shares.
    async fn keep_shares(&self, shares: &[Share]) -> PortResult<()>;

    /// Links.
    async fn page_links(&self, after: Option<LinkId>, limit: u32) -> PortResult<Vec<PortableLink>>;

    /// Keeps links.
    async fn keep_links(&self, links: &[PortableLink]) -> PortResult<()>;

    /// Stars.
    async fn page_stars(&self, after: Option<(UserId, FileId)>, limit: u32) -> PortResult<Vec<PortableStar>>;

    /// Keeps stars.
    async fn keep_stars(&self, stars: &[PortableStar]) -> PortResult<()>;

    /// What happened to files and folders.
    async fn page_events(&self, after: Option<(SpaceId, u64)>, limit: u32) -> PortResult<Vec<FileEvent>>;

    /// Keeps what happened, numbers included. What is kept of the spaces says which number comes next.
    async fn keep_events(&self, events: &[FileEvent]) -> PortResult<()>;

    /// What people did, so that it can be undone.
    async fn page_operations(&self, after: Option<OperationId>, limit: u32) -> PortResult<Vec<Operation>>;

    /// Keeps what people did.
    async fn keep_operations(&self, operations: &[Operation]) -> PortResult<()>;

    /// The parts of all that.
    async fn page_parts(
        &self,
        after: Option<(OperationId, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortablePart>>;

    /// Keeps parts, whose operations are there.
    async fn keep_parts(&self, parts: &[PortablePart]) -> PortResult<()>;

    /// Copies of folders, under way or ended.
    async fn page_copies(&self, after: Option<OperationId>, limit: u32) -> PortResult<Vec<CopyOperation>>;

    /// Keeps copies, whose folders are there.
    async fn keep_copies(&self, copies: &[CopyOperation]) -> PortResult<()>;

    /// What copies under way have yet to do.
    async fn page_fronts(
        &self,
        after: Option<(OperationId, FileId)>,
        limit: u32,
    ) -> PortResult<Vec<PortableFront>>;

    /// Keeps what copies have yet to do.
    async fn keep_fronts(&self, fronts: &[PortableFront]) -> PortResult<()>;

    /// Jobs in the outbox.
    async fn page_outbox(&self, after: Option<JobId>, limit: u32) -> PortResult<Vec<NewJob>>;
}

/// A job that is yet to be done, as it is while nobody works it, with what it has logged, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct PortableJob {
    /// The job: ready, or delayed. Its number says the order, and is another one after it was kept.
    pub job: Job,
    /// Lines of its log.
    pub log: Vec<(Timestamp, String)>,
}

impl PortableJob {
    /// A job that the store has not got yet.
    pub fn new(spec: NewJob, now: Timestamp) -> Self {
        let due_at = spec.run_at.filter(|run_at| *run_at > now);
        let job = Job {
            number: 0,
            state: if due_at.is_some() { JobState::Delayed } else { JobState::Inactive },
            progress: 0,
            progress_data: None,
            result: None,
            error: None,
            attempts_made: 0,
            failures: Vec::new(),
            inserted_at: spec.created_at,
            started_at: None,
            updated_at: spec.created_at,
            due_at,
            finished_at: None,
            worker: None,
            spec,
        };
        Self { job, log: Vec::new() }
    }

    /// A job that the store has, as if whoever works it had given it back: the attempt does not count.
    pub fn at_rest(job: Job, log: Vec<(Timestamp, String)>) -> Self {
        let job = if job.state == JobState::Active {
            Job {
                state: JobState::Inactive,
                attempts_made: job.attempts_made.saturating_sub(1),
                progress: 0,
                started_at: None,
                worker: None,
                due_at: None,
                ..job
            }
        } else {
            Job { worker: None, ..job }
        };
        Self { job, log }
    }
}

/// What of the job store no other port gives: settings of types, schedules and webhooks are read and written by theirs. Finished jobs stay where they are, and
/// with them what is counted and told of jobs.
#[async_trait]
pub trait PortableJobs: Send + Sync {
    /// Jobs that are yet to be done, in the order of their numbers behind `after`.
    async fn page_jobs(&self, after: Option<u64>, limit: u32) -> PortResult<Vec<PortableJob>>;

    /// Keeps jobs behind those that are there, in this order. One whose unique key another live job has is left out.
    async fn keep_jobs(&self, jobs: &[PortableJob]) -> PortResult<()>;

    /// Notifications.
    async fn page_notifications(
        &self,
        after: Option<NotificationId>,
        limit: u32,
    ) -> PortResult<Vec<Notification>>;

    /// Keeps notifications.
    async fn keep_notifications(&self, notifications: &[Notification]) -> PortResult<()>;
}
