//! People who use the product all the time, and a ledger of what they were promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::contents::noise;
use e2e::product::{Answer, id, send};
use e2e::samples::picture;
use e2e::{Account, Product};
use reqwest::Method;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    /// Signing in with a password, and a look with the new token.
    SignIn,
    /// Reading a list of files.
    List,
    /// Uploading what stands in the commit.
    UploadSmall,
    /// Uploading what goes to the store of contents.
    UploadLarge,
    /// Uploading a picture, which goes there too and gets thumbnails.
    UploadPicture,
    /// Reading one of those back.
    Download,
}

impl Case {
    pub(crate) const ALL: [Self; 6] =
        [Self::SignIn, Self::List, Self::UploadSmall, Self::UploadLarge, Self::UploadPicture, Self::Download];
}

/// Longest time for an answer, whatever does not answer behind the product, and whenever it was asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pause between two steps of one person, and after a refusal.
const BREATH: Duration = Duration::from_millis(40);
const AFTER_REFUSAL: Duration = Duration::from_millis(250);

/// Small enough to stand in the commit, and too large for that.
const SMALL_BYTES: usize = 700;
const LARGE_BYTES: usize = 70_000;
/// The form of pictures: one that makes them large.
const PICTURE: &str = "bmp";

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

/// A file of the ledger.
struct Written {
    id: Option<String>,
    content: Vec<u8>,
    is_picture: bool,
}

/// What one account was promised: files by their names. Those without an id were refused.
pub(crate) struct Person {
    account: Account,
    written: Mutex<BTreeMap<String, Written>>,
    uploads: AtomicUsize,
}

impl Person {
    pub(crate) async fn new(product: &Product, name: &str) -> Result<Self> {
        let account = product.register(name).await?;
        Ok(Self { account, written: Mutex::default(), uploads: AtomicUsize::new(0) })
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<String, Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one thing. What is answered by 503 and a problem document is false.
    ///
    /// # Errors
    /// Any other answer than the right one or a refusal.
    pub(crate) async fn does(&self, product: &Product, case: Case) -> Result<bool> {
        match case {
            Case::SignIn => {
                let body =
                    serde_json::json!({"email": self.account.email, "password": self.account.password});
                let login =
                    in_time(send(product.request(Method::POST, "/api/v1/auth/login").json(&body))).await?;
                let Some(login) = good(login, 200)? else { return Ok(false) };
                let token = login.json()?["accessToken"].as_str().context("a token")?.to_owned();
                let fresh = Account { token, ..self.account.clone() };
                Ok(good(in_time(product.get(&fresh, "/api/v1/files/root")).await?, 200)?.is_some())
            }
            Case::List => {
                let path = "/api/v1/files/root/children?limit=50";
                Ok(good(in_time(product.get(&self.account, path)).await?, 200)?.is_some())
            }
            Case::UploadSmall => self.uploads(product, noise(SMALL_BYTES, rand::random()), "txt").await,
            Case::UploadLarge => self.uploads(product, noise(LARGE_BYTES, rand::random()), "bin").await,
            Case::UploadPicture => {
                let picture = picture(rand::random_range(200..300), 200, PICTURE)?;
                self.uploads(product, picture, PICTURE).await
            }
            Case::Download => self.downloads(product).await,
        }
    }

    async fn uploads(&self, product: &Product, content: Vec<u8>, extension: &str) -> Result<bool> {
        // in the order in which they were written
        let name = format!("{:06}.{extension}", self.uploads.fetch_add(1, Ordering::Relaxed));
        let answer = in_time(product.put(&self.account, "root", &name, content.clone())).await?;
        let id = match good(answer, 201)? {
            Some(answer) => Some(id(&answer.json()?)?),
            None => None,
        };
        let acknowledged = id.is_some();
        self.written().insert(name, Written { id, content, is_picture: extension == PICTURE });
        Ok(acknowledged)
    }

    /// The last large file.
    async fn downloads(&self, product: &Product) -> Result<bool> {
        let last = {
            let written = self.written();
            let large = written.values().filter(|file| file.content.len() > SMALL_BYTES);
            large.filter_map(|file| file.id.clone().map(|id| (id, file.content.clone()))).next_back()
        };
        let Some((id, content)) = last else { return Ok(true) };
        let path = format!("/api/v1/files/{id}/content");
        let answer = match in_time(product.get(&self.account, &path)).await {
            // it broke off in the middle, which its reader sees
            Err(error) if error.downcast_ref().is_some_and(reqwest::Error::is_decode) => return Ok(false),
            answer => answer?,
        };
        let Some(answer) = good(answer, 200)? else { return Ok(false) };
        ensure!(answer.body == content, "{id} comes back differently");
        Ok(true)
    }

    /// Holds what is there against what was promised. Everything acknowledged is there, with its bytes; of what was refused nothing is there, or all
    /// of it (the answer to a commit may get lost); what the quota counts is what is there; each picture had one job, which made its thumbnails.
    pub(crate) async fn everything_holds(&self, product: &Product) -> Result<()> {
        let there = product.children(&self.account, "root").await?;
        let mut bytes = 0;
        let mut pictures = Vec::new();
        let mut acknowledged: BTreeMap<String, String> =
            self.written().iter().filter_map(|(name, file)| Some((name.clone(), file.id.clone()?))).collect();
        for file in &there {
            let name = file["name"].as_str().unwrap_or_default();
            let (content, is_picture) = {
                let written = self.written();
                let written = written.get(name).with_context(|| format!("nobody wrote {file}"))?;
                (written.content.clone(), written.is_picture)
            };
            if let Some(promised) = acknowledged.remove(name) {
                ensure!(file["id"] == promised.as_str(), "{name} is another file: {file}");
            }
            let found = product.content(&self.account, &id(file)?).await.with_context(|| name.to_owned())?;
            ensure!(found == content, "{name} has other bytes: {file}");
            bytes += content.len();
            if is_picture {
                pictures.push(id(file)?);
            }
        }
        ensure!(acknowledged.is_empty(), "acknowledged and lost: {acknowledged:?}");
        let usage = product.get(&self.account, "/api/v1/usage").await?.expect(200)?.json()?;
        ensure!(usage["usedBytes"] == bytes, "{usage}, but {bytes} bytes are there");
        self.all_pictures_are_done(product, &pictures).await
    }

    async fn all_pictures_are_done(&self, product: &Product, pictures: &[String]) -> Result<()> {
        for file in pictures {
            e2e::wait::until("all thumbnails", || async {
                let path = format!("/api/v1/files/{file}");
                let file = product.get(&self.account, &path).await?.expect(200)?.json()?;
                ensure!(file["thumbnails"]["state"] != "failed", "{file}");
                Ok((file["thumbnails"]["state"] == "ready").then_some(()))
            })
            .await?;
        }
        if pictures.is_empty() {
            return Ok(());
        }
        let counts = e2e::jobs::all_ended(product, &self.account).await?;
        ensure!(counts["failed"] == 0, "{counts}");
        let jobs = product.get(&self.account, "/api/v1/users/me/jobs?type=thumbnails").await?;
        let jobs = jobs.expect(200)?.json()?;
        ensure!(jobs["total"] == pictures.len(), "{} pictures, one job each: {jobs}", pictures.len());
        Ok(())
    }

    /// Whether the picture that was uploaded last has its thumbnails.
    pub(crate) async fn last_picture_is_done(&self, product: &Product) -> Result<Option<()>> {
        let last = {
            let written = self.written();
            let pictures = written.values().filter(|file| file.is_picture);
            pictures.filter_map(|file| file.id.clone()).next_back()
        };
        let file = last.context("there is no picture")?;
        let answer = product.get(&self.account, &format!("/api/v1/files/{file}")).await?;
        Ok((answer.expect(200)?.json()?["thumbnails"]["state"] == "ready").then_some(()))
    }
}

/// An answer, or the error of its reading, which must come before [`PATIENCE`] ends.
async fn in_time(answer: impl Future<Output = Result<Answer>>) -> Result<Answer> {
    let begun = Instant::now();
    let answer = answer.await;
    let took = begun.elapsed();
    ensure!(took <= PATIENCE, "the answer came after {took:?}: {answer:?}");
    answer
}

/// The answer if it is as it should be, none if the product says by a problem document that a part is away.
fn good(answer: Answer, status: u16) -> Result<Option<Answer>> {
    if answer.status.as_u16() != 503 {
        return answer.expect(status).map(Some);
    }
    let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u32>().ok());
    ensure!(wait.is_some_and(|wait| wait > 0), "a refusal without a time to come back");
    answer.expect_problem(503, "unavailable")?;
    Ok(None)
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
    &[Case::UploadSmall, Case::UploadLarge, Case::Download],
    &[Case::UploadPicture, Case::UploadLarge, Case::List, Case::UploadSmall],
    &[Case::List, Case::Download],
    &[Case::SignIn],
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
            person.everything_holds(product).await.with_context(|| person.account.email.clone())?;
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
