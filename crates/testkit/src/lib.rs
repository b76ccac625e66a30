//! What tests share: a contract suite for each port, which every adapter of it runs, and a clock and ids that tests control.

pub mod clock;

pub use clock::{TestClock, TestIds};
