//! The whole API over a running service: a program, an administrator and a reader of events at once.

mod changes;
mod claims;
mod client;
mod dead;
mod gone;
mod kinds;
mod lists;
mod making;
mod results;
mod returns;
mod schedules;
mod stream;
mod waiters;

pub(crate) use client::{Api, Events, fault_of};
