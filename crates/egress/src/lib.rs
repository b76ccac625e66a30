//! Requests to places on the Internet that users name.
//!
//! Whoever may name a place may try to make the server reach what only the server can: itself, its neighbours, the metadata service of its host.
//! So every address is checked at the moment of connecting, the one that was checked is the one that is used, redirects are answers like any other,
//! and no proxy is asked.
//!
//! [`Known`] is for places that whoever runs the installation names.

mod addresses;
mod client;
mod known;
mod place;

pub use addresses::Allowed;
pub use client::{Answer, CannotBuild, Egress, Limits, NoAnswer, RetryAfter};
pub use known::{Known, Reply};
pub use place::{InvalidPlace, MAX_PLACE_BYTES, Place};
