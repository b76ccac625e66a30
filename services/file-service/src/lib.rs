//! Files, folders and their contents.
//!
//! `http` parses requests and maps answers, `app` decides (one function a use case), ports say what is needed of the stores, and
//! whoever wires the service hands in the adapters. No handler reaches a node but through `app::access`.

mod app;
mod background;
mod error;
mod http;
mod section;
mod state;

pub use app::archive::ArchiveSettings;
pub use app::blobs::claim_blobs;
pub use app::spaces::StoredSpaces;
pub use error::AppError;
pub use http::{internal_routes, openapi, public_routes};
pub use section::{FILES_DOCS, FilesSection};
pub use state::{Delivery, FileService, FileSettings, LINK_LABEL, Overview, Parts, Sharing, StreamSettings};
