//! What a stack stands on, and how it is made.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use testkit::servers::s3::S3Server;
use testkit::servers::{RabbitMq, Redis};

/// Servers that any number of stacks share, each under a name of its own.
pub struct Servers {
    pub(super) mongodb_uri: String,
    pub(super) redis_url: String,
    pub(super) amqp_url: String,
    _redis: Option<Redis>,
    _rabbitmq: Option<RabbitMq>,
}

impl Servers {
    /// The MongoDB that `FM_TEST_MONGODB_URI` names, and the Redis and RabbitMQ of this run, or private ones.
    ///
    /// # Errors
    /// When one of them is not there or does not start.
    pub async fn start() -> Result<Self> {
        let mongodb_uri = std::env::var("FM_TEST_MONGODB_URI")
            .context("FM_TEST_MONGODB_URI names a MongoDB; `cargo xtask` starts one and sets it")?;
        let (redis_url, redis) = Redis::shared().await?;
        let (amqp_url, rabbitmq) = RabbitMq::shared().await?;
        Ok(Self { mongodb_uri, redis_url, amqp_url, _redis: redis, _rabbitmq: rabbitmq })
    }

    /// Servers that somebody else runs, by their addresses.
    pub fn at(mongodb_uri: String, redis_url: String, amqp_url: String) -> Self {
        Self { mongodb_uri, redis_url, amqp_url, _redis: None, _rabbitmq: None }
    }
}

/// The bucket of a stack that keeps its contents in S3.
const BUCKET: &str = "contents";

/// How a stack is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Replicas of each service.
    pub replicas: usize,
    /// Folder of the services' programs.
    pub programs: PathBuf,
    /// Contents stand in this S3 server, not on a shared disk.
    pub s3: Option<Bucket>,
    /// Folder of the built page.
    pub page: Option<PathBuf>,
    /// People reach it below a path of a host, [`testkit::nginx::BELOW`], by a proxy in front of the gateway.
    pub below_a_path: bool,
    /// Work of a password hash.
    pub bcrypt_cost: u32,
    /// More settings, for all services.
    pub settings: Vec<(String, String)>,
}

/// A bucket that the test server knows.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) address: SocketAddr,
}

impl Bucket {
    /// A fresh bucket in this server.
    ///
    /// # Errors
    /// When the server has no address.
    pub fn in_server(server: &S3Server) -> Result<Self> {
        let address = server.endpoint().trim_start_matches("http://").parse()?;
        Ok(Self::behind(server, address))
    }

    /// A fresh bucket in this server, which is found at another address: that of a proxy.
    pub fn behind(server: &S3Server, address: SocketAddr) -> Self {
        server.create_bucket(BUCKET);
        Self { address }
    }

    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("FM_BLOB_URL", format!("s3://{BUCKET}/blobs")),
            ("FM_S3__ENDPOINT", format!("http://{}", self.address)),
            ("FM_S3__ALLOW_HTTP", "true".to_owned()),
            ("FM_S3__ACCESS_KEY", S3Server::ACCESS_KEY.to_owned()),
            ("FM_S3__SECRET_KEY", S3Server::SECRET_KEY.to_owned()),
        ]
    }
}

impl Options {
    /// Two replicas each, of the programs in the folder that `FM_TEST_PROGRAMS` names, as quick as tests want it.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn of_tests() -> Result<Self> {
        let settings = [("FM_STOP__DRAIN", "0s"), ("FM_MONGODB_DEADLINE", "60s")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        // what stands in for MongoDB is slow, and shares its processors with the tests
        Ok(Self { settings: settings.into(), ..Self::of_production()? })
    }

    /// The same, but with the times that the product has by default: for tests of outages and of upgrades.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn of_production() -> Result<Self> {
        let programs = std::env::var_os("FM_TEST_PROGRAMS").context(
            "FM_TEST_PROGRAMS names the folder of the services' programs; `cargo xtask test` sets it",
        )?;
        Ok(Self {
            replicas: 2,
            programs: programs.into(),
            s3: None,
            page: None,
            below_a_path: false,
            bcrypt_cost: 4,
            settings: Vec::new(),
        })
    }
}
