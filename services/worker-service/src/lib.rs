//! Background jobs: the store of all jobs with its API, the intake from the bus, the workers, and what watches over them.
//!
//! The job store is the truth. Messages carry new jobs in and ring doorbells; a worker always claims the next eligible job from the store, under a
//! lease. `work` knows nothing of what jobs do, `handlers` nothing of how they are claimed.

mod bookkeeping;
mod claims;
mod follow;
mod handlers;
mod http;
mod intake;
mod job_types;
pub mod mail;
mod maintenance;
mod reconcile;
mod schedule;
mod sections;
mod service;
mod settings;
mod waiting;
mod webhooks;
mod work;

pub use handlers::{
    AccountMailHandler, CopyHandler, MediaFactsHandler, PurgeHandler, TextHandler, ThumbnailsHandler,
    UpkeepHandler, WelcomeHandler,
};
pub use http::{internal_routes, openapi, public_routes};
pub use job_types::{BuiltInJobs, JOBS_DOCS, JobTypeSection, JobsSection, Pauses};
pub use sections::{
    CLAIMS_DOCS, ClaimsSection, MAIL_DOCS, MAINTENANCE_DOCS, MailSection, MaintenanceSection, SmtpTls,
    THUMBNAILS_DOCS, ThumbnailsSection,
};
pub use service::{Parts, WorkerService};
pub use settings::{Concurrency, Listeners, MaintenanceTask, Retention, WorkerSettings};
pub use webhooks::{WEBHOOKS_DOCS, WebhookSettings, WebhooksSection};
pub use work::{Ending, HandlerError, JobContext, JobHandler, Registry};
