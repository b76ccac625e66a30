//! The domain of Files Manager: ids, entities, rules, errors, the public route table, and the ports.
//!
//! Nothing here does I/O or knows a framework. A *port* is a `Send + Sync` trait, used as `Arc<dyn Port>`; its documentation
//! states what callers may rely on (atomic? durable on return? safe to repeat?), and how an adapter gets there is its own affair.
//! Every adapter runs the contract suite of its port, which stands in the crate `testkit`.

pub mod auth;
pub mod digest;
pub mod error;
pub mod files;
pub mod id;
pub mod jobs;
pub mod routes;
pub mod time;
pub mod trace;

pub use digest::{Crc32, Sha256};
pub use error::{Causes, Code, PortError, PortResult};
pub use id::{
    BlobKey, FileId, GroupId, IdGen, InvalidId, JobId, LinkId, ObjectId, ReservationId, ScheduleId,
    SessionId, ShareId, SigningKeyId, SpaceId, UserId,
};
pub use time::{Clock, Timestamp};
pub use trace::TraceContext;
