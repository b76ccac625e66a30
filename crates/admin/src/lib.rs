//! What administrators do with all that an installation holds: backups, what is brought in, a look whether all is well. It knows ports and traits of its own; a
//! program's wiring says over which stores it runs.

pub mod backup;
pub mod check;
pub mod doctor;
pub mod migrate;
pub mod portable;
pub mod report;
pub mod tree;

mod held;
mod names;
mod source;
