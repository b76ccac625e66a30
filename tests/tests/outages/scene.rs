//! One installation, on which one thing after another goes wrong.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::Product;
use e2e::stack::Stack;
use e2e::wait::until;

use crate::fleet::Fleet;
use crate::person::{Case, Person};

/// How soon all must be well after an outage.
const RECOVERY: Duration = Duration::from_secs(10);

/// Rounds in a row that make it well: both replicas of each service have then answered.
const ROUNDS: usize = 4;

/// The programs of the services.
pub(crate) const ALL: &[&str] = &["auth-service", "file-service", "worker-service"];

/// Refusals of each service that a failure tells.
const TOLD: usize = 5;

pub(crate) struct Scene {
    pub(crate) stack: Stack,
    pub(crate) fleet: Fleet,
    pub(crate) product: Product,
    /// Whose requests are looked at one by one.
    pub(crate) ada: Person,
}

impl Scene {
    pub(crate) async fn set() -> Result<Self> {
        let fleet = Fleet::start().await?;
        let stack = fleet.stack()?;
        let product = stack.product();
        let ada = Person::new(&product, "ada").await?;
        ensure!(ada.does(&product, Case::UploadPicture).await?);
        Ok(Self { stack, fleet, product, ada })
    }

    /// All is well soon: everything can be done again, again and again, and a picture gets its thumbnails.
    pub(crate) async fn recovers(&self) -> Result<()> {
        let begun = Instant::now();
        let product = &self.product;
        let mut well = 0;
        while well < ROUNDS {
            let asked = begun.elapsed();
            let mut all = true;
            for case in Case::ALL {
                let done =
                    self.ada.does(product, case).await.with_context(|| format!("{case:?} afterwards"))?;
                ensure!(done || asked < RECOVERY, "{case:?} is refused {asked:?} after the outage");
                all &= done;
            }
            well = if all { well + 1 } else { 0 };
        }
        let begun = Instant::now();
        until("thumbnails after the outage", || self.ada.last_picture_is_done(product)).await?;
        ensure!(begun.elapsed() < RECOVERY, "thumbnails came after {:?}", begun.elapsed());
        Ok(())
    }

    /// A failure with what the services lacked last, and where their logs are then kept.
    pub(crate) fn with_logs<T>(&mut self, ended: Result<T>) -> Result<T> {
        ended.map_err(|error| {
            let lacked = ALL.iter().map(|program| lacked(&self.stack, program)).collect::<String>();
            let logs = self.stack.keep_folder();
            error.context(format!("logs are in {}, with:\n{lacked}", logs.display()))
        })
    }

    /// Everything that ada was promised is there, and nothing else.
    pub(crate) async fn ends(self) -> Result<()> {
        self.ada.everything_holds(&self.product).await
    }
}

/// The last refusals of a service, a line each, with the dependency that did not answer.
fn lacked(stack: &Stack, program: &str) -> String {
    let log = stack.log(program).unwrap_or_default();
    let mut refusals: Vec<_> = log.lines().filter(|line| line.contains("dependency unavailable")).collect();
    // of several replicas; a line begins with its time
    refusals.sort_unstable();
    refusals.iter().rev().take(TOLD).map(|line| format!("{program}: {line}\n")).collect()
}
