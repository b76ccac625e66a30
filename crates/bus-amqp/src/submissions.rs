use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::jobs::{NewJob, Submission, Submissions};
use common::{PortError, PortResult};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use metrics::counter;
use tokio::time::timeout;

use crate::link::{Connector, Link};
use crate::message::decode;
use crate::{AmqpSettings, BusError};

/// A consumer of submissions with its connection.
pub(crate) struct AmqpSubmissions {
    consumer: Consumer,
    ack_deadline: Duration,
    /// The first error; there is nothing after it.
    ended: Option<Arc<BusError>>,
    /// Its end gives back what was not acknowledged.
    _link: Link,
}

impl AmqpSubmissions {
    pub(crate) async fn open(connector: &Connector, settings: &AmqpSettings) -> Result<Self, BusError> {
        let link = connector.connect().await?;
        let channel = link.connection.create_channel().await?;
        // the queue may be gone although the publisher has declared it
        connector.topology.declare(&channel).await?;
        // for this consumer, not for the channel: quorum queues know no `global`, and close the connection
        channel.basic_qos(settings.prefetch, BasicQosOptions { global: false }).await?;
        let queue = connector.topology.submit.clone();
        let consumer = channel
            .basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        Ok(Self { consumer, ack_deadline: settings.confirm_deadline, ended: None, _link: link })
    }

    /// What a step of the stream brought; none for a message that nobody can read, which has gone to the dead letters.
    fn take(&mut self, step: Option<lapin::Result<Delivery>>) -> PortResult<Option<Box<dyn Submission>>> {
        let error = match step {
            Some(Ok(delivery)) => return Ok(self.read(delivery)),
            Some(Err(error)) => BusError::Protocol(error),
            None => BusError::Cancelled,
        };
        self.ended = Some(Arc::new(error));
        Err(self.end())
    }

    fn read(&self, delivery: Delivery) -> Option<Box<dyn Submission>> {
        if delivery.redelivered {
            counter!("fm_bus_redelivered_total").increment(1);
        }
        match decode::<NewJob>(&delivery.data, &delivery.properties) {
            Ok(job) => Some(Box::new(AmqpSubmission { job, delivery, ack_deadline: self.ack_deadline })),
            Err(error) => {
                counter!("fm_bus_unreadable_total").increment(1);
                let id = delivery.properties.message_id().as_ref().map_or("", |id| id.as_str());
                tracing::warn!(message = id, %error, "a message cannot be read, it goes to the dead letters");
                // polled once, it is on its way; if the connection breaks before it is sent, the message comes again
                let _ = delivery.acker.reject(BasicRejectOptions { requeue: false }).now_or_never();
                None
            }
        }
    }

    fn end(&self) -> PortError {
        match &self.ended {
            Some(error) => PortError::unavailable(crate::PART, Arc::clone(error)),
            None => BusError::ConnectionBroke.into(),
        }
    }
}

#[async_trait]
impl Submissions for AmqpSubmissions {
    async fn next(&mut self) -> PortResult<Box<dyn Submission>> {
        loop {
            if self.ended.is_some() {
                return Err(self.end());
            }
            // nothing is taken when this wait is dropped
            let step = self.consumer.next().await;
            if let Some(submission) = self.take(step)? {
                return Ok(submission);
            }
        }
    }

    fn try_next(&mut self) -> Option<Box<dyn Submission>> {
        while self.ended.is_none() {
            let step = self.consumer.next().now_or_never()?;
            match self.take(step) {
                Ok(Some(submission)) => return Some(submission),
                Ok(None) => {}
                // `next` tells it
                Err(_) => return None,
            }
        }
        None
    }
}

struct AmqpSubmission {
    job: NewJob,
    delivery: Delivery,
    ack_deadline: Duration,
}

#[async_trait]
impl Submission for AmqpSubmission {
    fn job(&self) -> &NewJob {
        &self.job
    }

    async fn acknowledge(self: Box<Self>) -> PortResult<()> {
        let acknowledge = self.delivery.acker.ack(BasicAckOptions::default());
        let late = |_| BusError::Late(self.ack_deadline);
        match timeout(self.ack_deadline, acknowledge).await.map_err(late)? {
            Ok(true) => Ok(()),
            Ok(false) => Err(BusError::Outdated.into()),
            Err(error) => Err(BusError::Protocol(error).into()),
        }
    }
}
