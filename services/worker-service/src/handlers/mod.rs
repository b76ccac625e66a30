//! What the built-in types of jobs do.

mod account_ended;
mod account_export;
mod account_mail;
mod copy;
mod link_notice;
mod media;
mod purge;
mod text;
mod thumbnails;
mod upkeep;
mod welcome;

pub(crate) use account_ended::AccountEndedHandler;
pub(crate) use account_export::AccountExportHandler;
pub use account_mail::AccountMailHandler;
pub use copy::CopyHandler;
pub(crate) use link_notice::LinkNoticeHandler;
pub use media::MediaFactsHandler;
pub use purge::PurgeHandler;
pub use text::TextHandler;
pub use thumbnails::ThumbnailsHandler;
pub use upkeep::UpkeepHandler;
pub use welcome::WelcomeHandler;
