//! What every process of the product needs to run.

mod clock;
mod crash;
pub mod data_dir;
pub mod lifecycle;
pub mod memory;
pub mod passwords;
pub mod relay;
pub mod retry;
pub mod secrets;
pub mod settings;
pub mod socket_path;
mod store_clock;
pub mod telemetry;
pub mod watchdog;

pub use clock::{RandomIds, SystemClock};
pub use crash::{crash_point, crash_point_of};
pub use store_clock::StoreClock;
