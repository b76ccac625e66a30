//! People who use the product all the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::Product;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::person::{Case, Person};

/// A pause between two steps of one person, and after a refusal.
const BREATH: Duration = Duration::from_millis(40);
const AFTER_REFUSAL: Duration = Duration::from_millis(250);

/// What may be refused now: nothing while all is well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tolerance {
    pub(crate) refused: Vec<Case>,
}

impl Tolerance {
    fn allows(&self, case: Case) -> bool {
        self.refused.contains(&case)
    }
}

/// Several people at once, until it is ended.
pub(crate) struct Load {
    people: Vec<Arc<Person>>,
    tolerance: watch::Sender<Tolerance>,
    stop: watch::Sender<bool>,
    running: JoinSet<Result<Counts>>,
}

/// Things done, and refused.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) done: usize,
    pub(crate) refused: usize,
}

/// What each of them does, over and over.
const HABITS: [&[Case]; 4] = [
    &[Case::UploadSmall, Case::Rename, Case::UploadLarge, Case::Download],
    &[Case::UploadPicture, Case::UploadLarge, Case::List, Case::UploadSmall],
    &[Case::List, Case::Download],
    &[Case::SignIn, Case::SignOut],
];

impl Load {
    /// Four people begin, whose names begin with this. Nothing may be refused.
    pub(crate) async fn begin(product: &Product, name: &str) -> Result<Self> {
        let (tolerance, tolerances) = watch::channel(Tolerance::default());
        let (stop, stopped) = watch::channel(false);
        let mut load = Self { people: Vec::new(), tolerance, stop, running: JoinSet::new() };
        for (number, habit) in HABITS.into_iter().enumerate() {
            let person = Arc::new(Person::new(product, &format!("{name}-{number}")).await?);
            // something to read from the beginning
            ensure!(person.does(product, Case::UploadLarge).await?);
            load.people.push(Arc::clone(&person));
            load.running.spawn(live(person, product.clone(), habit, tolerances.clone(), stopped.clone()));
        }
        Ok(load)
    }

    /// Says what may be refused from now on. What was begun before may still be refused as it might have been then.
    pub(crate) fn tolerate(&self, tolerance: Tolerance) {
        self.tolerance.send_replace(tolerance);
    }

    /// Fails as soon as one of them has met what must not be.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.running.try_join_next() {
            Some(ended) => Err(ended?.err().context("one of them ended")?),
            None => Ok(()),
        }
    }

    /// Ends it, and holds everything against the ledger.
    pub(crate) async fn end(mut self, product: &Product) -> Result<Counts> {
        self.stop.send_replace(true);
        let mut all = Counts::default();
        while let Some(ended) = self.running.join_next().await {
            let counts = ended??;
            all.done += counts.done;
            all.refused += counts.refused;
        }
        for person in &self.people {
            person.everything_holds(product).await.with_context(|| person.email().to_owned())?;
        }
        Ok(all)
    }
}

async fn live(
    person: Arc<Person>,
    product: Product,
    habit: &[Case],
    tolerances: watch::Receiver<Tolerance>,
    stopped: watch::Receiver<bool>,
) -> Result<Counts> {
    let mut counts = Counts::default();
    for case in habit.iter().copied().cycle() {
        if *stopped.borrow() {
            break;
        }
        let before = tolerances.borrow().clone();
        let begun = Instant::now();
        let done = person.does(&product, case).await.with_context(|| format!("{case:?} under load"))?;
        let took = begun.elapsed();
        let after = tolerances.borrow().clone();
        if done {
            counts.done += 1;
            sleep(BREATH).await;
        } else {
            ensure!(
                before.allows(case) || after.allows(case),
                "{case:?} was refused after {took:?}, which it should not have been"
            );
            counts.refused += 1;
            sleep(AFTER_REFUSAL).await;
        }
    }
    Ok(counts)
}
