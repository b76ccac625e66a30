//! The addresses of a service, and the choice among them.
//!
//! A failure of an address is a connection that fails, or an answer that does not come in time; also 502 and 504, by which a proxy before the service says the
//! same. A 503 is none: the service is there and says what it misses, mostly its store, which its replicas miss as well. Leaving them all alone would turn
//! that answer into a worse one, and keep callers away for some seconds after the store is back.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    fn give_up(&self, mut visits: Vec<Visit<'_>>) {
        if self.proves {
            visits.iter_mut().for_each(Visit::failed);
        }
    }
}

/// All addresses of a service. Calls take turns over those that work.
pub(crate) struct Peers {
    target: &'static str,
    all: Vec<Peer>,
    turn: AtomicUsize,
}

struct Peer {
    /// Without a slash at its end.
    base: String,
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
    /// There is one that cannot be used.
    Unusable(PortError),
}

/// What a call has to do with one address.
struct Visit<'a> {
    peer: &'a Peer,
    passage: Option<Passage<'a>>,
    may_go: bool,
}

impl Visit<'_> {
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
    fn share(&self, others: &[&Visit<'_>], wait: &Wait) -> Option<Duration> {
        if self.is_probe() {
            others.iter().any(|other| other.may_go).then_some(PROBE_DEADLINE)
        } else {
            let one_works = others.iter().any(|other| other.may_go && other.peer.circuit.is_closed());
            wait.elsewhere_after.filter(|_| one_works)
        }
    }
}

impl Peers {
    /// These bases, each with the name that metrics show.
    pub(crate) fn new(target: &'static str, bases: impl IntoIterator<Item = (String, Arc<str>)>) -> Self {
        let peer = |(base, shown)| Peer { base, circuit: Circuit::new(target, shown) };
        Self { target, all: bases.into_iter().map(peer).collect(), turn: AtomicUsize::new(0) }
    }

    /// The bases, with commas between.
    pub(crate) fn shown(&self) -> String {
        let bases: Vec<_> = self.all.iter().map(|peer| peer.base.as_str()).collect();
        bases.join(",")
    }

    /// Those that can be called now. Each call begins with another one.
    fn in_turn(&self) -> Vec<Visit<'_>> {
        let passable = self.all.iter().filter(|peer| peer.circuit.is_passable());
        let mut visits: Vec<_> = passable.map(|peer| Visit { peer, passage: None, may_go: true }).collect();
        if !visits.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % visits.len();
            visits.rotate_left(turn);
        }
        visits
    }

    /// Gets an answer from one of them, in time. `attempt` sends the request to a base; where the connection fails it is sent to another one,
    /// or again, and where none comes soon to another one if the patience says so: it must be one that may be repeated.
    ///
    /// # Errors
    /// `Unavailable` if none answers in time, at once if all have kept failing; the error of an answer that cannot be used.
    pub(crate) async fn call<T, F>(&self, wait: Wait, attempt: impl Fn(&str) -> F) -> PortResult<Reply<T>>
    where
        F: Future<Output = Result<Reply<T>, NoReply>>,
    {
        let mut visits = self.in_turn();
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
                let tried = timeout_at(patience, attempt(&visit.peer.base)).await;
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
fn give_up(visits: Vec<Visit<'_>>) {
    for mut visit in visits {
        visit.failed();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::future::{Ready, ready};

    use common::allowance::{Allowance, UNNOTICED, scope};

    use super::*;
    use crate::circuit::{FAILURES, OPEN};

    fn peers(names: &[&str]) -> Peers {
        Peers::new("files", names.iter().map(|name| ((*name).to_owned(), (*name).into())))
    }

    type Tried = Result<Reply<()>, NoReply>;

    async fn reply(status: StatusCode) -> Tried {
        Ok(Reply { status, content: () })
    }

    async fn hang() -> Tried {
        std::future::pending().await
    }

    const SHARE: Duration = Duration::from_secs(1);

    /// Five seconds, of which one address has one if there is another.
    fn later() -> Wait {
        Patience { deadline: Duration::from_secs(5), elsewhere_after: Some(SHARE) }.begin()
    }

    /// One address has all the time.
    fn patient() -> Wait {
        Wait { elsewhere_after: None, ..later() }
    }

    /// Opens the circuit to `a`.
    async fn fail_at_a(peers: &Peers) {
        let mut failed = 0;
        while failed < FAILURES {
            let answer = peers.call(later(), |base| {
                reply(if base == "a" { StatusCode::BAD_GATEWAY } else { StatusCode::OK })
            });
            failed += u32::from(answer.await.unwrap().status == StatusCode::BAD_GATEWAY);
        }
    }

    async fn asked(peers: &Peers, calls: u32) -> BTreeMap<String, u32> {
        let asked = RefCell::new(BTreeMap::new());
        for _ in 0..calls {
            let count = |base: &str| {
                *asked.borrow_mut().entry(base.to_owned()).or_default() += 1;
                reply(StatusCode::OK)
            };
            peers.call(later(), count).await.unwrap();
        }
        asked.into_inner()
    }

    fn times(expected: &[(&str, u32)]) -> BTreeMap<String, u32> {
        expected.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_turns_over_those_that_work() {
        let peers = peers(&["a", "b", "c"]);
        assert_eq!(asked(&peers, 30).await, times(&[("a", 10), ("b", 10), ("c", 10)]));
        fail_at_a(&peers).await;
        assert_eq!(asked(&peers, 30).await, times(&[("b", 15), ("c", 15)]));
        tokio::time::advance(OPEN.0).await;
        assert_eq!(asked(&peers, 30).await, times(&[("a", 10), ("b", 10), ("c", 10)]), "the probe worked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_fails_no_call() {
        let peers = peers(&["a", "b"]);
        fail_at_a(&peers).await;
        let hangs_at_a = |base: &str| {
            let is_a = base == "a";
            async move { if is_a { hang().await } else { reply(StatusCode::OK).await } }
        };
        for _ in 0..20 {
            tokio::time::advance(OPEN.1).await;
            let begun = Instant::now();
            peers.call(later(), hangs_at_a).await.unwrap();
            assert!(begun.elapsed() <= PROBE_DEADLINE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_alone_is_waited_for_and_then_left_alone() {
        let peers = peers(&["a"]);
        for _ in 0..FAILURES {
            let begun = Instant::now();
            assert!(peers.call(later(), |_| hang()).await.is_err());
            assert_eq!(begun.elapsed(), Duration::from_secs(5));
        }
        let refused = peers.call(later(), |_| -> Ready<Tried> { panic!("it was asked") });
        assert!(refused.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_does_not_cost_calls_their_whole_time_while_another_works() {
        let peers = peers(&["hangs", "works"]);
        let attempt = |base: &str| {
            let hangs = base == "hangs";
            async move { if hangs { hang().await } else { reply(StatusCode::OK).await } }
        };
        let mut slow = 0;
        for _ in 0..4 * FAILURES {
            let begun = Instant::now();
            assert_eq!(peers.call(later(), attempt).await.unwrap().status, StatusCode::OK);
            assert!(begun.elapsed() <= SHARE);
            slow += u32::from(begun.elapsed() == SHARE);
        }
        assert!((FAILURES..2 * FAILURES).contains(&slow), "it is left alone after that: {slow}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_had_better_not_be_made_twice_is_not_asked_for_elsewhere() {
        let peers = peers(&["a", "b"]);
        let times = RefCell::new(0);
        let slow = |_: &str| {
            *times.borrow_mut() += 1;
            async {
                sleep(3 * SHARE).await;
                reply(StatusCode::OK).await
            }
        };
        peers.call(patient(), slow).await.unwrap();
        assert_eq!(times.take(), 1);
        // nor is one cut short for another that keeps failing
        fail_at_a(&peers).await;
        tokio::time::advance(OPEN.1).await;
        for _ in 0..2 {
            peers
                .call(later(), |base| {
                    let is_a = base == "a";
                    let answer = slow(base);
                    async move { if is_a { hang().await } else { answer.await } }
                })
                .await
                .unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_has_waited_before_waits_for_what_is_left_and_blames_nobody_for_little() {
        let peers = peers(&["a"]);
        let allowance = Allowance::new(Duration::from_secs(4));
        let begun = Instant::now();
        let calls = async {
            for _ in 0..4 * FAILURES {
                assert!(peers.call(later(), |_| hang()).await.is_err());
            }
        };
        scope(Some(allowance), calls).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(4) + 4 * FAILURES * UNNOTICED);
        assert_eq!(asked(&peers, 1).await, times(&[("a", 1)]), "only the first call says that it hangs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_says_what_it_misses_is_not_left_alone() {
        let peers = peers(&["a", "b"]);
        for _ in 0..4 * FAILURES {
            let answer = peers.call(later(), |_| reply(StatusCode::SERVICE_UNAVAILABLE)).await;
            assert_eq!(answer.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(asked(&peers, 10).await, times(&[("a", 5), ("b", 5)]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_cannot_be_used_is_not_asked_for_again() {
        let peers = peers(&["a", "b"]);
        let times = RefCell::new(0);
        let answer = peers.call(later(), |_| {
            *times.borrow_mut() += 1;
            ready(Tried::Err(NoReply::Unusable(PortError::broken("files", "too large"))))
        });
        assert!(matches!(answer.await, Err(PortError::Broken { .. })));
        assert_eq!(times.into_inner(), 1);
    }
}
