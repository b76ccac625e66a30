//! What is sent to somebody who was only given a right, or comes from them, ends soon after the right.

use std::time::Duration;

use bytes::Bytes;
use common::FileId;
use common::files::{Action, Actor};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::Instant;

use super::access::{Authorized, Gate};
use crate::error::AppError;
use crate::state::FileService;

/// Looks again and again whether something may still be done.
pub(crate) struct Watch {
    gate: Gate,
    actor: Actor,
    action: Action,
    id: FileId,
    every: Duration,
    /// When it is looked next.
    due: Instant,
}

impl Watch {
    /// A watch over what this node was opened for; none for an owner, whose right does not end.
    pub(crate) fn over(service: &FileService, file: &Authorized) -> Option<Self> {
        (!file.is_owners()).then(|| Self {
            gate: service.gate.clone(),
            actor: file.actor(),
            action: file.action(),
            id: file.id(),
            every: service.settings.recheck_every,
            due: Instant::now() + service.settings.recheck_every,
        })
    }

    /// Whether the right has ended, as far as it is time to look again.
    pub(crate) async fn has_ended(&mut self) -> bool {
        if Instant::now() < self.due {
            return false;
        }
        let ended = !self.is_good().await;
        self.due = Instant::now() + self.every;
        ended
    }

    /// A store that does not answer takes no right away.
    async fn is_good(&self) -> bool {
        match self.gate.again(self.actor, self.action, self.id).await {
            Ok(()) | Err(AppError::Port(_)) => true,
            Err(_) => false,
        }
    }

    /// The same body, cut off with `ended` when the right has ended. It is looked at before the next piece that is sent, so a client that reads nothing gets nothing.
    pub(crate) fn guard<S, E>(self, body: S, ended: impl Fn() -> E) -> impl Stream<Item = Result<Bytes, E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let state = (Box::pin(body), self, ended);
        stream::try_unfold(state, |(mut body, mut watch, ended)| async move {
            if watch.has_ended().await {
                tracing::info!(file = %watch.id, "a content is cut off: the right to read it has ended");
                return Err(ended());
            }
            let piece = body.next().await.transpose()?;
            Ok(piece.map(|piece| (piece, (body, watch, ended))))
        })
    }
}
