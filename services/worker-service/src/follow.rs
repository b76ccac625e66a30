//! Follows what happens to jobs: one reader of the store for all streams of this process, and a place in the order of events for each of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{JobEvent, JobEventFilter, JobEvents, short_error};
use common::{Causes, Clock, PortResult};
use runtime::retry::RetryDelay;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Parts;
use crate::work::Bells;

/// Events read at once.
const PAGE: u32 = 100;
/// Pages that a slow stream may be behind before it reads the store itself.
const PAGES_BEHIND: usize = 16;
/// Shortest time between two reads, so that many changes become few reads.
const BREATH: Duration = Duration::from_millis(10);
/// Most bytes of an event's data in a stream, so that what waits for slow readers is bounded. Whoever wants more looks at the job.
const MAX_DATA_BYTES: usize = 16 * 1024;

/// Events that follow one another.
struct Batch {
    /// All events after this one, ...
    after: u64,
    /// ... up to this one, were looked at.
    last: u64,
    events: Vec<Arc<JobEvent>>,
}

/// Reads the store while anybody listens, and passes on what it reads.
pub(crate) struct Hub {
    events: Arc<dyn JobEvents>,
    clock: Arc<dyn Clock>,
    bells: Bells,
    look: Duration,
    batches: broadcast::Sender<Arc<Batch>>,
    wanted: Notify,
}

impl Hub {
    pub(crate) fn new(parts: &Parts, bells: Bells) -> Self {
        Self {
            events: Arc::clone(&parts.events),
            clock: Arc::clone(&parts.clock),
            bells,
            look: parts.settings.listeners.look,
            batches: broadcast::Sender::new(PAGES_BEHIND),
            wanted: Notify::new(),
        }
    }

    /// Works until `stop` is cancelled. May be dropped at any point.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let work = async {
            let mut delay = RetryDelay::default();
            loop {
                if self.batches.receiver_count() == 0 {
                    self.wanted.notified().await;
                    continue;
                }
                if let Err(error) = self.read(&mut delay).await {
                    let wait = delay.next_delay();
                    tracing::warn!(cause = %Causes(&error), ?wait, "cannot read what happened to jobs");
                    sleep(wait).await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// Reads until nobody listens any more.
    async fn read(&self, delay: &mut RetryDelay) -> PortResult<()> {
        let mut at = self.events.last_event().await?;
        let mut begins = true;
        while self.batches.receiver_count() > 0 {
            // stores may give events their places later; listeners want them now, and not only once no more come
            let ordered = self.events.order_events(PAGE, self.clock.now()).await?;
            let page = self.events.events_after(at, &JobEventFilter::default(), PAGE).await?;
            delay.reset();
            if std::mem::take(&mut begins) {
                // whoever stands before it, because this had stopped, or did not begin in time, hears from nothing else that there is more
                let _ = self.batches.send(Arc::new(Batch { after: at, last: at, events: Vec::new() }));
            }
            if page.last == at && !page.gap {
                if ordered == 0 {
                    tokio::select! {
                        () = self.bells.change() => {}
                        () = sleep(self.look) => {}
                    }
                }
                sleep(BREATH).await;
                continue;
            }
            // after a gap nobody can be where this begins: all look for themselves
            let after = if page.gap { u64::MAX } else { at };
            at = page.last;
            let events = page.events.into_iter().map(bounded).map(Arc::new).collect();
            // nobody may be left to hear it
            let _ = self.batches.send(Arc::new(Batch { after, last: page.last, events }));
        }
        Ok(())
    }

    /// A place in the order of events, for whoever tells them to somebody: after this one, or now.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        after: Option<u64>,
        filter: JobEventFilter,
    ) -> PortResult<Follower> {
        // in this order: what happens from now on comes by one way or the other
        let batches = self.batches.subscribe();
        self.wanted.notify_one();
        let (after, behind) = match after {
            Some(after) => (after, true),
            None => (self.events.last_event().await?, false),
        };
        Ok(Follower {
            events: Arc::clone(&self.events),
            batches,
            filter,
            after,
            behind,
            told: VecDeque::new(),
        })
    }
}

/// An event whose data are not too large for a stream.
fn bounded(mut event: JobEvent) -> JobEvent {
    if event.data.as_ref().is_some_and(|data| data.to_string().len() > MAX_DATA_BYTES) {
        event.data = Some(serde_json::json!({ "omitted": true }));
    }
    event
}

/// What a follower hears.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// Something happened.
    Event(Arc<JobEvent>),
    /// Events up to this one have been forgotten: only the jobs themselves tell how they are.
    Reset(u64),
}

/// Hears all events that its filter lets through, from its place on, each once and in their order.
pub(crate) struct Follower {
    events: Arc<dyn JobEvents>,
    batches: broadcast::Receiver<Arc<Batch>>,
    filter: JobEventFilter,
    /// All events up to this one have been told, or wait to be.
    after: u64,
    /// There may be events in the store that no batch will bring.
    behind: bool,
    told: VecDeque<Told>,
}

impl Follower {
    /// The place up to which everything has been told.
    pub(crate) fn place(&self) -> Option<u64> {
        self.told.is_empty().then_some(self.after)
    }

    /// What comes next; waits for it. May be dropped at any point.
    pub(crate) async fn next(&mut self) -> PortResult<Told> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            match self.batches.recv().await {
                Ok(batch) => self.take(&batch),
                Err(RecvError::Lagged(_)) => self.behind = true,
                // the hub lives as long as the service
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Reads what the store has from here on.
    async fn catch_up(&mut self) -> PortResult<()> {
        let page = self.events.events_after(self.after, &self.filter, PAGE).await?;
        if page.gap {
            let first = page.events.first().map_or(page.last, |event| event.seq - 1);
            self.told.push_back(Told::Reset(first));
        }
        self.behind = page.gap || page.last != self.after;
        self.after = page.last;
        self.told.extend(page.events.into_iter().map(bounded).map(|event| Told::Event(Arc::new(event))));
        Ok(())
    }

    fn take(&mut self, batch: &Batch) {
        if batch.after > self.after {
            self.behind = true;
        } else if batch.last > self.after {
            let new = batch.events.iter().filter(|event| event.seq > self.after && self.filter.passes(event));
            self.told.extend(new.cloned().map(Told::Event));
            self.after = batch.last;
        }
    }
}

/// An event as streams show it.
pub(crate) fn shown(event: &JobEvent) -> Value {
    serde_json::json!({
        "seq": event.seq,
        "at": event.at,
        "jobId": event.job,
        "type": event.kind,
        "userId": event.user,
        "event": event.event.word(),
        "data": event.data,
    })
}

/// The same for whoever the job is: errors without stacks.
pub(crate) fn shown_to_owner(event: &JobEvent) -> Value {
    let mut shown = shown(event);
    if let Some(error) = shown.pointer_mut("/data/error")
        && let Some(text) = error.as_str()
    {
        *error = short_error(text).into();
    }
    shown
}
