//! The publishing connection and its supervisor.

use std::sync::Arc;
use std::time::Duration;

use common::retry::RetryDelay;
use common::{Causes, PortError, PortResult, allowance};
use futures_util::StreamExt as _;
use lapin::options::{BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Event};
use metrics::{counter, gauge};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::link::{Connector, Link};
use crate::message::Message;
use crate::{AmqpSettings, BusError};

/// Messages that may be outstanding, published and not yet confirmed. What waits meanwhile goes together in the next window.
pub(crate) const WINDOW: usize = 256;
/// Callers that may wait for a window.
const WAITING: usize = 64;
/// Longest time for one ring; who rings must not be held up.
const RING_DEADLINE: Duration = Duration::from_millis(250);
/// Longest wait for the answer to a ping, below the second and a half after which readiness calls a part silent.
const PING_DEADLINE: Duration = Duration::from_secs(1);

/// Publishes over a connection that comes back by itself.
pub(crate) struct Publisher {
    state: watch::Receiver<State>,
    confirm_deadline: Duration,
    connect_deadline: Duration,
    _supervisor: JoinSet<()>,
}

#[derive(Clone)]
enum State {
    /// The first attempt to connect is under way: worth a wait.
    Starting,
    Up(Arc<Session>),
    Down,
}

/// What callers use of a connection.
struct Session {
    windows: mpsc::Sender<Request>,
    publishing: Channel,
    bells: Channel,
    blocked: lapin::ConnectionStatus,
    ready: ShortString,
}

/// Messages of one caller, at most [`WINDOW`].
struct Request {
    messages: Vec<Message>,
    done: oneshot::Sender<Result<(), BusError>>,
}

impl Publisher {
    pub(crate) fn start(connector: Arc<Connector>, settings: Arc<AmqpSettings>) -> Self {
        let (told, state) = watch::channel(State::Starting);
        let (confirm_deadline, connect_deadline) = (settings.confirm_deadline, settings.connect_deadline);
        let mut supervisor = JoinSet::new();
        supervisor.spawn(supervise(connector, confirm_deadline, connect_deadline, told));
        Self { state, confirm_deadline, connect_deadline, _supervisor: supervisor }
    }

    /// Publishes messages, each confirmed on return. At most [`WINDOW`].
    pub(crate) async fn submit(&self, messages: Vec<Message>) -> Result<(), BusError> {
        let session = self.session().await?;
        if session.blocked.blocked() {
            return Err(BusError::Blocked);
        }
        let (done, confirmed) = oneshot::channel();
        // a full window before this one may take as long again
        let deadline = self.confirm_deadline * 2;
        let outcome = timeout(deadline, async {
            let request = Request { messages, done };
            session.windows.send(request).await.map_err(|_| BusError::ConnectionBroke)?;
            confirmed.await.map_err(|_| BusError::ConnectionBroke)?
        });
        outcome.await.map_err(|_| BusError::Late(deadline)).flatten()
    }

    /// Rings. Does not wait long for a connection that is slow.
    pub(crate) async fn ring(&self, types: &[String]) -> PortResult<()> {
        let session = self.session().await?;
        let Message { body, properties } = Message::ring(types)?;
        let options = BasicPublishOptions::default();
        let publish =
            session.bells.basic_publish(session.ready.clone(), "".into(), options, &body, properties);
        let sent =
            allowance::wait(RING_DEADLINE, publish).await.map_err(|late| BusError::Late(late.given))?;
        sent.map(drop).map_err(|error| BusError::Protocol(error).into())
    }

    /// Whether the broker answers, and takes messages.
    pub(crate) async fn ping(&self) -> Result<(), BusError> {
        let session = self.session().await?;
        if session.blocked.blocked() {
            return Err(BusError::Blocked);
        }
        if !session.publishing.status().connected() {
            return Err(BusError::ConnectionBroke);
        }
        // a question that changes nothing: a broker that hangs keeps its connections, and is found out by its silence only after two heartbeats
        let asked = session.bells.basic_qos(0, BasicQosOptions::default());
        Ok(timeout(PING_DEADLINE, asked).await.map_err(|_| BusError::Late(PING_DEADLINE))??)
    }

    async fn session(&self) -> Result<Arc<Session>, BusError> {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| !matches!(state, State::Starting));
        match allowance::wait(self.connect_deadline, decided).await {
            Err(late) => Err(BusError::Late(late.given)),
            Ok(Ok(state)) => match &*state {
                State::Up(session) => Ok(Arc::clone(session)),
                State::Starting | State::Down => Err(BusError::NotConnected),
            },
            Ok(Err(_)) => Err(BusError::NotConnected),
        }
    }
}

/// Keeps a connection up for as long as it is not dropped.
async fn supervise(
    connector: Arc<Connector>,
    confirm_deadline: Duration,
    connect_deadline: Duration,
    state: watch::Sender<State>,
) {
    let mut delay = RetryDelay::for_connections();
    loop {
        gauge!("fm_bus_connected").set(0.0);
        let error = match timeout(connect_deadline, open(&connector)).await {
            Ok(Ok((link, session, windows))) => {
                delay.reset();
                gauge!("fm_bus_connected").set(1.0);
                tracing::info!("connected to the broker");
                let publishing = session.publishing.clone();
                let queue = connector.topology.submit.clone();
                state.send_replace(State::Up(Arc::new(session)));
                let error = Serving { publishing, queue, confirm_deadline }.run(&link, windows).await;
                if let BusError::Late(_) = error {
                    link.sever();
                }
                error
            }
            Ok(Err(error)) => error,
            Err(_) => BusError::Late(connect_deadline),
        };
        state.send_replace(State::Down);
        gauge!("fm_bus_connected").set(0.0);
        let wait = delay.next_delay();
        let error = PortError::from(error);
        tracing::warn!(cause = %Causes(&error), ?wait, "no connection to the broker, connecting again");
        sleep(wait).await;
    }
}

/// Connects and declares everything.
async fn open(connector: &Connector) -> Result<(Link, Session, mpsc::Receiver<Request>), BusError> {
    let link = connector.connect().await?;
    let publishing = link.connection.create_channel().await?;
    connector.topology.declare(&publishing).await?;
    publishing.confirm_select(ConfirmSelectOptions::default()).await?;
    let bells = link.connection.create_channel().await?;
    let (sender, windows) = mpsc::channel(WAITING);
    let session = Session {
        windows: sender,
        publishing,
        bells,
        blocked: link.connection.status().clone(),
        ready: connector.topology.ready.clone(),
    };
    Ok((link, session, windows))
}

/// The life of one connection.
struct Serving {
    publishing: Channel,
    queue: ShortString,
    confirm_deadline: Duration,
}

impl Serving {
    /// Publishes what comes until the first error. Whoever waits then is told by the end of their channel.
    async fn run(self, link: &Link, mut requests: mpsc::Receiver<Request>) -> BusError {
        let mut events = std::pin::pin!(link.connection.events_listener());
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Error(error)) => return error.into(),
                    None => return BusError::ConnectionBroke,
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(reason, "the broker accepts no messages");
                    }
                    Some(Event::ConnectionUnblocked) => tracing::info!("the broker accepts messages again"),
                    Some(_) => {}
                },
                request = requests.recv() => {
                    let Some(first) = request else { return BusError::ConnectionBroke };
                    if let Err(error) = self.publish_window(first, &mut requests).await {
                        return error;
                    }
                }
            }
        }
    }

    /// Publishes what waits, and waits until all of it is confirmed.
    ///
    /// One window after the other, and not each caller for itself: the client library hands a returned message to whichever confirm comes next, so only a
    /// window as a whole is known to be free of them.
    async fn publish_window(
        &self,
        first: Request,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<(), BusError> {
        let mut count = first.messages.len();
        let mut window = vec![first];
        while count < WINDOW
            && let Ok(next) = requests.try_recv()
        {
            count += next.messages.len();
            window.push(next);
        }
        let (messages, callers): (Vec<_>, Vec<_>) =
            window.into_iter().map(|request| (request.messages, request.done)).unzip();
        let lengths: Vec<_> = messages.iter().map(Vec::len).collect();
        let confirmed = timeout(self.confirm_deadline, self.confirm(messages.into_iter().flatten())).await;
        let late = |_| BusError::Late(self.confirm_deadline);
        // on an error the callers' channels end with this
        let confirmations = confirmed.map_err(late).flatten()?;
        if confirmations.contains(&Outcome::Returned) {
            for caller in callers {
                // it may have gone away
                let _ = caller.send(Err(BusError::Returned));
            }
            // the queue is gone: only starting over declares it again
            return Err(BusError::Returned);
        }
        let mut confirmations = confirmations.into_iter();
        for (caller, length) in callers.into_iter().zip(lengths) {
            let refused = confirmations.by_ref().take(length).filter(|it| *it == Outcome::Refused).count();
            let _ = caller.send(if refused == 0 { Ok(()) } else { Err(BusError::Refused) });
        }
        Ok(())
    }

    async fn confirm(&self, messages: impl Iterator<Item = Message>) -> Result<Vec<Outcome>, BusError> {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let publish = messages.map(|Message { body, properties }| async move {
            let (channel, queue) = (&self.publishing, self.queue.clone());
            channel.basic_publish("".into(), queue, options, &body, properties).await
        });
        // each is handed over when first polled, in order; together they are written at once
        let confirms = futures_util::future::try_join_all(publish).await?;
        counter!("fm_bus_published_total").increment(confirms.len() as u64);
        let mut outcomes = Vec::with_capacity(confirms.len());
        for confirm in confirms {
            outcomes.push(Outcome::of(confirm.await?));
        }
        for (outcome, counter) in [
            (Outcome::Confirmed, counter!("fm_bus_confirmed_total")),
            (Outcome::Returned, counter!("fm_bus_returned_total")),
            (Outcome::Refused, counter!("fm_bus_refused_total")),
        ] {
            counter.increment(outcomes.iter().filter(|it| **it == outcome).count() as u64);
        }
        Ok(outcomes)
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Confirmed,
    Returned,
    Refused,
}

impl Outcome {
    fn of(confirmation: Confirmation) -> Self {
        match confirmation {
            Confirmation::Ack(None) => Self::Confirmed,
            // RabbitMQ acknowledges what it returns: an acknowledgement alone is no success
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Self::Returned,
            // the channel is in confirm mode, so this is not expected; it promises nothing either
            Confirmation::Nack(None) | Confirmation::NotRequested => Self::Refused,
        }
    }
}
