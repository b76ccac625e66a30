//! The built-in types of jobs: names, data, and how each is tried.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Backoff, NewJob, Priority};
use crate::webhooks::{Delivery, WebhookEvent};
use crate::{BlobKey, ExportId, FileId, JobId, LinkId, OperationId, Sha256, Timestamp, UserId, WebhookId};

/// Makes the thumbnails of one picture.
pub const THUMBNAILS: &str = "thumbnails";
/// Welcomes a new user by mail.
pub const WELCOME_MAIL: &str = "welcome-mail";
/// Sends a mail about an account.
pub const ACCOUNT_MAIL: &str = "account-mail";
/// Removes what is below a tombstone.
pub const PURGE: &str = "purge";
/// Goes on with the copy of a folder.
pub const COPY: &str = "copy";
/// Removes what is left of an account that is gone.
pub const ACCOUNT_ENDED: &str = "account-ended";

/// Tells of uses of a link.
pub const LINK_NOTICE: &str = "link-notice";
/// Puts together all that is an account's, for its owner.
pub const ACCOUNT_EXPORT: &str = "account-export";
/// Finds out how long a sound or film is, and the like.
pub const MEDIA_FACTS: &str = "media-facts";
/// Reads the text of a content, for search.
pub const TEXT: &str = "text";
/// Hands one message over to a webhook.
pub const WEBHOOK_DELIVER: &str = "webhook.deliver";
/// Deletes what has been in the trash for long enough.
pub const EXPIRE_TRASH: &str = "expire-trash";
/// Gives up old versions that need not be kept.
pub const EXPIRE_VERSIONS: &str = "expire-versions";
/// Walks once more below old tombstones, and removes them.
pub const PURGE_TOMBSTONES: &str = "purge-tombstones";
/// Removes contents without references.
pub const COLLECT_BLOBS: &str = "collect-blobs";
/// Removes bytes that belong to no content.
pub const SWEEP_STRAYS: &str = "sweep-strays";
/// Gives back what abandoned uploads had set aside.
pub const SWEEP_RESERVATIONS: &str = "sweep-reservations";
/// Gives up resumable uploads that nobody went on with.
pub const EXPIRE_UPLOADS: &str = "expire-uploads";
/// Reads all contents again.
pub const SCRUB_BLOBS: &str = "scrub-blobs";
/// Counts again what counters say.
pub const RECOUNT_USAGE: &str = "recount-usage";
/// Looks whether all files can be found.
pub const INDEX_FILES: &str = "index-files";

/// Whether jobs of the product itself have unique keys of this kind: whoever took one would keep its upkeep, a schedule or a ping from being done.
pub fn is_key_of_the_product(key: &str) -> bool {
    BUILT_IN.contains(&key)
        || [SCHEDULE_KEY, PING_KEY, AGAIN_KEY].iter().any(|prefix| key.starts_with(prefix))
}

/// How unique keys of scheduled jobs begin.
pub const SCHEDULE_KEY: &str = "schedule:";
/// How unique keys of pings of webhooks begin.
pub const PING_KEY: &str = "webhook-ping:";
/// How unique keys of messages begin that somebody has sent again.
pub const AGAIN_KEY: &str = "webhook-again:";

/// All of them: the product works these itself.
pub const BUILT_IN: &[&str] = &[
    THUMBNAILS,
    WELCOME_MAIL,
    ACCOUNT_MAIL,
    PURGE,
    COPY,
    ACCOUNT_ENDED,
    LINK_NOTICE,
    ACCOUNT_EXPORT,
    MEDIA_FACTS,
    TEXT,
    WEBHOOK_DELIVER,
    EXPIRE_TRASH,
    EXPIRE_VERSIONS,
    PURGE_TOMBSTONES,
    COLLECT_BLOBS,
    SWEEP_STRAYS,
    SWEEP_RESERVATIONS,
    EXPIRE_UPLOADS,
    SCRUB_BLOBS,
    RECOUNT_USAGE,
    INDEX_FILES,
];

/// Data of [`THUMBNAILS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailsData {
    /// Whose file.
    pub user_id: Option<UserId>,
    /// Which file.
    pub file_id: Option<FileId>,
    /// Its content when the job was made; without one, the content that it has when the job runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobKey>,
}

/// Data of [`WELCOME_MAIL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WelcomeMailData {
    /// Who is welcomed.
    pub user_id: Option<UserId>,
}

/// Data of [`ACCOUNT_MAIL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountMailData {
    /// A [`crate::auth::mail::AccountMail`], sealed under the master key.
    #[serde(with = "hex::serde")]
    pub sealed: Vec<u8>,
}

/// Data of [`PURGE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurgeData {
    /// The tombstone.
    pub node: FileId,
}

/// Data of [`COPY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyData {
    /// The copy.
    pub operation: OperationId,
}

/// Data of [`ACCOUNT_ENDED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountEndedData {
    /// Who is gone.
    pub user_id: UserId,
}

/// Data of [`LINK_NOTICE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkNoticeData {
    /// The link.
    pub link_id: LinkId,
}

/// Data of [`ACCOUNT_EXPORT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountExportData {
    /// Whose data.
    pub user_id: UserId,
    /// Into which export.
    pub export_id: ExportId,
}

/// Data of [`MEDIA_FACTS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaFactsData {
    /// Which file.
    pub file_id: FileId,
    /// Its content.
    pub blob: BlobKey,
    /// Bytes of that.
    pub size: u64,
}

/// Data of [`TEXT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextData {
    /// Which file.
    pub file_id: FileId,
    /// Its content.
    pub blob: BlobKey,
    /// Bytes of that.
    pub size: u64,
    /// Its type.
    pub mime: String,
}

/// Data of [`WEBHOOK_DELIVER`]. The job's id is the delivery's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliverData {
    /// Where it goes.
    pub webhook_id: WebhookId,
    /// What it tells.
    pub event: WebhookEvent,
}

const SECOND: u64 = 1000;

/// How jobs of a built-in type are tried, unless whoever makes or takes one says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How often.
    pub attempts: u32,
    /// How long it waits between attempts.
    pub backoff: Backoff,
    /// Longest time that an attempt may be active without progress, in milliseconds.
    pub ttl_ms: u64,
}

impl Tries {
    const USUAL: Self = Self::of_seconds(5, 1, 60);
    const UPKEEP: Self = Self::of_seconds(10, 10, 600);

    const fn of_seconds(attempts: u32, delay: u64, max_delay: u64) -> Self {
        let backoff = Backoff::Exponential { delay_ms: delay * SECOND, max_delay_ms: max_delay * SECOND };
        Self { attempts, backoff, ttl_ms: 300 * SECOND }
    }

    /// Those of a type; none if it is not built in.
    pub fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            // for two hours: a mail server may be away, or let strangers wait on purpose
            WELCOME_MAIL => Self::of_seconds(14, 1, 3600),
            // for an hour: codes in it work no longer
            ACCOUNT_MAIL => Self::of_seconds(12, 1, 1200),
            // for an hour
            COPY => Self::of_seconds(60, 1, 60),
            // for weeks: whatever it needs may be away, and nothing else would do it
            ACCOUNT_ENDED => Self::of_seconds(NewJob::MAX_ATTEMPTS, 1, 3600),
            // for a day
            LINK_NOTICE => Self::of_seconds(34, 1, 3600),
            // for some hours: whoever waits for it may ask again when it was given up
            ACCOUNT_EXPORT => Self::of_seconds(20, 1, 1200),
            EXPIRE_TRASH | EXPIRE_VERSIONS | PURGE_TOMBSTONES | COLLECT_BLOBS | SWEEP_STRAYS
            | SWEEP_RESERVATIONS | EXPIRE_UPLOADS | SCRUB_BLOBS | RECOUNT_USAGE | INDEX_FILES => Self::UPKEEP,
            kind if BUILT_IN.contains(&kind) => Self::USUAL,
            _ => return None,
        })
    }

    /// The job, to be tried like this.
    #[must_use]
    pub fn of_job(self, job: NewJob) -> NewJob {
        NewJob { max_attempts: self.attempts, backoff: self.backoff, ttl_ms: self.ttl_ms, ..job }
    }
}

/// A job that makes the thumbnails of `file`.
pub fn thumbnails(id: JobId, user: UserId, file: FileId, blob: BlobKey, at: Timestamp) -> NewJob {
    built_in(
        id,
        THUMBNAILS,
        &ThumbnailsData { user_id: Some(user), file_id: Some(file), blob: Some(blob) },
        Some(user),
        at,
    )
}

/// A job that reads the facts of the content of `file`, which has `size` bytes.
pub fn media_facts(
    id: JobId,
    user: UserId,
    file: FileId,
    (blob, size): (BlobKey, u64),
    at: Timestamp,
) -> NewJob {
    NewJob {
        priority: Priority::LOW,
        ..built_in(id, MEDIA_FACTS, &MediaFactsData { file_id: file, blob, size }, Some(user), at)
    }
}

/// A job that reads the text of the content of `file`, which has `size` bytes and this type. Nothing of it is kept when it is done: most files cause one.
pub fn text(
    id: JobId,
    user: UserId,
    file: FileId,
    (blob, size): (BlobKey, u64),
    mime: &str,
    at: Timestamp,
) -> NewJob {
    let data = TextData { file_id: file, blob, size, mime: mime.to_owned() };
    NewJob { remove_on_complete: true, ..built_in(id, TEXT, &data, Some(user), at) }
}

/// A job that welcomes `user`.
pub fn welcome_mail(id: JobId, user: UserId, at: Timestamp) -> NewJob {
    built_in(id, WELCOME_MAIL, &WelcomeMailData { user_id: Some(user) }, Some(user), at)
}

/// A job that hands `delivery` over, for the owner of its webhook. What it brings stands in the delivery; only one that failed is kept.
pub fn webhook_deliver(delivery: &Delivery, user: UserId, at: Timestamp) -> NewJob {
    let data = WebhookDeliverData { webhook_id: delivery.webhook, event: delivery.event };
    NewJob { remove_on_complete: true, ..built_in(delivery.job(), WEBHOOK_DELIVER, &data, Some(user), at) }
}

/// A job that sends a mail about an account. It is nobody's, so that nobody's list of jobs tells of it.
pub fn account_mail(id: JobId, sealed: Vec<u8>, at: Timestamp) -> NewJob {
    NewJob {
        priority: Priority::HIGH,
        remove_on_complete: true,
        ..built_in(id, ACCOUNT_MAIL, &AccountMailData { sealed }, None, at)
    }
}

/// A job that removes what is below `node`.
pub fn purge(id: JobId, node: FileId, user: UserId, at: Timestamp) -> NewJob {
    NewJob { priority: Priority::LOW, ..built_in(id, PURGE, &PurgeData { node }, Some(user), at) }
}

/// A job that goes on with a copy from `begins` on: whoever began it does so before.
pub fn copy(id: JobId, operation: OperationId, user: UserId, begins: Timestamp, at: Timestamp) -> NewJob {
    NewJob { run_at: Some(begins), ..built_in(id, COPY, &CopyData { operation }, Some(user), at) }
}

/// The job that removes what is left of `user`: the same, with the same id, whoever makes it. It is nobody's, since what is theirs goes.
pub fn account_ended(user: UserId, at: Timestamp) -> NewJob {
    let digest = Sha256::of(format!("account-ended {user}").as_bytes());
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&digest.0[..12]);
    built_in(JobId::from_bytes(bytes), ACCOUNT_ENDED, &AccountEndedData { user_id: user }, None, at)
}

/// A job that tells of uses of `link`, for the owner of what that opens.
pub fn link_notice(id: JobId, link: LinkId, user: UserId, at: Timestamp) -> NewJob {
    NewJob {
        priority: Priority::LOW,
        remove_on_complete: true,
        ..built_in(id, LINK_NOTICE, &LinkNoticeData { link_id: link }, Some(user), at)
    }
}

/// The job that puts an export together. It has the export's id.
pub fn account_export(id: ExportId, user: UserId, at: Timestamp) -> NewJob {
    let data = AccountExportData { user_id: user, export_id: id };
    built_in(JobId(id.0), ACCOUNT_EXPORT, &data, Some(user), at)
}

/// Which period of this length a time is in, counted from 1970.
pub fn upkeep_period(every: Duration, at: Timestamp) -> i64 {
    at.millis().div_euclid(period_ms(every))
}

fn period_ms(every: Duration) -> i64 {
    i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// The job that does a type of upkeep in a period, not before it begins: the same, with the same id, whoever makes it. Only one of a type is live.
pub fn upkeep(kind: &str, every: Duration, period: i64, at: Timestamp) -> NewJob {
    let length = period_ms(every);
    let digest = Sha256::of(format!("upkeep {kind} {length} {period}").as_bytes());
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&digest.0[..12]);
    NewJob {
        priority: Priority::LOW,
        run_at: Some(Timestamp::from_millis(period.saturating_mul(length))),
        unique_key: Some(kind.to_owned()),
        ..Tries::UPKEEP.of_job(NewJob::new(JobId::from_bytes(bytes), kind, json!({}), at))
    }
}

fn built_in(id: JobId, kind: &str, data: &impl Serialize, user: Option<UserId>, at: Timestamp) -> NewJob {
    let data = serde_json::to_value(data).expect("ids become JSON");
    let tries = Tries::of(kind).unwrap_or(Tries::USUAL);
    NewJob { user, ..tries.of_job(NewJob::new(id, kind, data, at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_one_job_of_a_type() {
        let (hour, at) = (Duration::from_secs(3600), |millis| Timestamp::from_millis(millis));
        assert_eq!(upkeep_period(hour, at(3_599_999)), 0);
        assert_eq!(upkeep_period(hour, at(3_600_000)), 1);
        assert_eq!(upkeep_period(hour, at(-1)), -1);
        let job = upkeep(SCRUB_BLOBS, hour, 2, at(5));
        job.check().unwrap();
        assert_eq!(job.run_at, Some(at(7_200_000)));
        assert_eq!(job.id, upkeep(SCRUB_BLOBS, hour, 2, at(6)).id);
        for other in [
            upkeep(SCRUB_BLOBS, hour, 3, at(5)),
            upkeep(RECOUNT_USAGE, hour, 2, at(5)),
            upkeep(SCRUB_BLOBS, 2 * hour, 2, at(5)),
        ] {
            assert_ne!(other.id, job.id);
        }
    }

    #[test]
    fn the_end_of_an_account_is_one_job_that_is_tried_for_weeks() {
        let (ann, bob) = (UserId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
        let job = account_ended(ann, Timestamp::from_millis(1));
        job.check().unwrap();
        assert_eq!(job.id, account_ended(ann, Timestamp::from_millis(2)).id);
        assert_ne!(job.id, account_ended(bob, Timestamp::from_millis(1)).id);
        assert_eq!(job.user, None, "it must not remove itself");
        let pauses: Duration = (1..job.max_attempts).map(|made| job.backoff.delay(made, 1.0)).sum();
        assert!(pauses > Duration::from_secs(28 * 86_400), "{pauses:?}");
    }

    #[test]
    fn a_mail_outlasts_a_mail_server_that_is_away_for_two_hours() {
        let (id, user) = (JobId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
        let job = welcome_mail(id, user, Timestamp::from_millis(0));
        let pauses: Duration = (1..job.max_attempts).map(|made| job.backoff.delay(made, 0.0)).sum();
        assert!(pauses >= Duration::from_secs(2 * 3600), "{pauses:?}");
    }
}
