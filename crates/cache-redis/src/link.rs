//! The connection to Redis and its supervisor.

use std::time::Duration;

use common::allowance::{Late, Waiting};
use common::retry::RetryDelay;
use common::{Causes, PortError, PortResult};
use metrics::{counter, gauge};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::RedisSettings;

/// The part that fails, as readiness names it.
const PART: &str = "cache";
/// Commands that may wait for the socket; the library's default of 50 is made for fewer callers.
const QUEUED: usize = 512;

/// Why Redis did not do as asked.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Late(Late),
    #[error("not connected")]
    NotConnected,
    #[error(transparent)]
    Redis(#[from] RedisError),
}

/// The URL of Redis cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("not a URL of Redis: {0}")]
pub struct InvalidUrl(String);

/// One connection to Redis, which all callers share and which comes back by itself.
///
/// Not the library's connection manager: while it connects, its callers wait in line; here they are told at once that it is away. Not a pool either: these
/// commands are tiny and never block, so one connection carries those of all callers together.
pub struct RedisLink {
    state: watch::Receiver<State>,
    /// The number of the last connection that failed somebody.
    broken: watch::Sender<u64>,
    deadline: Duration,
    prefix: String,
    _supervisor: JoinSet<()>,
}

#[derive(Clone)]
enum State {
    /// The first attempt to connect, or the first after a break, is under way: worth a wait.
    Connecting,
    Up {
        number: u64,
        connection: MultiplexedConnection,
        /// When all other processes that lost Redis with this one have had the time to come back too; none if this one never lost it.
        settles: Option<Instant>,
    },
    Down,
}

impl RedisLink {
    /// A link that connects, and connects again, by itself. Needs a Tokio runtime; does not wait for the server.
    ///
    /// # Errors
    /// If the URL cannot be understood.
    pub fn start(settings: RedisSettings) -> Result<Self, InvalidUrl> {
        // what is wrong is told without the URL, which has a password in it
        let wrong = |error: RedisError| InvalidUrl(error.category().to_owned());
        let client = Client::open(settings.url.as_str()).map_err(wrong)?;
        let (told, state) = watch::channel(State::Connecting);
        let (broken, breaks) = watch::channel(0);
        let mut supervisor = JoinSet::new();
        supervisor.spawn(supervise(client, settings.connect_deadline, told, breaks));
        let RedisSettings { prefix, deadline, .. } = settings;
        Ok(Self { state, broken, deadline, prefix, _supervisor: supervisor })
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// [`PortError::Unavailable`].
    pub async fn ping(&self) -> PortResult<()> {
        self.run(async |connection| redis::cmd("PING").query_async::<()>(connection).await).await
    }

    /// A key of ours.
    pub(crate) fn key(&self, kind: &str, id: &str) -> String {
        format!("{}{kind}:{id}", self.prefix)
    }

    /// Runs commands under the deadline, which a wait for the connection counts into. After an error they may still have been carried out.
    pub(crate) async fn run<T>(
        &self,
        commands: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> PortResult<T> {
        let waiting = Waiting::begin(self.deadline, Duration::ZERO);
        let deadline = waiting.until();
        let late = |_| LinkError::Late(waiting.late());
        let outcome = match timeout_at(deadline, self.connection()).await.map_err(late).flatten() {
            Ok((number, mut connection)) => {
                let outcome = timeout_at(deadline, commands(&mut connection)).await;
                let outcome = outcome.map_err(late).and_then(|outcome| outcome.map_err(LinkError::from));
                if outcome.as_ref().err().is_some_and(breaks_connection) {
                    self.broken.send_if_modified(|last| {
                        let later = number > *last;
                        *last = number.max(*last);
                        later
                    });
                }
                outcome
            }
            Err(error) => Err(error),
        };
        outcome.map_err(|error| {
            let reason = match error {
                LinkError::Late(_) => "late",
                LinkError::NotConnected => "not_connected",
                LinkError::Redis(_) => "refused",
            };
            counter!("fm_redis_failures_total", "reason" => reason).increment(1);
            PortError::unavailable(PART, error)
        })
    }

    /// Waits until there is a connection.
    pub(crate) async fn is_up(&self) {
        // an error says that the supervisor has ended, with the link
        let _ = self.state.clone().wait_for(|state| matches!(state, State::Up { .. })).await;
    }

    /// Whether others that lost Redis when this process did have had the time to write what they owe it: always, if this process never lost it.
    pub(crate) fn is_settled(&self) -> bool {
        match &*self.state.borrow() {
            State::Up { settles, .. } => settles.is_none_or(|at| Instant::now() >= at),
            State::Connecting | State::Down => false,
        }
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), LinkError> {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| !matches!(state, State::Connecting)).await;
        match decided.map_err(|_| LinkError::NotConnected)?.clone() {
            State::Up { number, connection, .. } => Ok((number, connection)),
            State::Connecting | State::Down => Err(LinkError::NotConnected),
        }
    }
}

/// Whether another connection may do better: not if the server answered, unless it said that it has become a replica.
fn breaks_connection(error: &LinkError) -> bool {
    match error {
        // the time of a request that has waited before says nothing
        LinkError::Late(late) => !late.is_cut_short,
        LinkError::NotConnected => false,
        LinkError::Redis(error) => match error.kind() {
            ErrorKind::Server(kind) => kind == ServerErrorKind::ReadOnly,
            _ => true,
        },
    }
}

/// Keeps a connection up for as long as it is not dropped.
async fn supervise(
    client: Client,
    connect_deadline: Duration,
    state: watch::Sender<State>,
    mut broken: watch::Receiver<u64>,
) {
    // the deadlines are ours
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUED);
    let mut delay = RetryDelay::for_connections();
    let mut number = 0;
    // the longest pause of another process, and its attempt
    let settling = RetryDelay::MOST_FOR_CONNECTIONS + connect_deadline;
    let mut was_lost = false;
    gauge!("fm_redis_connected").set(0.0);
    loop {
        let connect = client.get_multiplexed_async_connection_with_config(&config);
        let error = match timeout(connect_deadline, connect).await {
            Ok(Ok(connection)) => {
                number += 1;
                delay.reset();
                gauge!("fm_redis_connected").set(1.0);
                tracing::info!("connected to Redis");
                let settles = was_lost.then(|| Instant::now() + settling);
                state.send_replace(State::Up { number, connection, settles });
                // the other end is dropped after this
                let _ = broken.wait_for(|broken| *broken >= number).await;
                gauge!("fm_redis_connected").set(0.0);
                tracing::warn!("the connection to Redis broke, connecting again");
                state.send_replace(State::Connecting);
                was_lost = true;
                continue;
            }
            Ok(Err(error)) => LinkError::from(error),
            Err(_) => LinkError::Late(Late { given: connect_deadline, is_cut_short: false }),
        };
        was_lost = true;
        // further attempts are not waited for
        state.send_replace(State::Down);
        let wait = delay.next_delay();
        tracing::warn!(cause = %Causes(&error), ?wait, "no connection to Redis, trying again");
        sleep(wait).await;
    }
}
