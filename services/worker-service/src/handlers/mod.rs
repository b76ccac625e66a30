//! What the built-in types of jobs do.

mod purge;
mod thumbnails;
mod welcome;

pub use purge::PurgeHandler;
pub use thumbnails::ThumbnailsHandler;
pub use welcome::WelcomeHandler;
