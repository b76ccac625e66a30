use std::collections::BTreeSet;

use async_trait::async_trait;
use common::jobs::Doorbells;
use common::{PortError, PortResult};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use metrics::counter;

use crate::link::{Connector, Link};
use crate::message::decode;
use crate::{BusError, PART};

/// Rings that a listener's queue keeps, the newest: it would have to be away for long to have more, and then looks around by itself.
const KEPT: i32 = 1000;
/// Rings on their way to a listener.
const PREFETCH: u16 = 100;

/// A listener with its connection and its queue, which ends with it.
pub(crate) struct AmqpDoorbells {
    consumer: Consumer,
    rung: BTreeSet<String>,
    ended: bool,
    _link: Link,
}

impl AmqpDoorbells {
    pub(crate) async fn open(connector: &Connector) -> Result<Self, BusError> {
        let link = connector.connect().await?;
        let channel = link.connection.create_channel().await?;
        let topology = &connector.topology;
        topology.declare(&channel).await?;
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(KEPT));
        // the broker names it
        let queue = channel.queue_declare("".into(), own, arguments).await?.name().clone();
        let (ready, bind) = (topology.ready.clone(), QueueBindOptions::default());
        channel.queue_bind(queue.clone(), ready, "".into(), bind, FieldTable::default()).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions { global: false }).await?;
        let consumer = channel
            .basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        Ok(Self { consumer, rung: BTreeSet::new(), ended: false, _link: link })
    }

    fn hear(&mut self, step: Option<lapin::Result<Delivery>>) -> PortResult<()> {
        match step {
            Some(Ok(delivery)) => {
                match decode::<Vec<String>>(&delivery.data, &delivery.properties) {
                    Ok(types) => self.rung.extend(types),
                    Err(error) => {
                        counter!("fm_bus_unreadable_total").increment(1);
                        tracing::warn!(%error, "a doorbell cannot be read");
                    }
                }
                // polled once, it is on its way; a ring that comes twice does no harm
                let _ = delivery.acker.ack(BasicAckOptions::default()).now_or_never();
                Ok(())
            }
            Some(Err(error)) => {
                self.ended = true;
                Err(BusError::Protocol(error).into())
            }
            None => {
                self.ended = true;
                Err(BusError::Cancelled.into())
            }
        }
    }
}

#[async_trait]
impl Doorbells for AmqpDoorbells {
    async fn next(&mut self) -> PortResult<String> {
        loop {
            // what is there already is merged, before a type is told a second time
            while !self.ended
                && let Some(step) = self.consumer.next().now_or_never()
            {
                self.hear(step)?;
            }
            if let Some(kind) = self.rung.pop_first() {
                return Ok(kind);
            }
            if self.ended {
                return Err(PortError::unavailable(PART, BusError::ConnectionBroke));
            }
            let step = self.consumer.next().await;
            self.hear(step)?;
        }
    }
}
