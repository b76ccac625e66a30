//! How a service runs as a program of its own: its settings, its two listeners, and what it stands on: MongoDB, Redis, the broker, the other services.
//!
//! A service's binary implements [`ServiceProgram`] and calls [`run`]. Only binaries use this crate; the services' libraries know ports.

mod command_line;
mod common;
mod platform;
mod secrets;
mod serve;
mod starting;

pub use common::{Common, with_common_docs};
pub use platform::{
    Platform, open_cache, open_database, open_files_client, open_master_key, part, refuse_a_part,
};
pub use secrets::until_available;
pub use serve::{Assembled, Routes, ServiceProgram, run};
