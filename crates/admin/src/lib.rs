//! Administrator's commands that bring much in, or look whether all is well. They know ports; a program's wiring says over which stores they run.

pub mod check;
pub mod doctor;
pub mod migrate;
pub mod report;
pub mod tree;

mod names;
mod source;
