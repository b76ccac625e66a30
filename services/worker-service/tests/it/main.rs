//! The service over the real job store, bus and servers.

#![expect(clippy::unwrap_used, reason = "what the helpers of tests cannot do fails the test")]

mod api;
mod books;
#[cfg(feature = "servers")]
mod broker;
mod called_off;
mod crashes;
mod ended;
mod errands;
mod export;
mod files_double;
mod http;
mod leases;
mod mail;
mod operations;
mod pictures;
mod queue;
mod real_files;
mod relay;
mod replicas;
mod restless;
mod support;
mod watched;
mod webhooks;
