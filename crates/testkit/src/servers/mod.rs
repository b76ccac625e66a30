//! Private servers for tests: real ones, each on a free port in a folder of its own, gone when they are dropped.

#[cfg(feature = "s3")]
pub mod s3;
