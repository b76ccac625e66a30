//! How long to wait before trying again: [`common::retry`], where adapters can use it too.

pub use common::retry::RetryDelay;
