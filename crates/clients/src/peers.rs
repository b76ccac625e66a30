//! The addresses of a service, and the choice among them.
//!
//! A failure of an address is a connection that fails, or an answer that does not come in time; also 502 and 504, by which a proxy before the service says the
//! same. A 503 is none: the service is there and says what it misses, mostly its store, which its replicas miss as well. Leaving them all alone would turn
//! that answer into a worse one, and keep callers away for some seconds after the store is back. A replica that is starting says so, and is one of the first
//! kind: others have what it does not have yet.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use common::allowance::Waiting;
use common::{PortError, PortResult};
use metrics::counter;
use reqwest::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};

use crate::circuit::{Circuit, Passage};

/// A round through the addresses follows the one before at once, since a connection that was kept may turn out to be closed; the third one after a
/// pause, in which a replica can come up.
const ROUNDS: [Duration; 3] = [Duration::ZERO, Duration::ZERO, Duration::from_millis(150)];

/// How long the call that finds out whether an address works again waits for it, while there are others that it can go to.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);

/// How long a call waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// In all.
    pub(crate) deadline: Duration,
    /// For one address, while there is another one whose calls go well: a replica that takes connections and hangs costs a call no more than this. None for
    /// calls that had better not be made twice at once.
    pub(crate) elsewhere_after: Option<Duration>,
}

impl Patience {
    pub(crate) fn begin(self) -> Wait {
        let waiting = Waiting::begin(self.deadline, Duration::ZERO);
        let late = waiting.late();
        Wait {
            until: waiting.until(),
            elsewhere_after: self.elsewhere_after,
            proves: !late.is_cut_short || late.given >= PROBE_DEADLINE,
            _waiting: waiting,
        }
    }
}

/// [`Patience`] of a call that has begun, within what the request may still wait.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) until: Instant,
    elsewhere_after: Option<Duration>,
    /// Whether an address that does not answer meanwhile has failed. Not if the request had hardly any time left.
    proves: bool,
    _waiting: Waiting,
}

impl Wait {
    /// The end of a call whose time is over. Those that were asked and did not answer have failed.
    fn give_up<A>(&self, mut visits: Vec<Visit<'_, A>>) {
        if self.proves {
            visits.iter_mut().for_each(Visit::failed);
        }
    }
}

/// All addresses of a service. Calls take turns over those that work. `A` is what a call needs to know of one.
pub(crate) struct Peers<A> {
    target: &'static str,
    all: RwLock<All<A>>,
    turn: AtomicUsize,
}

type All<A> = Arc<[Arc<Peer<A>>]>;

struct Peer<A> {
    at: A,
    circuit: Circuit,
}

/// An answer, as far as it was read.
pub(crate) struct Reply<T> {
    pub(crate) status: StatusCode,
    pub(crate) content: T,
}

/// Why there is no answer from an address.
pub(crate) enum NoReply {
    /// The connection failed, before the answer or in it.
    Connection(reqwest::Error),
    /// The service there has not all it needs yet.
    Starting,
    /// There is one that cannot be used.
    Unusable(PortError),
}

/// What a call has to do with one address.
struct Visit<'a, A> {
    peer: &'a Peer<A>,
    passage: Option<Passage<'a>>,
    may_go: bool,
}

impl<A> Visit<'_, A> {
    /// Whether the address may be asked, again or for the first time.
    fn enter(&mut self) -> bool {
        if self.may_go && self.passage.is_none() {
            self.passage = self.peer.circuit.enter();
            self.may_go = self.passage.is_some();
        }
        self.may_go
    }

    fn is_probe(&self) -> bool {
        self.passage.as_ref().is_some_and(Passage::is_probe)
    }

    fn worked(&mut self) {
        if let Some(passage) = self.passage.take() {
            passage.worked();
        }
    }

    fn failed(&mut self) {
        if let Some(passage) = self.passage.take() {
            passage.failed();
        }
    }

    /// Any answer shows that the service is there, but for those of a proxy that did not get one.
    fn answered(&mut self, status: StatusCode) {
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => self.failed(),
            _ => self.worked(),
        }
    }

    /// How long to wait for it, which is short while another address can be asked: for a probe any that may be, else one that does not itself keep failing.
    fn share(&self, others: &[&Self], wait: &Wait) -> Option<Duration> {
        if self.is_probe() {
            others.iter().any(|other| other.may_go).then_some(PROBE_DEADLINE)
        } else {
            let one_works = others.iter().any(|other| other.may_go && other.peer.circuit.is_closed());
            wait.elsewhere_after.filter(|_| one_works)
        }
    }
}

impl<A> Peers<A> {
    /// These addresses, each with the name that metrics show.
    pub(crate) fn new(target: &'static str, addresses: impl IntoIterator<Item = (A, Arc<str>)>) -> Self {
        let mut peers = Self { target, all: RwLock::new(Arc::default()), turn: AtomicUsize::new(0) };
        let all = addresses.into_iter().map(|address| peers.peer(address)).collect();
        peers.all = RwLock::new(all);
        peers
    }

    fn peer(&self, (at, shown): (A, Arc<str>)) -> Arc<Peer<A>> {
        Arc::new(Peer { at, circuit: Circuit::new(self.target, shown) })
    }

    /// From now on it has the addresses that are wanted. What is known of one that was there before stays known; `make` is asked for those that are new,
    /// each with the name that metrics show.
    ///
    /// # Errors
    /// Those of `make`; then nothing has changed.
    pub(crate) fn replace<W, E>(
        &self,
        wanted: &[W],
        is: impl Fn(&A, &W) -> bool,
        make: impl Fn(&W) -> Result<(A, Arc<str>), E>,
    ) -> Result<(), E> {
        let before = self.all();
        let peer = |wanted: &W| match before.iter().find(|peer| is(&peer.at, wanted)) {
            Some(known) => Ok(Arc::clone(known)),
            None => make(wanted).map(|address| self.peer(address)),
        };
        let all = wanted.iter().map(peer).collect::<Result<_, E>>()?;
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    fn all(&self) -> All<A> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those that can be called now. Each call begins with another one.
    fn in_turn<'a>(&self, all: &'a [Arc<Peer<A>>]) -> Vec<Visit<'a, A>> {
        let passable = all.iter().filter(|peer| peer.circuit.is_passable());
        let mut visits: Vec<_> = passable.map(|peer| Visit { peer, passage: None, may_go: true }).collect();
        if !visits.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % visits.len();
            visits.rotate_left(turn);
        }
        visits
    }

    /// Gets an answer from one of them, in time. `attempt` sends the request to an address; where the connection fails it is sent to another one,
    /// or again, and where none comes soon to another one if the patience says so: it must be one that may be repeated.
    ///
    /// # Errors
    /// `Unavailable` if none answers in time, at once if all have kept failing; the error of an answer that cannot be used.
    pub(crate) async fn call<T, F>(&self, wait: Wait, attempt: impl Fn(&A) -> F) -> PortResult<Reply<T>>
    where
        F: Future<Output = Result<Reply<T>, NoReply>>,
    {
        let all = self.all();
        let mut visits = self.in_turn(&all);
        let mut failure = None;
        for pause in ROUNDS {
            if failure.is_some() && !pause.is_zero() && visits.iter().any(|visit| visit.may_go) {
                sleep(pause).await;
            }
            for at in 0..visits.len() {
                if !visits[at].enter() {
                    continue;
                }
                let (before, rest) = visits.split_at_mut(at);
                let [visit, after @ ..] = rest else { continue };
                let others: Vec<_> = before.iter().chain(&*after).collect();
                let share = visit.share(&others, &wait);
                let patience = share.map_or(wait.until, |share| wait.until.min(Instant::now() + share));
                let tried = timeout_at(patience, attempt(&visit.peer.at)).await;
                match tried {
                    Ok(Ok(reply)) => {
                        visit.answered(reply.status);
                        give_up(visits);
                        return Ok(reply);
                    }
                    Ok(Err(NoReply::Unusable(error))) => {
                        visit.worked();
                        give_up(visits);
                        return Err(error);
                    }
                    Ok(Err(NoReply::Connection(error))) => {
                        tracing::debug!(part = self.target, %error, "a connection failed");
                        // an address that does not even take connections will not do so at once
                        visit.may_go = !visit.is_probe() && !error.is_timeout();
                        failure = Some(PortError::unavailable(self.target, error.without_url()));
                    }
                    Ok(Err(NoReply::Starting)) => {
                        visit.may_go = false;
                        failure = Some(PortError::unavailable(self.target, "it is starting"));
                    }
                    Err(_) => {
                        visit.may_go = false;
                        let error = PortError::unavailable(self.target, "no answer in time");
                        if share.is_none() || Instant::now() >= wait.until {
                            wait.give_up(visits);
                            return Err(error);
                        }
                        failure = Some(error);
                    }
                }
            }
        }
        give_up(visits);
        Err(failure.unwrap_or_else(|| {
            counter!("fm_client_circuit_refused_total", "target" => self.target).increment(1);
            PortError::unavailable(self.target, "it kept failing and is left alone for a while")
        }))
    }
}

/// Those that were asked and did not answer have failed.
fn give_up<A>(visits: Vec<Visit<'_, A>>) {
    for mut visit in visits {
        visit.failed();
    }
}

#[cfg(test)]
mod tests;
