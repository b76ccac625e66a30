//! Stops calling an address of a service that keeps failing: callers go elsewhere or are answered at once, and it is left to recover.
//!
//! Closed: calls go through, and failures in a row are counted. After [`FAILURES`] of them it opens: no call goes through for a while. Then it is half open:
//! one call, the probe, goes through; it closes the circuit if it works and opens it for twice as long if not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Gauge, gauge};
use tokio::time::Instant;

/// Failures in a row that open it. A single lost connection, or a replica that restarts, is no outage.
pub(crate) const FAILURES: u32 = 5;

/// How long it stays open at first, and at most: with what it waits for itself, a service that comes back is used again within ten seconds.
pub(crate) const OPEN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// The circuit to one address of a service.
pub(crate) struct Circuit {
    target: &'static str,
    /// As metrics and logs show it.
    address: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, lasted: Duration },
    HalfOpen { lasted: Duration },
}

/// A call that went through. Dropped without a word, as when its caller went away, it says nothing about the service.
pub(crate) struct Passage<'a> {
    circuit: &'a Circuit,
    probe: bool,
    told: bool,
}

impl Circuit {
    pub(crate) fn new(target: &'static str, address: Arc<str>) -> Self {
        let circuit = Self { target, address, state: Mutex::new(State::Closed { failures: 0 }) };
        circuit.show(State::Closed { failures: 0 });
        circuit
    }

    /// Whether a call would be let through now.
    pub(crate) fn is_passable(&self) -> bool {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Closed { .. } => true,
            State::Open { until, .. } => Instant::now() >= until,
            State::HalfOpen { .. } => false,
        }
    }

    /// Whether calls there go well, as far as is known.
    pub(crate) fn is_closed(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Closed { .. })
    }

    /// Lets a call through, or not.
    pub(crate) fn enter(&self) -> Option<Passage<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until, lasted } if Instant::now() >= until => {
                self.set(&mut state, State::HalfOpen { lasted });
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => return None,
        };
        Some(Passage { circuit: self, probe, told: false })
    }

    fn set(&self, state: &mut State, next: State) {
        match (&*state, next) {
            (State::Closed { .. }, State::Open { .. }) => {
                tracing::warn!(
                    target_service = self.target,
                    address = &*self.address,
                    "a service keeps failing and is not called there for a while"
                );
            }
            (State::HalfOpen { .. }, State::Closed { .. }) => {
                tracing::info!(
                    target_service = self.target,
                    address = &*self.address,
                    "a service answers again"
                );
            }
            _ => {}
        }
        *state = next;
        self.show(next);
    }

    /// One of three series is 1.
    fn show(&self, state: State) {
        for (name, is) in [
            ("closed", matches!(state, State::Closed { .. })),
            ("open", matches!(state, State::Open { .. })),
            ("half_open", matches!(state, State::HalfOpen { .. })),
        ] {
            self.gauge(name).set(f64::from(u8::from(is)));
        }
    }

    fn gauge(&self, state: &'static str) -> Gauge {
        let address = Arc::clone(&self.address);
        gauge!("fm_client_circuit_state", "target" => self.target, "address" => address, "state" => state)
    }
}

impl Drop for Circuit {
    /// The address is none any more: no series says anything of it.
    fn drop(&mut self) {
        for state in ["closed", "open", "half_open"] {
            self.gauge(state).set(0.0);
        }
    }
}

impl Passage<'_> {
    /// Whether it is the one call that finds out.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// The service answered.
    pub(crate) fn worked(mut self) {
        self.told = true;
        let mut state = self.circuit.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { failures: 0 } => {}
            // a call that began before it opened proves nothing about now
            State::Open { .. } => {}
            State::HalfOpen { .. } if !self.probe => {}
            State::Closed { .. } | State::HalfOpen { .. } => {
                self.circuit.set(&mut state, State::Closed { failures: 0 });
            }
        }
    }

    /// The service did not answer.
    pub(crate) fn failed(mut self) {
        self.told = true;
        let open = |lasted| State::Open { until: Instant::now() + lasted, lasted };
        let mut state = self.circuit.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { failures } if failures + 1 >= FAILURES => {
                self.circuit.set(&mut state, open(OPEN.0))
            }
            State::Closed { failures } => *state = State::Closed { failures: failures + 1 },
            State::HalfOpen { lasted } if self.probe => {
                self.circuit.set(&mut state, open((lasted * 2).min(OPEN.1)));
            }
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.told || !self.probe {
            return;
        }
        // the next call is the probe, at once
        let mut state = self.circuit.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::HalfOpen { lasted } = *state {
            self.circuit.set(&mut state, State::Open { until: Instant::now(), lasted });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(circuit: &Circuit, times: u32) {
        for _ in 0..times {
            circuit.enter().expect("it is closed").failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_closes_by_a_probe() {
        let circuit = Circuit::new("files", "there".into());
        fail(&circuit, FAILURES - 1);
        circuit.enter().unwrap().worked();
        fail(&circuit, FAILURES);
        assert!(circuit.enter().is_none() && !circuit.is_passable());
        tokio::time::advance(OPEN.0).await;
        assert!(circuit.is_passable());
        let probe = circuit.enter().unwrap();
        assert!(probe.is_probe());
        assert!(circuit.enter().is_none() && !circuit.is_passable(), "one probe at a time");
        probe.worked();
        assert!(!circuit.enter().unwrap().is_probe());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_opens_it_for_longer() {
        let circuit = Circuit::new("files", "there".into());
        fail(&circuit, FAILURES);
        let mut wait = OPEN.0;
        for _ in 0..10 {
            tokio::time::advance(wait).await;
            circuit.enter().unwrap().failed();
            let longer = (wait * 2).min(OPEN.1);
            tokio::time::advance(longer - Duration::from_millis(1)).await;
            assert!(circuit.enter().is_none());
            tokio::time::advance(Duration::from_millis(1)).await;
            wait = Duration::ZERO.max(longer);
            circuit.enter().unwrap().failed();
            wait = (wait * 2).min(OPEN.1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_whose_caller_went_away_makes_room_for_the_next() {
        let circuit = Circuit::new("files", "there".into());
        fail(&circuit, FAILURES);
        tokio::time::advance(OPEN.0).await;
        drop(circuit.enter().unwrap());
        assert!(circuit.enter().unwrap().is_probe());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_from_before_it_opened_change_nothing() {
        let circuit = Circuit::new("files", "there".into());
        let (slow, slower) = (circuit.enter().unwrap(), circuit.enter().unwrap());
        fail(&circuit, FAILURES);
        slow.worked();
        slower.failed();
        assert!(circuit.enter().is_none());
    }
}
