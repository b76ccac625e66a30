//! What every service of the distributed form stands on: MongoDB, Redis, the broker, and the other services. Only programs use it; the services' libraries
//! know ports.

mod connections;
mod platform;
mod secrets;

pub use connections::{CONNECTION_DOCS, Connections, PEER_DOCS, Peers};
pub use platform::{Platform, part};
pub use secrets::until_available;
