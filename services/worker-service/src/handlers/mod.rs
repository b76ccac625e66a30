//! What the built-in types of jobs do.

mod account_ended;
mod account_mail;
mod copy;
mod media;
mod purge;
mod text;
mod thumbnails;
mod upkeep;
mod welcome;

pub(crate) use account_ended::AccountEndedHandler;
pub use account_mail::AccountMailHandler;
pub use copy::CopyHandler;
pub use media::MediaFactsHandler;
pub use purge::PurgeHandler;
pub use text::TextHandler;
pub use thumbnails::ThumbnailsHandler;
pub use upkeep::UpkeepHandler;
pub use welcome::WelcomeHandler;
