//! One person who uses the product, and a ledger of what was promised.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::contents::noise;
use e2e::product::{Answer, id, send};
use e2e::samples::picture;
use e2e::{Account, Product};
use reqwest::Method;

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    /// Signing in with a password, and a look with the new token.
    SignIn,
    /// Signing in and out, and a look with the token, which must fail.
    SignOut,
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
    /// Giving the last file another name.
    Rename,
}

impl Case {
    pub(crate) const ALL: [Self; 8] = [
        Self::SignIn,
        Self::SignOut,
        Self::List,
        Self::UploadSmall,
        Self::UploadLarge,
        Self::UploadPicture,
        Self::Download,
        Self::Rename,
    ];
}

/// Longest time for an answer, whatever does not answer behind the product, and whenever it was asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of each service, which take turns.
const REPLICAS: usize = 2;

/// Small enough to stand in the commit, and too large for that.
const SMALL_BYTES: usize = 700;
const LARGE_BYTES: usize = 70_000;
/// The form of pictures: one that makes them large.
const PICTURE: &str = "bmp";

/// A file of the ledger.
struct Written {
    /// None of what was refused.
    id: Option<String>,
    /// The one that it has, and those that a refused change may have given it all the same.
    names: BTreeSet<String>,
    content: Vec<u8>,
    is_picture: bool,
}

/// What one account was promised.
pub(crate) struct Person {
    account: Account,
    /// In the order in which they were written.
    written: Mutex<Vec<Written>>,
    /// For new names.
    names: AtomicUsize,
}

impl Person {
    pub(crate) async fn new(product: &Product, name: &str) -> Result<Self> {
        let account = product.register(name).await?;
        Ok(Self { account, written: Mutex::default(), names: AtomicUsize::new(0) })
    }

    /// Whose things these are.
    pub(crate) fn email(&self) -> &str {
        &self.account.email
    }

    fn written(&self) -> MutexGuard<'_, Vec<Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_name(&self, extension: &str) -> String {
        format!("{:06}.{extension}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Does one thing. What is answered by 503 and a problem document is false.
    ///
    /// # Errors
    /// Any other answer than the right one or a refusal.
    pub(crate) async fn does(&self, product: &Product, case: Case) -> Result<bool> {
        match case {
            Case::SignIn => {
                let Some(fresh) = self.signs_in(product).await? else { return Ok(false) };
                Ok(good(in_time(product.get(&fresh, "/api/v1/files/root")).await?, 200)?.is_some())
            }
            Case::SignOut => self.signs_out(product).await,
            Case::List => {
                let path = "/api/v1/files/root/children?limit=50";
                Ok(good(in_time(product.get(&self.account, path)).await?, 200)?.is_some())
            }
            Case::UploadSmall => self.uploads(product, of_no_type(SMALL_BYTES), "txt").await,
            Case::UploadLarge => self.uploads(product, of_no_type(LARGE_BYTES), "bin").await,
            Case::UploadPicture => {
                let picture = picture(rand::random_range(200..300), 200, PICTURE)?;
                self.uploads(product, picture, PICTURE).await
            }
            Case::Download => self.downloads(product).await,
            Case::Rename => self.renames(product).await,
        }
    }

    /// The account with a new session.
    async fn signs_in(&self, product: &Product) -> Result<Option<Account>> {
        let body = serde_json::json!({"email": self.account.email, "password": self.account.password});
        let login = in_time(send(product.request(Method::POST, "/api/v1/auth/login").json(&body))).await?;
        let Some(login) = good(login, 200)? else { return Ok(None) };
        let token = login.json()?["accessToken"].as_str().context("a token")?.to_owned();
        Ok(Some(Account { token, ..self.account.clone() }))
    }

    /// What is answered as ended is ended everywhere: each replica that answers refuses the token.
    async fn signs_out(&self, product: &Product) -> Result<bool> {
        let Some(fresh) = self.signs_in(product).await? else { return Ok(false) };
        // known to the caches, which must then be told
        if good(in_time(product.get(&fresh, "/api/v1/files/root")).await?, 200)?.is_none() {
            return Ok(false);
        }
        let logout = product.as_user(&fresh, Method::POST, "/api/v1/auth/logout");
        if good(in_time(send(logout)).await?, 204)?.is_none() {
            return Ok(false);
        }
        for _ in 0..REPLICAS {
            let look = in_time(product.get(&fresh, "/api/v1/files/root")).await?;
            if good(look, 401)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn uploads(&self, product: &Product, content: Vec<u8>, extension: &str) -> Result<bool> {
        let name = self.new_name(extension);
        let answer = in_time(product.put(&self.account, "root", &name, content.clone())).await?;
        let id = match good(answer, 201)? {
            Some(answer) => Some(id(&answer.json()?)?),
            None => None,
        };
        let acknowledged = id.is_some();
        let names = BTreeSet::from([name]);
        self.written().push(Written { id, names, content, is_picture: extension == PICTURE });
        Ok(acknowledged)
    }

    /// The last file that was acknowledged gets another name.
    async fn renames(&self, product: &Product) -> Result<bool> {
        let last = self.written().iter().rev().find_map(|file| file.id.clone());
        let Some(last) = last else { return Ok(true) };
        let name = self.new_name("renamed");
        // whatever becomes of the answer
        self.changes(&last, |file| {
            file.names.insert(name.clone());
        });
        let path = format!("/api/v1/files/{last}");
        let rename = product.as_user(&self.account, Method::PATCH, &path);
        let rename = rename.json(&serde_json::json!({"name": name}));
        let Some(answer) = good(in_time(send(rename)).await?, 200)? else { return Ok(false) };
        ensure!(answer.json()?["name"] == name.as_str(), "{answer:?} for {name}");
        self.changes(&last, |file| file.names = BTreeSet::from([name]));
        Ok(true)
    }

    fn changes(&self, id: &str, change: impl FnOnce(&mut Written)) {
        if let Some(file) = self.written().iter_mut().find(|file| file.id.as_deref() == Some(id)) {
            change(file);
        }
    }

    /// The last large file.
    async fn downloads(&self, product: &Product) -> Result<bool> {
        let last = {
            let written = self.written();
            let large = written.iter().rev().filter(|file| file.content.len() > SMALL_BYTES);
            large.filter_map(|file| file.id.clone().map(|id| (id, file.content.clone()))).next()
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
        let mut acknowledged: BTreeSet<String> =
            self.written().iter().filter_map(|file| file.id.clone()).collect();
        for file in &there {
            let name = file["name"].as_str().unwrap_or_default();
            let (promised, content, is_picture) = {
                let written = self.written();
                let written = written.iter().find(|written| written.names.contains(name));
                let written = written.with_context(|| format!("nobody wrote {file}"))?;
                (written.id.clone(), written.content.clone(), written.is_picture)
            };
            if let Some(promised) = promised {
                ensure!(file["id"] == promised.as_str(), "{name} is another file: {file}");
                acknowledged.remove(&promised);
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
            written.iter().rev().filter(|file| file.is_picture).find_map(|file| file.id.clone())
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

/// Noise that is always the same to whoever looks for a type: one content in some thousand begins like a sound by chance, and has a job that finds none.
fn of_no_type(len: usize) -> Vec<u8> {
    let mut content = noise(len, rand::random());
    content[..8].fill(0);
    content
}
