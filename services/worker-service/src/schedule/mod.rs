//! Schedules: when they fire, and who has them fire.

#[cfg(test)]
mod clock_changes;
mod fields;
mod scheduler;
mod times;

pub(crate) use scheduler::Scheduler;
pub(crate) use times::{Times, WrongTimes};
