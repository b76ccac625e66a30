//! Servers of a test's own, each behind a proxy that makes faults.

use std::time::Duration;

use anyhow::{Context as _, Result};
use e2e::stack::{Bucket, Options, Servers, Stack};
use testkit::servers::s3::S3Server;
use testkit::servers::{Fault, FaultProxy, Mongo, RabbitMq, Redis};
use tokio::time::timeout;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    MongoDb,
    Redis,
    RabbitMq,
    S3,
}

/// What becomes of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    CutOff,
    Slow,
    Frozen,
    Restarted,
    RestartedEmpty,
}

/// Longest wait for a server to start or to end: more than each start has by itself.
const PATIENCE: Duration = Duration::from_secs(400);

/// How late the answers of a slow server are.
const LATE: Duration = Duration::from_secs(2);

/// All four.
pub(crate) struct Fleet {
    mongo: Mongo,
    redis: Redis,
    rabbitmq: RabbitMq,
    s3: S3Server,
    before_mongo: FaultProxy,
    before_redis: FaultProxy,
    before_rabbitmq: FaultProxy,
    before_s3: FaultProxy,
}

impl Fleet {
    pub(crate) async fn start() -> Result<Self> {
        let servers =
            async { tokio::try_join!(Mongo::start(), Redis::start(), RabbitMq::start(), S3Server::start()) };
        let (mongo, redis, rabbitmq, s3) =
            timeout(PATIENCE, servers).await.context("the servers do not start")??;
        Ok(Self {
            before_mongo: FaultProxy::start(mongo.0.port()).await?,
            before_redis: FaultProxy::start(redis.0.port()).await?,
            before_rabbitmq: FaultProxy::start(rabbitmq.port()).await?,
            before_s3: FaultProxy::start(s3.port()).await?,
            mongo,
            redis,
            rabbitmq,
            s3,
        })
    }

    /// An installation on them, with the product's own deadlines.
    pub(crate) fn stack(&self) -> Result<Stack> {
        // directly: a replica set names its members, and the driver would go round the proxy. Without the driver's own repetition of writes: the
        // stand-in for MongoDB remembers each of those, and soon is slow
        let mongodb_uri =
            format!("mongodb://{}/?directConnection=true&retryWrites=false", self.before_mongo.address());
        let redis_url = format!("redis://{}", self.before_redis.address());
        let amqp_url = format!("amqp://guest:guest@{}/%2f", self.before_rabbitmq.address());
        let servers = Servers::at(mongodb_uri, redis_url, amqp_url);
        let s3 = Some(Bucket::behind(&self.s3, self.before_s3.address()));
        let options = Options { s3, ..Options::of_production()? };
        tokio::task::block_in_place(|| Stack::start(&servers, &options))
    }

    /// Begins it. A restart has only killed the server so far.
    pub(crate) async fn begin(&mut self, server: Server, loss: Loss) -> Result<()> {
        let fault = match loss {
            Loss::CutOff => Fault::CutOff,
            Loss::Slow => Fault::Slow(LATE),
            Loss::Frozen => Fault::Frozen,
            Loss::Restarted | Loss::RestartedEmpty => {
                let killed = timeout(PATIENCE, self.kill(server)).await;
                return killed.with_context(|| format!("{server:?} does not end"));
            }
        };
        self.before(server).set(fault);
        Ok(())
    }

    /// Ends it: the server is reached, or has started, with its data or without.
    pub(crate) async fn end(&mut self, server: Server, loss: Loss) -> Result<()> {
        let ended = timeout(PATIENCE, self.is_back(server, loss)).await;
        ended.with_context(|| format!("{server:?} does not come back"))?
    }

    async fn is_back(&mut self, server: Server, loss: Loss) -> Result<()> {
        match (server, loss) {
            (_, Loss::CutOff | Loss::Slow | Loss::Frozen) => self.before(server).set(Fault::None),
            (Server::MongoDb, _) => self.mongo.0.restart().await?,
            (Server::Redis, Loss::Restarted) => self.redis.0.restart().await?,
            (Server::Redis, Loss::RestartedEmpty) => self.redis.restart_empty().await?,
            (Server::RabbitMq, Loss::Restarted) => self.rabbitmq.restart().await?,
            (Server::RabbitMq, Loss::RestartedEmpty) => self.rabbitmq.restart_empty().await?,
            (Server::S3, _) => self.s3.start_again().await?,
        }
        Ok(())
    }

    async fn kill(&mut self, server: Server) {
        match server {
            Server::MongoDb => self.mongo.0.kill(),
            Server::Redis => self.redis.0.kill(),
            Server::RabbitMq => self.rabbitmq.kill(),
            Server::S3 => self.s3.stop().await,
        }
    }

    fn before(&self, server: Server) -> &FaultProxy {
        match server {
            Server::MongoDb => &self.before_mongo,
            Server::Redis => &self.before_redis,
            Server::RabbitMq => &self.before_rabbitmq,
            Server::S3 => &self.before_s3,
        }
    }
}
