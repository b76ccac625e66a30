//! Requests that may be sent again under a key of their own (`Idempotency-Key`), and make their change once all the same.
//!
//! Before such a request does anything, its key is reserved in the store of the service that answers it. The reservation goes with the task
//! ([`scope`]); the store *marks* it with the first change that is made under it, in the commit of that change where one commit makes it, else before it.
//! So a reservation that is not marked stands for a request that has changed nothing, whatever became of it: it may be taken over and done again. One
//! that is marked is never done again. A run whose reservation was taken over meanwhile is refused its first change.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::access::{Need, need};
use crate::{PortError, PortResult, Timestamp, UserId};

/// How long a key is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// For so long a request is taken to be under way. It may go on for longer: a repetition that takes its key over and it itself cannot both change something.
pub const LEASE: Duration = Duration::from_secs(30);

/// Most keys of one account in one service. A day of one each nine seconds; more are refused, since a key that is given up early would promise too much.
pub const MOST_KEYS: u32 = 10_000;

/// The same where an upload takes a key: a folder of small files leaves other calls some.
pub const MOST_KEYS_OF_UPLOADS: u32 = MOST_KEYS / 2;

/// Uploads in one request. They take a key although they are `PUT`: sent again as they are, they would find the name taken, or make another file or version.
/// Their bodies are not looked at for it.
const UPLOADS: &[&str] = &["/api/v1/files/{id}/children/{name}/content", "/api/v1/files/{id}/content"];

/// Calls that take no key although they want a credential: an upload goes on where it stood instead, the files of a form are known by their names, an archive
/// is only read, and what was claimed comes back by its lease.
const WITHOUT: &[&str] = &[
    "/api/v1/uploads",
    "/api/v1/uploads/{id}",
    "/api/v1/files/{id}/children",
    "/api/v1/archives",
    "/api/v1/jobs/claim",
];

/// Whether a call, by its method and the path of its route, takes a key: each `POST` that wants a credential, but for resumable uploads, forms and
/// archives, and uploads by `PUT`. Where nobody is known by a credential, there is nobody whose key it could be.
pub fn takes_key(method: &str, path: &str) -> bool {
    match method {
        "POST" => {
            path.starts_with("/api/v1/")
                && !WITHOUT.contains(&path)
                && need(method, path).is_some_and(|need| need != Need::Nothing)
        }
        "PUT" => UPLOADS.contains(&path),
        _ => false,
    }
}

/// What a key is stored by: a hash of whose it is, of the call, and of what the client sent. Says nothing of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 32]);

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// One run of a request under its key. Clones are the same run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Which database reserved it: changes in others do not count.
    database: &'static str,
    key: KeyId,
    /// 1 for the first, more for those that took over.
    number: u32,
    marked: Arc<AtomicBool>,
}

impl Run {
    /// For adapters: a run that their store has just reserved.
    pub fn new(database: &'static str, key: KeyId, number: u32) -> Self {
        Self { database, key, number, marked: Arc::default() }
    }

    /// Its key.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Which run of that key it is.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// For adapters: whether its mark is known to be in the store.
    pub fn is_marked(&self) -> bool {
        self.marked.load(Ordering::Acquire)
    }

    /// For adapters: its mark is in the store.
    pub fn note_marked(&self) {
        self.marked.store(true, Ordering::Release);
    }

    /// For adapters: what a change is refused with when another run has the key.
    pub fn overtaken(part: &'static str) -> PortError {
        PortError::unavailable(part, "the same request was sent again, and is carried out by another run")
    }
}

tokio::task_local! {
    static CURRENT: Option<Run>;
}

/// Runs a future as this run.
pub async fn scope<F: Future>(run: Run, future: F) -> F::Output {
    CURRENT.scope(Some(run), future).await
}

/// Runs a part of the present run that changes nothing which lasts: what it makes is given back by itself if nothing comes of it, or is there already
/// when the request is sent again. Such changes do not mark the run.
pub fn aside<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(None, work)
}

/// For adapters: the run of the present task, if this database reserved it and does not have its mark yet.
pub fn unmarked(database: &str) -> Option<Run> {
    let is_of_here = |run: &&Run| run.database == database && !run.is_marked();
    CURRENT.try_with(|run| run.as_ref().filter(is_of_here).cloned()).ok().flatten()
}

/// The same work as the present run, for a task of its own that a request waits for.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    let current = CURRENT.try_with(Clone::clone).ok().flatten();
    async move {
        match current {
            Some(run) => scope(run, work).await,
            None => work.await,
        }
    }
}

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing has been changed under it. It is taken to be under way until then.
    Open {
        /// The end of its lease.
        until: Timestamp,
    },
    /// Something was changed, or may have been; there is no answer.
    Marked {
        /// Until then the answer may still come.
        until: Timestamp,
    },
    /// It was answered.
    Answered(Vec<u8>),
}

/// A key that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// Its newest run.
    pub number: u32,
    /// What the first request was, as it was given.
    pub fingerprint: Vec<u8>,
    /// How far it is.
    pub state: KeyState,
}

/// What became of a reservation.
#[derive(Debug, Clone)]
pub enum Reserved {
    /// The key is new: carry the request out.
    Run(Run),
    /// It is in use.
    Known(KnownKey),
    /// The account has [`MOST_KEYS`] in use.
    TooMany,
}

/// How a run ended without an answer to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The key is free again.
    Free,
    /// Something was changed under it: it stays as it is.
    Marked,
    /// Another run has it.
    Overtaken,
}

/// Keys of requests, beside the data that the requests change. Durable when they return. What is kept is given sealed, and never looked at.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// Reserves a key for a request until `now +` [`LEASE`], or says what is known of it. Of any number that reserve it at once, one gets it. A key that was
    /// reserved [`KEPT`] ago or earlier counts as new. At most `most` keys of an account are in use.
    async fn reserve(
        &self,
        key: KeyId,
        user: UserId,
        fingerprint: &[u8],
        most: u32,
        now: Timestamp,
    ) -> PortResult<Reserved>;

    /// Takes an open key over from run `number` if its lease has ended by `now`; none if it has not, or the key is not as it was.
    async fn take_over(&self, key: KeyId, number: u32, now: Timestamp) -> PortResult<Option<Run>>;

    /// Keeps the answer of a run; false if another run has the key, or nobody. Safe to repeat.
    async fn keep_answer(&self, run: &Run, answer: &[u8]) -> PortResult<bool>;

    /// Frees the key of a run that has changed nothing. Safe to repeat.
    async fn release(&self, run: &Run) -> PortResult<Released>;

    /// Forgets up to `limit` keys that were reserved at `before` or earlier; how many.
    async fn forget_keys(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}

/// Seals what is kept: answers may have secrets in them, and what is known of a request may tell a password by trying.
pub trait KeySeal: Send + Sync {
    /// Seals it. Each call gives another text.
    fn seal(&self, plain: &[u8]) -> Vec<u8>;

    /// Opens it; none if that key is not at hand any more.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::CALLS;

    #[test]
    fn what_takes_a_key_knows_who_asks() {
        assert!(takes_key("POST", "/api/v1/files") && takes_key("POST", "/api/v1/jobs"));
        assert!(takes_key("POST", "/api/v1/users/me/tokens"));
        for path in UPLOADS {
            assert!(takes_key("PUT", path) && need("PUT", path).is_some_and(|need| need != Need::Nothing));
        }
        for (method, path) in [
            ("POST", "/api/v1/auth/login"),
            ("POST", "/api/v1/uploads"),
            ("POST", "/api/v1/archives"),
            ("POST", "/files"),
            ("PATCH", "/api/v1/files/{id}"),
            ("PUT", "/api/v1/files/{id}/public"),
            ("PUT", "/api/v1/public/{token}/children/{name}/content"),
            ("POST", "/api/v1/unknown"),
        ] {
            assert!(!takes_key(method, path), "{method} {path}");
        }
        for path in WITHOUT {
            assert!(CALLS.iter().any(|call| call.method == "POST" && call.path == *path), "{path}");
        }
    }

    #[tokio::test]
    async fn a_run_goes_with_its_task_until_it_is_marked() {
        let run = Run::new("files", KeyId([7; 32]), 1);
        assert!(unmarked("files").is_none());
        scope(run.clone(), async {
            assert!(unmarked("auth").is_none());
            let of_task =
                tokio::task::JoinSet::from_iter([carried(async { unmarked("files") })]).join_all().await;
            assert!(matches!(&*of_task, [Some(found)] if found.key() == run.key()));
            assert!(aside(async { carried(async { unmarked("files").is_none() }).await }).await);
            run.note_marked();
            assert!(unmarked("files").is_none());
        })
        .await;
    }
}
