//! Follows what happens to files: one question to the store for all streams of this process, and for each stream its places in the trees that concern it.
//!
//! Those are a person's own tree, and those of which something is shared with them. What is told of others' files is what they could see there at that
//! moment: each event is held against their rights when it is told, and what has left them against those of when it left.

mod places;
mod sight;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::files::{ActivityStore, FileEvent, SharesOf};
use common::{Causes, PortResult, SpaceId, UserId};
use runtime::retry::RetryDelay;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub(crate) use places::Places;
use places::TREES;

use super::sharing;
use crate::error::AppError;
use crate::state::FileService;

/// Events of a tree read at once.
const PAGE: u32 = 50;
/// Shares that are looked at for that.
const SHARES: u32 = 1000;
/// How often it is looked what is shared with a person.
const LOOK_FOR_SHARES: Duration = Duration::from_secs(10);

/// Knows the number of the last event of each tree that anybody follows.
pub(crate) struct Lookout {
    activity: Arc<dyn ActivityStore>,
    look: Duration,
    followed: Mutex<HashMap<SpaceId, watch::Sender<u64>>>,
    wanted: Notify,
}

impl Lookout {
    pub(crate) fn new(activity: &Arc<dyn ActivityStore>, look: Duration) -> Self {
        Self { activity: Arc::clone(activity), look, followed: Mutex::default(), wanted: Notify::new() }
    }

    /// Works until `stop` is cancelled. May be dropped at any point.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        stop.run_until_cancelled(async {
            let mut delay = RetryDelay::default();
            loop {
                let spaces = self.spaces();
                if spaces.is_empty() {
                    self.wanted.notified().await;
                    continue;
                }
                match self.activity.last_events(&spaces).await {
                    Ok(lasts) => {
                        delay.reset();
                        self.tell(&spaces, &lasts);
                        sleep(self.look).await;
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot look what happened to files");
                        sleep(wait).await;
                    }
                }
            }
        })
        .await;
    }

    /// Those that somebody follows; the others are forgotten.
    fn spaces(&self) -> Vec<SpaceId> {
        let mut followed = self.lock();
        followed.retain(|_, last| last.receiver_count() > 0);
        followed.keys().copied().collect()
    }

    fn tell(&self, spaces: &[SpaceId], lasts: &[u64]) {
        let followed = self.lock();
        for (space, last) in spaces.iter().zip(lasts) {
            if let Some(known) = followed.get(space) {
                known.send_if_modified(|known| std::mem::replace(known, *last) != *last);
            }
        }
    }

    /// The number of the last event of a tree as it becomes known; at first one that was known, or 0.
    fn follow(&self, space: SpaceId) -> watch::Receiver<u64> {
        let receiver = self.lock().entry(space).or_insert_with(|| watch::Sender::new(0)).subscribe();
        self.wanted.notify_one();
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceId, watch::Sender<u64>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a follower hears, with its places after that.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something happened.
    Event(Box<FileEvent>, String),
    /// Events have been forgotten that would have come: only the files themselves tell how they are.
    Reset(String),
}

/// A tree that is followed.
struct Tree {
    /// All up to this number was read.
    after: u64,
    /// The number of the last event, as far as it is known.
    last: watch::Receiver<u64>,
    /// Its client comes back: the numbers may be those of another store.
    comes_back: bool,
}

impl Tree {
    fn is_behind(&self) -> bool {
        self.comes_back || *self.last.borrow() > self.after
    }
}

/// What was read and is to be told.
enum Read {
    Event(FileEvent),
    Reset(SpaceId, u64),
    /// Nothing that concerns the person, up to this number.
    Nothing(SpaceId, u64),
}

/// Hears what happens to the files of one person and to what is shared with them, from its places on, each event once and those of a tree in their order.
pub(crate) struct Follower {
    service: Arc<FileService>,
    user: UserId,
    own: SpaceId,
    trees: BTreeMap<SpaceId, Tree>,
    places: Places,
    read: VecDeque<Read>,
    look_at: Instant,
}

impl Follower {
    /// Follows from these places on. A tree that has none there is followed from now on, after a reset.
    ///
    /// # Errors
    /// Those of the stores; `unavailable` if nobody can say in which groups the person is.
    pub(crate) async fn begin(
        service: Arc<FileService>,
        user: UserId,
        from: Option<Places>,
    ) -> Result<Self, AppError> {
        let own = sharing::own_space(&service, user).await?;
        let look_at = Instant::now() + LOOK_FOR_SHARES;
        let trees = BTreeMap::new();
        let mut follower =
            Self { service, user, own, trees, places: Places::default(), read: VecDeque::new(), look_at };
        follower.look_around(&from.unwrap_or_default()).await?;
        Ok(follower)
    }

    /// Where it is, unless something that was read is still to be told.
    pub(crate) fn place(&self) -> Option<String> {
        self.read.is_empty().then(|| self.text())
    }

    fn text(&self) -> String {
        self.places.text(&self.service.cursor_key, self.user)
    }

    /// What comes next; waits for it. May be dropped at any point.
    ///
    /// # Errors
    /// As [`Follower::begin`].
    pub(crate) async fn next(&mut self) -> Result<Told, AppError> {
        loop {
            if let Some(read) = self.read.pop_front() {
                if let Some(told) = self.tell(read) {
                    return Ok(told);
                }
                continue;
            }
            let behind = self.trees.iter().find(|(_, tree)| tree.is_behind());
            if let Some((space, tree)) = behind {
                let (space, after) = (*space, tree.after);
                let (read, after) = self.read(space, after).await?;
                // nothing is waited for from here on
                self.read.extend(read);
                if let Some(tree) = self.trees.get_mut(&space) {
                    tree.after = after;
                    tree.comes_back = false;
                }
                continue;
            }
            tokio::select! {
                () = changed(&mut self.trees) => {}
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + LOOK_FOR_SHARES;
                    // what it follows goes on where nobody can say more
                    if let Err(error) = self.look_around(&Places::default()).await {
                        tracing::debug!(%error, "cannot look what is shared with somebody who follows files");
                    }
                }
            }
        }
    }

    fn tell(&mut self, read: Read) -> Option<Told> {
        match read {
            Read::Event(event) => {
                self.places.0.insert(event.space, event.seq);
                Some(Told::Event(Box::new(event), self.text()))
            }
            Read::Reset(space, seq) => {
                self.places.0.insert(space, seq);
                Some(Told::Reset(self.text()))
            }
            Read::Nothing(space, seq) => {
                self.places.0.insert(space, seq);
                None
            }
        }
    }

    /// Looks which trees concern the person now.
    async fn look_around(&mut self, from: &Places) -> Result<(), AppError> {
        let with = sharing::shares::with(&self.service, self.user).await?;
        let mut spaces = vec![self.own];
        spaces.extend(shared(&self.service, &with, self.own).await?);
        let lasts = self.service.activity.last_events(&spaces).await?;
        // nothing is waited for from here on
        let begins_anew = from.0.is_empty() && self.trees.is_empty();
        self.trees.retain(|space, _| spaces.contains(space));
        self.places.0.retain(|space, _| spaces.contains(space));
        for (space, last) in spaces.into_iter().zip(lasts) {
            if self.trees.contains_key(&space) {
                continue;
            }
            let came_from = from.0.get(&space).copied();
            let after = came_from.unwrap_or(last);
            let known = self.service.lookout.follow(space);
            self.trees.insert(space, Tree { after, last: known, comes_back: came_from.is_some() });
            if came_from.is_some() || begins_anew {
                self.places.0.insert(space, after);
            } else {
                // shared since they looked last: nothing told them of what lies in it. Whoever goes before this is told has no place there, and is told later
                self.read.push_back(Read::Reset(space, after));
            }
        }
        Ok(())
    }

    /// Reads a page of a tree; what of it is told, and up to where it was read.
    async fn read(&self, space: SpaceId, after: u64) -> Result<(Vec<Read>, u64), AppError> {
        let page = self.service.activity.events_after(space, after, PAGE).await?;
        let mut read = Vec::new();
        if page.gap {
            let first = page.events.first().map_or(page.last, |event| event.seq - 1);
            read.push(Read::Reset(space, first));
        }
        for event in page.events {
            let seq = event.seq;
            let told = if space == self.own {
                Some(event)
            } else {
                sight::visible(&self.service, self.user, event).await?
            };
            read.push(told.map_or(Read::Nothing(space, seq), Read::Event));
        }
        Ok((read, page.last))
    }
}

/// The trees of others of which something is shared, each once.
async fn shared(service: &FileService, with: &SharesOf, own: SpaceId) -> PortResult<Vec<SpaceId>> {
    let shares = service.shares.list_shares(with, None, SHARES).await?;
    let mut spaces: Vec<SpaceId> =
        shares.into_iter().map(|share| share.space).filter(|space| *space != own).collect();
    spaces.sort_unstable();
    spaces.dedup();
    spaces.truncate(TREES - 1);
    Ok(spaces)
}

/// Waits until something may have happened in any of these.
async fn changed(trees: &mut BTreeMap<SpaceId, Tree>) {
    let changes = trees.values_mut().map(|tree| Box::pin(tree.last.changed()));
    // whoever sends lives as long as the service; there is always a person's own tree
    let _ = futures_util::future::select_all(changes).await;
}
