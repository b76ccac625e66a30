use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

use crate::BusError;

/// Deliveries of one message after which it goes to the dead letters: also one that ends its consumer each time must not go round for ever.
/// RabbitMQ 4 has the same number by default, 3 has no limit. Its job is not lost, since the outbox that it came from still has it.
const DELIVERY_LIMIT: i32 = 20;
/// Dead letters that are kept, the newest ones: for somebody to look at, no more.
const DEAD_LETTERS: i32 = 10_000;

/// Names of what the broker holds for us.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    /// The queue of submitted jobs.
    pub(crate) submit: ShortString,
    /// The exchange that hands doorbells to each listener.
    pub(crate) ready: ShortString,
    /// The queue of messages that nobody could read.
    pub(crate) dead: ShortString,
}

impl Topology {
    /// `prefix` is short enough for AMQP's names.
    pub(crate) fn new(prefix: &str) -> Self {
        let name = |base: &str| ShortString::from(format!("{prefix}{base}"));
        Self { submit: name("job.submit"), ready: name("job.ready"), dead: name("job.dead") }
    }

    /// Declares all of it. Safe to repeat.
    pub(crate) async fn declare(&self, channel: &Channel) -> Result<(), BusError> {
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let dead = quorum([("x-max-length", AMQPValue::LongInt(DEAD_LETTERS))]);
        channel.queue_declare(self.dead.clone(), durable, dead).await?;
        let submit = quorum([
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(self.dead.as_str())),
            ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
        ]);
        channel.queue_declare(self.submit.clone(), durable, submit).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel
            .exchange_declare(self.ready.clone(), ExchangeKind::Fanout, durable, FieldTable::default())
            .await?;
        Ok(())
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Arguments of a quorum queue.
fn quorum<const N: usize>(arguments: [(&'static str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    table
}
