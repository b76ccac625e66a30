use clap::Subcommand;

use super::{AdminCommandError, Say};
use crate::app::admin::Administration;
use crate::app::audit::Author;

/// Commands about the keys that sign tokens
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeysCommand {
    /// Make a new key, which signs when every service has had time to learn of it; nobody is signed out
    Rotate {
        /// Somebody else may know the old keys: they are gone at once, and whoever is signed in by a cookie signs in anew
        #[arg(long)]
        compromised: bool,
    },
}

impl KeysCommand {
    pub(super) async fn run(
        self,
        administration: &Administration,
        say: Say<'_>,
    ) -> Result<(), AdminCommandError> {
        let Self::Rotate { compromised } = self;
        let key = administration.make_signing_key(&Author::default(), compromised).await?;
        if compromised {
            administration.cache.forget_keys(key).await?;
        }
        say(&format!("signing key {key} made\n"));
        Ok(())
    }
}
