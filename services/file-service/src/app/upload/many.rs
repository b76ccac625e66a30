//! Many files in one request: they come in one after the other, and are committed together.

use std::pin::pin;

use bytes::Bytes;
use common::files::{Action, Committed, NodeName};
use common::{Code, FileId};
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use http_kit::BodyError;

use super::receive::{Received, receive};
use super::{Announced, Finished, OnConflict, Sender, Subject, check_child, commit_child};
use crate::app::access::Authorized;
use crate::app::watch::Pass;
use crate::error::AppError;
use crate::state::FileService;

/// Most files of one request.
pub(crate) const MAX_FILES: usize = 1_000;

/// How many commits are under way at once: enough that the store makes them in groups.
const AT_ONCE: usize = 16;

/// One file of the request.
enum Slot {
    /// It is all there, and its commit is under way.
    UnderWay(NodeName),
    Ended(Box<Result<Committed, AppError>>),
}

/// Files that are put into one folder one after the other. Each succeeds or fails by itself; commits go on while the next bytes come.
pub(crate) struct Many<'a> {
    service: &'a FileService,
    parent: &'a Authorized,
    on_conflict: OnConflict,
    pass: Pass,
    slots: Vec<Slot>,
    /// Each gives the place of its slot.
    commits: FuturesUnordered<LocalBoxFuture<'a, (usize, Result<Committed, AppError>)>>,
}

impl<'a> Many<'a> {
    /// Nothing yet, into `parent` (action: add a child).
    pub(crate) fn new(
        service: &'a FileService,
        parent: &'a Authorized,
        on_conflict: OnConflict,
        pass: Pass,
    ) -> Self {
        debug_assert_eq!(parent.action(), Action::AddChild);
        Self { service, parent, on_conflict, pass, slots: Vec::new(), commits: FuturesUnordered::new() }
    }

    /// How many files there were so far.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Stands in the place of a file that cannot be begun.
    pub(crate) fn refuse(&mut self, error: AppError) {
        self.slots.push(Slot::Ended(Box::new(Err(error))));
    }

    /// Reads the next file. What becomes of it is in its place among what [`finish`](Self::finish) gives.
    pub(crate) async fn put(
        &mut self,
        name: NodeName,
        announced: Announced,
        body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
    ) {
        // of two with one name the first is first
        while self.commits.len() >= AT_ONCE || self.is_under_way(&name) {
            self.wait().await;
        }
        let (service, parent, on_conflict) = (self.service, self.parent, self.on_conflict);
        let receiving = async {
            check_child(service, parent, &name, on_conflict).await?;
            receive(service, parent.space(), &name, announced, body).await
        };
        match self.meanwhile(receiving).await {
            Ok(received) => self.commit(name, announced, received),
            Err(error) => self.refuse(error),
        }
    }

    /// Waits for all that is under way. What became of each file, in the order in which they came.
    pub(crate) async fn finish(mut self) -> Vec<Result<Committed, AppError>> {
        while !self.commits.is_empty() {
            self.wait().await;
        }
        let ended = |slot| match slot {
            Slot::Ended(result) => *result,
            Slot::UnderWay(_) => Err(AppError::refused(Code::Internal)),
        };
        self.slots.into_iter().map(ended).collect()
    }

    fn is_under_way(&self, wanted: &NodeName) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::UnderWay(name) if name == wanted))
    }

    fn commit(&mut self, name: NodeName, announced: Announced, received: Received) {
        let (service, parent, on_conflict, at) =
            (self.service, self.parent, self.on_conflict, self.slots.len());
        let finished = Finished::new(service, received, Subject::of(parent, announced, false))
            .sent_by(Sender::Caller(self.pass.clone()));
        self.slots.push(Slot::UnderWay(name.clone()));
        self.commits.push(
            async move {
                let id = FileId(service.ids.object_id());
                (at, commit_child(service, parent, &name, on_conflict, id, finished).await)
            }
            .boxed_local(),
        );
    }

    /// Runs `work` to its end while commits go on: each wait for a client is one of theirs too.
    pub(crate) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if self.commits.is_empty() {
                return work.await;
            }
            match select(work, self.commits.next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((ended, going)) => {
                    work = going;
                    self.take(ended);
                }
            }
        }
    }

    /// Waits for one of those that are under way.
    async fn wait(&mut self) {
        let ended = self.commits.next().await;
        self.take(ended);
    }

    fn take(&mut self, ended: Option<(usize, Result<Committed, AppError>)>) {
        if let Some((at, result)) = ended {
            self.slots[at] = Slot::Ended(Box::new(result));
        }
    }
}
