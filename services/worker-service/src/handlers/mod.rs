//! What the built-in types of jobs do.

mod invitation;
mod media;
mod purge;
mod thumbnails;
mod upkeep;
mod welcome;

pub use invitation::InvitationHandler;
pub use media::MediaFactsHandler;
pub use purge::PurgeHandler;
pub use thumbnails::ThumbnailsHandler;
pub use upkeep::UpkeepHandler;
pub use welcome::WelcomeHandler;
