//! What is sent to somebody, or comes from them, ends soon after their right, or what they were let in by.

use std::time::Duration;

use bytes::Bytes;
use common::files::{Action, Actor};
use common::{Code, FileId, UserId};
use futures_util::{Stream, StreamExt as _, stream};
use http_kit::Standing;
use tokio::time::Instant;

use super::access::{Authorized, Gate};
use crate::error::AppError;
use crate::state::FileService;

/// What a request was let in by.
#[derive(Debug, Clone)]
pub(crate) enum Pass {
    /// The credential that it came with, a sign-in or an API token, and when that was good.
    Credential(Standing, Instant),
    /// Something that ends with this account, and with no sign-in of it.
    Account(UserId),
    /// Nothing that could end: a link, which is a right itself, or another service.
    Free,
}

impl Pass {
    /// Why it is not good any more. Where nobody can say, it still is.
    async fn end(&self, gate: &Gate) -> Option<Code> {
        match self {
            Self::Free => None,
            Self::Credential(standing, _) => {
                matches!(standing.stands().await, Ok(false)).then_some(Code::Unauthorized)
            }
            Self::Account(user) => lost(gate.require_open(*user).await),
        }
    }

    /// That of a caller who was let in just now.
    pub(crate) fn of(standing: Standing) -> Self {
        Self::Credential(standing, Instant::now())
    }

    /// What took long was begun by this: whether it may be ended by it, too. What took no longer than it goes unnoticed elsewhere is not asked about.
    ///
    /// # Errors
    /// `unauthorized`; `not_found` for what ended with its account.
    pub(crate) async fn still(&self, service: &FileService) -> Result<(), AppError> {
        if let Self::Credential(_, since) = self
            && since.elapsed() < service.settings.recheck_every
        {
            return Ok(());
        }
        self.end(&service.gate).await.map_or(Ok(()), |code| Err(AppError::refused(code)))
    }
}

/// A store that does not answer takes no right away.
fn lost(again: Result<(), AppError>) -> Option<Code> {
    match again {
        Ok(()) | Err(AppError::Port(_)) => None,
        Err(_) => Some(Code::NotFound),
    }
}

/// Looks again and again whether something may still be done.
pub(crate) struct Watch {
    gate: Gate,
    /// None for an owner's, which does not end.
    right: Option<(Actor, Action, FileId)>,
    pass: Pass,
    every: Duration,
    /// When it is looked next.
    due: Instant,
}

impl Watch {
    fn new(service: &FileService, right: Option<(Actor, Action, FileId)>, pass: Pass) -> Self {
        let every = service.settings.recheck_every;
        Self { gate: service.gate.clone(), right, pass, every, due: Instant::now() + every }
    }

    /// A watch over what this node was opened for; none for an owner, whose right does not end.
    pub(crate) fn over(service: &FileService, file: &Authorized) -> Option<Self> {
        let right = (file.actor(), file.action(), file.id());
        (!file.is_owners()).then(|| Self::new(service, Some(right), Pass::Free))
    }

    /// The same watch, over what the request was let in by as well.
    pub(crate) fn with(service: &FileService, watch: Option<Self>, pass: Pass) -> Option<Self> {
        match (watch, pass) {
            (watch, Pass::Free) => watch,
            (Some(watch), pass) => Some(Self { pass, ..watch }),
            (None, pass) => Some(Self::new(service, None, pass)),
        }
    }

    /// Why it has ended, as far as it is time to look again: `unauthorized` with the credential, `not_found` with the right.
    pub(crate) async fn end(&mut self) -> Option<Code> {
        if Instant::now() < self.due {
            return None;
        }
        let end = self.look().await;
        self.due = Instant::now() + self.every;
        end
    }

    /// The same, looked at now.
    pub(crate) async fn look(&self) -> Option<Code> {
        if let Some(code) = self.pass.end(&self.gate).await {
            return Some(code);
        }
        let (actor, action, id) = self.right?;
        lost(self.gate.again(actor, action, id).await)
    }

    /// When it is looked next.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The same body, cut off with `ended` when the right has ended. It is looked at before the next piece that is sent, so a client that reads nothing gets nothing.
    pub(crate) fn guard<S, E>(self, body: S, ended: impl Fn() -> E) -> impl Stream<Item = Result<Bytes, E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let state = (Box::pin(body), self, ended);
        stream::try_unfold(state, |(mut body, mut watch, ended)| async move {
            if let Some(code) = watch.end().await {
                tracing::info!(code = code.word(), "a content is cut off: the right to read it has ended");
                return Err(ended());
            }
            let piece = body.next().await.transpose()?;
            Ok(piece.map(|piece| (piece, (body, watch, ended))))
        })
    }
}
