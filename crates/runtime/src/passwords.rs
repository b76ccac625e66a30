//! Password hashing, on threads of its own: one hash at cost 12 takes some 0.3 s of a core.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::PortError;
use common::auth::Password;
use tokio::sync::oneshot;

/// How costly new hashes are, and how many may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingSettings {
    /// bcrypt's cost: each step doubles the work. 4 to 31.
    pub cost: u32,
    /// Threads that hash, at least 1.
    pub threads: usize,
    /// Hashes that may wait for a thread; one more is refused.
    pub queue: usize,
}

impl Default for HashingSettings {
    /// Cost 12 on every core, and a queue that two cores work off in some ten seconds.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { cost: 12, threads, queue: 32 * threads }
    }
}

/// The settings do not make a hasher.
#[derive(Debug, thiserror::Error)]
pub enum HasherError {
    /// bcrypt knows the costs 4 to 31.
    #[error("the bcrypt cost {0} is not between 4 and 31")]
    Cost(u32),
    /// The system gives no thread.
    #[error("cannot start a hashing thread")]
    Thread(#[source] std::io::Error),
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The hash function failed: a damaged hash in the store, or a fault of ours.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl HashError {
    /// When a refused caller may ask again: the queue has moved on by several places then.
    pub const RETRY_AFTER: Duration = Duration::from_secs(2);
}

/// Begins the hash of a password that another product kept as SHA-1: what follows is bcrypt of that digest's hexadecimal digits. So the digest itself, which
/// can be guessed at billions a second, stands nowhere, and holding a password against it costs what any other costs.
const OVER_SHA1: &str = "$sha1$";

type Work = Box<dyn FnOnce() + Send>;

/// Hashes and verifies passwords in a bounded pool. Clones share it; its threads end with the last one.
#[derive(Clone)]
pub struct PasswordHasher {
    queue: SyncSender<Work>,
    cost: u32,
    decoy: Arc<str>,
    runs: Arc<AtomicU64>,
}

impl PasswordHasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`HasherError`].
    pub fn new(settings: HashingSettings) -> Result<Self, HasherError> {
        let HashingSettings { cost, threads, queue } = settings;
        if !(4..=31).contains(&cost) {
            return Err(HasherError::Cost(cost));
        }
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || {
                    give_way();
                    work_off(&receiver);
                })
                .map_err(HasherError::Thread)?;
        }
        // any well-formed hash of this cost makes `verify` do the same work; nobody's password needs to match it
        let decoy = format!("$2b${cost:02}$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy");
        Ok(Self { queue: sender, cost, decoy: decoy.into(), runs: Arc::default() })
    }

    /// A salted hash of the current cost.
    ///
    /// # Errors
    /// [`HashError`].
    #[expect(clippy::disallowed_methods, reason = "this is the pool")]
    pub async fn hash(&self, password: &Password) -> Result<String, HashError> {
        let (password, cost) = (password.clone(), self.cost);
        self.run(move || bcrypt::hash(password.reveal(), cost)).await
    }

    /// Whether the password is the one that was hashed. Without a hash (no such account) the work is done all the same, and the answer is no.
    ///
    /// # Errors
    /// [`HashError`].
    #[expect(clippy::disallowed_methods, reason = "this is the pool")]
    pub async fn verify(&self, password: &Password, hash: Option<&str>) -> Result<bool, HashError> {
        let known = hash.is_some();
        let (password, hash) = (password.clone(), hash.unwrap_or(&self.decoy).to_owned());
        let verify = move || match hash.strip_prefix(OVER_SHA1) {
            Some(hash) => bcrypt::verify(sha1_digits(password.reveal()), hash),
            None => bcrypt::verify(password.reveal(), &hash),
        };
        Ok(self.run(verify).await? && known)
    }

    /// A salted hash of a password of which another product kept the SHA-1. It fits the password, and is outdated from the start, so that a sign-in replaces it.
    ///
    /// # Errors
    /// [`HashError`].
    #[expect(clippy::disallowed_methods, reason = "this is the pool")]
    pub async fn hash_sha1(&self, digest: [u8; 20]) -> Result<String, HashError> {
        let cost = self.cost;
        let hash = self.run(move || bcrypt::hash(hex::encode(digest), cost)).await?;
        Ok(format!("{OVER_SHA1}{hash}"))
    }

    /// Whether a hash has another cost than new ones get.
    pub fn is_outdated(&self, hash: &str) -> bool {
        hash.parse::<bcrypt::HashParts>().map_or(true, |parts| parts.get_cost() != self.cost)
    }

    /// How often the hash function has run since the start, for tests and metrics.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        function: impl FnOnce() -> Result<T, bcrypt::BcryptError> + Send + 'static,
    ) -> Result<T, HashError> {
        let (reply, result) = oneshot::channel();
        let (runs, asked) = (Arc::clone(&self.runs), Instant::now());
        let work = Box::new(move || {
            // the client may have gone while this waited
            if reply.is_closed() {
                return;
            }
            metrics::histogram!("fm_auth_password_wait_seconds").record(asked.elapsed().as_secs_f64());
            let begun = Instant::now();
            let outcome = function();
            runs.fetch_add(1, Ordering::Relaxed);
            metrics::histogram!("fm_auth_password_hash_seconds").record(begun.elapsed().as_secs_f64());
            drop(reply.send(outcome));
        });
        self.queue.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => {
                metrics::counter!("fm_auth_password_refused_total").increment(1);
                HashError::Busy
            }
            TrySendError::Disconnected(_) => {
                PortError::broken("passwords", "the hashing threads are gone").into()
            }
        })?;
        let outcome =
            result.await.map_err(|_| PortError::broken("passwords", "a hashing thread gave up its work"))?;
        outcome.map_err(|error| PortError::broken("passwords", error).into())
    }
}

fn sha1_digits(password: &str) -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
}

/// How much less of a core a hash gets than a request that wants it at the same time; as `nice` counts, from 0 to 19.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Hashes take all cores for tenths of seconds: requests that take microseconds go first. A system that refuses this loses nothing but that.
fn give_way() {
    // elsewhere this is a property of the process, not of a thread
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "hashing threads are as urgent as others");
    }
}

fn work_off(queue: &Mutex<Receiver<Work>>) {
    loop {
        // the lock is held while waiting, and by one thread only: the others queue for it, which is the same
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // a panic must cost one answer, not a thread of the pool
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            tracing::error!("hashing a password panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn hasher(threads: usize, queue: usize) -> PasswordHasher {
        PasswordHasher::new(HashingSettings { cost: 4, threads, queue }).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let hasher = hasher(2, 8);
        let hash = hasher.hash(&password("tötö:1")).await.unwrap();
        assert!(hash.starts_with("$2b$04$"), "{hash}");
        assert!(hasher.verify(&password("tötö:1"), Some(&hash)).await.unwrap());
        assert!(!hasher.verify(&password("tötö:2"), Some(&hash)).await.unwrap());
        assert!(!hasher.is_outdated(&hash));
        assert!(hasher.is_outdated(&hash.replace("$04$", "$05$")));
        assert!(hasher.is_outdated("plain"));
    }

    #[tokio::test]
    async fn an_unknown_account_costs_the_same_work_and_never_matches() {
        let hasher = hasher(1, 8);
        let hash = hasher.hash(&password("a")).await.unwrap();
        for known in [Some(hash.as_str()), None] {
            let before = hasher.runs();
            assert!(!hasher.verify(&password("b"), known).await.unwrap());
            assert_eq!(hasher.runs() - before, 1);
        }
    }

    #[tokio::test]
    async fn a_password_of_which_a_sha1_was_kept_fits_until_its_hash_is_replaced() {
        let hasher = hasher(1, 8);
        // sha1 of `toto1234!`
        let digest = hex::decode("89cad29e3ebc1035b29b1478a8e70854f25fa2b2").unwrap();
        let hash = hasher.hash_sha1(digest.try_into().unwrap()).await.unwrap();
        let before = hasher.runs();
        assert!(hasher.verify(&password("toto1234!"), Some(&hash)).await.unwrap());
        // what the other product kept opens nothing by itself
        for wrong in ["toto1234", "89cad29e3ebc1035b29b1478a8e70854f25fa2b2"] {
            assert!(!hasher.verify(&password(wrong), Some(&hash)).await.unwrap());
        }
        assert_eq!(hasher.runs() - before, 3, "as much work as for any other");
        assert!(hasher.is_outdated(&hash) && !hash.contains("89cad29e"), "{hash}");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_recovers() {
        let hasher = hasher(1, 1);
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let wait = move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        };
        let a = password("a");
        let mut first = Box::pin(hasher.run(wait));
        assert!((&mut first).now_or_never().is_none());
        begins.await.unwrap();
        // the thread is taken; this takes the only place in the queue
        let mut second = Box::pin(hasher.hash(&a));
        assert!((&mut second).now_or_never().is_none());
        assert!(matches!(hasher.hash(&password("b")).await, Err(HashError::Busy)));
        hold.send(()).unwrap();
        first.await.unwrap();
        assert!(second.await.is_ok());
        assert!(hasher.hash(&password("b")).await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer() {
        let hasher = hasher(1, 4);
        let broken: Result<(), _> = hasher.run(|| panic!("on purpose")).await;
        assert!(matches!(broken, Err(HashError::Port(_))));
        assert!(hasher.hash(&password("a")).await.is_ok());
    }

    #[tokio::test]
    async fn a_damaged_hash_is_a_fault_not_a_match() {
        let result = hasher(1, 4).verify(&password("a"), Some("not a hash")).await;
        assert!(matches!(result, Err(HashError::Port(PortError::Broken { .. }))));
    }

    #[test]
    fn costs_are_checked() {
        for cost in [3, 32] {
            let settings = HashingSettings { cost, threads: 1, queue: 1 };
            assert!(matches!(PasswordHasher::new(settings), Err(HasherError::Cost(_))));
        }
    }
}
