use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Process, Spec};

/// Starts the provider of `web/tests`, whose npm packages `cargo xtask test` installs.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/tests/support/provider.mjs");

/// A private identity provider (npm `oidc-provider`) with the clients `files` and `other`, at which everybody is who they say.
pub struct IdentityProvider(pub Process);

impl IdentityProvider {
    /// Starts one.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn start() -> Result<Self> {
        let spec = Spec {
            program: "node",
            folders: &[],
            package: "nodejs",
            arrange: Box::new(arrange),
            answers: |port| Box::pin(async move { described(port).await.is_ok() }),
        };
        Ok(Self(Process::start(spec).await?))
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        issuer(self.0.port())
    }

    /// The secret of one of its clients.
    pub fn secret(client: &str) -> String {
        format!("{client}: secret+with/letters")
    }

    /// Tells it where it may send people, or how the next answer is to be spoilt.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn control(&self, told: &Value) -> Result<()> {
        let answer = client()?.post(format!("{}/control", self.issuer())).json(told).send().await?;
        ensure!(answer.status().is_success(), "the provider answered {}", answer.status());
        Ok(())
    }

    /// Starts it again with another key; what was signed with the one before is worth nothing.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn change_keys(&mut self) -> Result<()> {
        self.0.kill();
        std::fs::remove_file(self.0.folder().join("keys.json")).context("it has kept its keys")?;
        self.0.restart().await
    }
}

fn issuer(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn arrange(command: &mut Command, folder: &Path, port: u16) {
    command.arg(SCRIPT).arg(port.to_string()).arg(folder);
}

async fn described(port: u16) -> Result<()> {
    let place = format!("{}/.well-known/openid-configuration", issuer(port));
    let answer = client()?.get(place).timeout(Duration::from_secs(1)).send().await?;
    ensure!(answer.status().is_success());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}
