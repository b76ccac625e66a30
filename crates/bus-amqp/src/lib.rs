//! The job bus on AMQP 0-9-1 (RabbitMQ).
//!
//! Submissions go to one durable quorum queue, doorbells through a fanout exchange to a queue of each listener's own. Nothing here relies on the
//! client library's own recovery, which waits without bound and loses consumers: the publishing connection has a supervisor that connects under a
//! deadline, declares everything and starts over on the first error, and a consumer is a connection of its own that ends with its first error.
//!
//! Two connections and not one: a broker that is short of memory or disk stops reading from connections that publish, and acknowledgements, which would
//! help it, must not wait behind publishes.

mod bells;
mod link;
mod message;
mod publisher;
mod settings;
mod submissions;
mod topology;

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use common::jobs::{Doorbells, JobBus, NewJob, Submissions};
use common::{PortError, PortResult};
use tokio::time::timeout;

use bells::AmqpDoorbells;
use link::Connector;
use message::Message;
use publisher::Publisher;
pub use settings::{AmqpSettings, InvalidSettings};
use submissions::AmqpSubmissions;

/// The part that fails, as readiness names it.
const PART: &str = "bus";

/// Why the broker did not do as asked.
#[derive(Debug, thiserror::Error)]
enum BusError {
    #[error("no answer within {0:?}")]
    Late(std::time::Duration),
    #[error("not connected")]
    NotConnected,
    #[error("the connection broke")]
    ConnectionBroke,
    #[error("the consumer was cancelled: its queue is gone")]
    Cancelled,
    #[error("the broker accepts no messages now: it is short of memory or disk")]
    Blocked,
    #[error("the broker refused the message")]
    Refused,
    #[error("the broker returned the message: no queue takes it")]
    Returned,
    #[error("the delivery cannot be acknowledged any more")]
    Outdated,
    #[error("the name of the broker cannot be resolved")]
    Resolve(#[source] std::io::Error),
    #[error(transparent)]
    Protocol(#[from] lapin::Error),
}

impl From<BusError> for PortError {
    fn from(error: BusError) -> Self {
        Self::unavailable(PART, error)
    }
}

/// The job bus of a process. Dropping it closes its publishing connection; consumers live on by themselves.
pub struct AmqpBus {
    settings: Arc<AmqpSettings>,
    connector: Arc<Connector>,
    publisher: Publisher,
}

impl AmqpBus {
    /// A bus that connects, and connects again, by itself. Needs a Tokio runtime; does not wait for the broker.
    ///
    /// # Errors
    /// If the settings cannot work.
    pub fn start(settings: AmqpSettings) -> Result<Self, InvalidSettings> {
        let connector = Arc::new(Connector::new(&settings)?);
        let settings = Arc::new(settings);
        let publisher = Publisher::start(Arc::clone(&connector), Arc::clone(&settings));
        Ok(Self { settings, connector, publisher })
    }

    /// Opens something that takes several questions to the broker, under one deadline.
    async fn within_deadline<T>(&self, work: impl Future<Output = Result<T, BusError>>) -> PortResult<T> {
        let deadline = self.settings.connect_deadline;
        Ok(timeout(deadline, work).await.map_err(|_| BusError::Late(deadline)).flatten()?)
    }
}

#[async_trait]
impl JobBus for AmqpBus {
    async fn submit(&self, jobs: &[NewJob]) -> PortResult<()> {
        for window in jobs.chunks(publisher::WINDOW) {
            let messages = window.iter().map(Message::submission).collect::<Result<_, _>>()?;
            self.publisher.submit(messages).await?;
        }
        Ok(())
    }

    async fn submissions(&self) -> PortResult<Box<dyn Submissions>> {
        let open = AmqpSubmissions::open(&self.connector, &self.settings);
        Ok(Box::new(self.within_deadline(open).await?))
    }

    async fn ring(&self, types: &[String]) {
        if let Err(error) = self.publisher.ring(types).await {
            tracing::debug!(%error, "a doorbell was not rung");
        }
    }

    async fn doorbells(&self) -> PortResult<Box<dyn Doorbells>> {
        Ok(Box::new(self.within_deadline(AmqpDoorbells::open(&self.connector)).await?))
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(self.publisher.ping().await?)
    }
}
