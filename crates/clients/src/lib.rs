//! Clients of the services' internal APIs: over TCP in the distributed form, over a Unix socket in the all-in-one.
//!
//! Every call has a deadline, carries a service token for its target and the id of the request that caused it, and answers with a
//! [`common::PortError`] that says what the caller should do next. All internal calls may be repeated; one that meets a connection
//! was just closed is sent once more. A service that keeps failing is left alone for a while, and its callers are told at once.

mod auth;
mod circuit;
mod files;
mod internal;
mod worker;

pub use auth::AuthClient;
pub use files::FilesClient;
pub use internal::{CannotBuild, InternalClient};
pub use worker::WorkerClient;
