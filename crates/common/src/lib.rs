//! The domain of Files Manager: ids, entities, rules, errors, the public route table, and the ports.
//!
//! Nothing here does I/O or knows a framework. A *port* is a `Send + Sync` trait, used as `Arc<dyn Port>`; its documentation
//! states what callers may rely on (atomic? durable on return? safe to repeat?), and how an adapter gets there is its own affair.
//! Every adapter runs the contract suite of its port, which stands in the crate `testkit`.

pub mod access;
pub mod allowance;
pub mod auth;
pub mod digest;
pub mod error;
pub mod files;
pub mod id;
pub mod idempotency;
pub mod jobs;
pub mod network;
pub mod notifications;
pub mod portable;
pub mod retry;
pub mod routes;
pub mod time;
pub mod trace;
pub mod webhooks;

pub use digest::{Crc32, Sha256};
pub use error::{Causes, Code, PortError, PortResult};
pub use id::{
    AuditId, BlobKey, DeliveryId, ExportId, FileId, GroupId, IdGen, IdentityId, InvalidId, InvitationId,
    JobId, LinkId, NotificationId, ObjectId, OperationId, ReservationId, ScheduleId, SessionId, ShareId,
    SigningKeyId, SpaceId, TokenId, UploadId, UserId, WebhookId,
};
pub use time::{ANSWER_WITHIN, Clock, TimeSource, Timestamp};
pub use trace::TraceContext;
