use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use common::{PortError, PortResult, TimeSource, Timestamp};
use mongodb::bson::doc;
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Database};

use super::left::Left;
use super::{Fault, PART};

/// How the server is talked to.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What the server's log and `currentOp` show.
    pub app_name: String,
    /// Longest time that one call of a port may take, with everything that is repeated within it; then it is `Unavailable`. The driver itself
    /// has no such limit: a server that is silent would hold the caller until its monitor gives up.
    pub deadline: Duration,
    /// How long to look for a primary. Shorter than `deadline`, so that the error can say what is missing.
    pub server_selection_timeout: Duration,
    /// How long one connection may take to come up.
    pub connect_timeout: Duration,
    /// Connections that are open at once, to each server.
    pub max_connections: u32,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            app_name: "files-manager".to_owned(),
            deadline: Duration::from_secs(5),
            server_selection_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(2),
            max_connections: 32,
        }
    }
}

/// A database on a MongoDB replica set (one member suffices) or sharded cluster. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Mongo {
    client: Client,
    database: Database,
    options: OpenOptions,
    pub(super) left: Left,
}

impl fmt::Debug for Mongo {
    // the client knows the password
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mongo").field("database", &self.database.name()).finish_non_exhaustive()
    }
}

impl Mongo {
    /// Reads the address and begins to look for the server in the background. Returns without waiting for it: what is called before it is
    /// there is `Unavailable`. What the address says about concerns and read preference does not count: all reads and writes are of the majority.
    ///
    /// # Errors
    /// `Broken` if the address cannot be read; `Unavailable` if it is `mongodb+srv://` and the name server does not answer.
    pub async fn connect(uri: &str, database: &str, options: &OpenOptions) -> PortResult<Self> {
        // the driver's own words about an address may quote its password
        let mut parsed = ClientOptions::parse(uri).await.map_err(|error| match *error.kind {
            mongodb::error::ErrorKind::DnsResolve { .. } | mongodb::error::ErrorKind::Io(_) => {
                PortError::unavailable(PART, "the address of the database cannot be resolved")
            }
            _ => PortError::broken(PART, "the address of the database cannot be read"),
        })?;
        parsed.app_name = Some(options.app_name.clone());
        parsed.server_selection_timeout = Some(options.server_selection_timeout);
        parsed.connect_timeout = Some(options.connect_timeout);
        parsed.max_pool_size = Some(options.max_connections);
        parsed.read_concern = Some(ReadConcern::majority());
        parsed.write_concern = Some(write_concern(options));
        parsed.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let client = Client::with_options(parsed).map_err(|error| PortError::from(Fault::from(error)))?;
        let database = client.database(database);
        Ok(Self { client, database, options: options.clone(), left: Left::new() })
    }

    /// Removes the database with all that it holds. For tests and for whoever starts over.
    ///
    /// # Errors
    /// As every call.
    pub async fn drop_database(&self) -> PortResult<()> {
        tokio::time::timeout(self.options.deadline, self.database.drop())
            .await
            .map_err(|_| PortError::from(Fault::Deadline(self.options.deadline)))?
            .map_err(|error| Fault::from(error).into())
    }

    /// Waits, at most so long, until the server knows that transactions which were left in the middle have ended: before the process does.
    pub async fn settle(&self, within: Duration) {
        self.left.settle(within).await;
    }

    /// The same connections, under another deadline.
    #[cfg(all(test, feature = "servers"))]
    pub(super) fn with_deadline(&self, deadline: Duration) -> Self {
        Self { options: OpenOptions { deadline, ..self.options.clone() }, ..self.clone() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn options(&self) -> &OpenOptions {
        &self.options
    }
}

#[async_trait]
impl TimeSource for Mongo {
    /// The primary's clock.
    async fn time(&self) -> PortResult<Timestamp> {
        let hello =
            tokio::time::timeout(self.options.deadline, self.database.run_command(doc! { "hello": 1 }))
                .await
                .map_err(|_| Fault::Deadline(self.options.deadline))
                .and_then(|answer| answer.map_err(Fault::from));
        let time = hello.and_then(|hello| {
            hello.get_datetime("localTime").copied().map_err(|_| Fault::Damaged("the server tells no time"))
        });
        Ok(Timestamp::from_millis(time.map_err(PortError::from)?.timestamp_millis()))
    }
}

/// In the journals of the majority. Without a time limit a write would hold its connection for as long as the majority is missing.
pub(super) fn write_concern(options: &OpenOptions) -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(options.deadline).build()
}
