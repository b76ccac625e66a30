//! Clients of the services' internal APIs: over TCP in the distributed form, over a Unix socket in the all-in-one.
//!
//! Every call has a deadline, carries a service token for its target, the id of the request that caused it and its trace, and answers with a
//! [`common::PortError`] that says what the caller should do next. A service may have several addresses: calls take turns over them. All internal calls may
//! be repeated; one whose connection fails goes to another address, or is sent once more. An address that keeps failing is left alone for a while; when
//! all are, callers are told at once. A name that stands for several addresses is as good as all of them one by one.

mod auth;
mod circuit;
mod files;
mod internal;
mod names;
mod peers;
mod probe;
mod worker;

pub use auth::AuthClient;
pub use files::FilesClient;
pub use internal::{CannotBuild, InternalClient};
pub use names::Names;
pub use probe::Probe;
pub use worker::WorkerClient;
