//! MongoDB, Redis, RabbitMQ and the S3 store: each is cut off, slow, frozen, restarted.

use anyhow::{Context as _, Result, ensure};
use e2e::Product;
use e2e::product::send;
use e2e::wait::until;
use futures_util::future::join_all;
use reqwest::Method;

use crate::fleet::{Loss, Server};
use crate::load::{Load, Tolerance};
use crate::person::Case;
use crate::scene::{ALL, Scene};

/// What the loss of a server means.
struct Meaning {
    /// What cannot be done meanwhile.
    refused: &'static [Case],
    /// Services that are not ready then.
    not_ready: &'static [&'static str],
    /// What readiness names, of those and of these, which are ready without it.
    part: &'static str,
    named_by: &'static [&'static str],
}

const fn meaning(server: Server) -> Meaning {
    match server {
        Server::MongoDb => Meaning { refused: &Case::ALL, not_ready: ALL, part: "store", named_by: &[] },
        // a session that ends is forgotten by the cache before that is answered
        Server::Redis => Meaning { refused: &[], not_ready: &[], part: "cache", named_by: ALL },
        Server::RabbitMq => {
            Meaning { refused: &[], not_ready: &["worker-service"], part: "bus", named_by: ALL }
        }
        Server::S3 => Meaning {
            refused: &[Case::UploadLarge, Case::UploadPicture, Case::Download],
            not_ready: &["file-service"],
            part: "blobs",
            named_by: &[],
        },
    }
}

impl Scene {
    /// Loses servers under load, one after another, and ends.
    async fn goes_through(mut self, losses: &[(Server, Loss)]) -> Result<()> {
        for (server, loss) in losses {
            let mut load = Load::begin(&self.product, &format!("{server:?}-{loss:?}")).await?;
            let ended = async {
                self.loses(*server, *loss, &mut load).await?;
                let counts = load.end(&self.product).await?;
                ensure!(counts.done > 0, "nobody did anything: {counts:?}");
                Ok(())
            };
            let ended = ended.await.with_context(|| format!("{server:?}: {loss:?}"));
            self.with_logs(ended)?;
        }
        self.ends().await
    }

    async fn loses(&mut self, server: Server, loss: Loss, load: &mut Load) -> Result<()> {
        let Meaning { refused, .. } = meaning(server);
        let product = self.product.clone();
        let slow = loss == Loss::Slow;
        load.tolerate(Tolerance { refused: refused.to_vec() });
        self.fleet.begin(server, loss).await?;

        // at once, since those that are refused may take their time for it
        let all = Case::ALL.map(|case| self.ada.does(&product, case));
        for (case, done) in Case::ALL.into_iter().zip(join_all(all).await) {
            let done = done.with_context(|| format!("{case:?} meanwhile"))?;
            ensure!(done || refused.contains(&case), "{case:?} is refused meanwhile");
            ensure!(!done || slow || !refused.contains(&case), "{case:?} is done without what it needs");
        }
        if !slow {
            self.readiness_says(server, false).await?;
        }
        load.check()?;

        self.fleet.end(server, loss).await?;
        self.recovers().await?;
        self.readiness_says(server, true).await?;
        load.tolerate(Tolerance::default());
        load.check()
    }

    /// Waits until the readiness of every replica says that the server can be used, or not.
    async fn readiness_says(&mut self, server: Server, well: bool) -> Result<()> {
        let Meaning { not_ready, part, named_by, .. } = meaning(server);
        for replica in self.stack.replicas() {
            let needed = not_ready.contains(&replica.program());
            if !needed && !named_by.contains(&replica.program()) {
                continue;
            }
            let service = Product::new(format!("http://{}", replica.internal()), "")?;
            let what = format!("readiness of {} to say {part}: {well}", replica.program());
            until(&what, || async {
                let answer = send(service.request(Method::GET, "/health/ready")).await?;
                let said = answer.json()?["parts"][part].clone();
                Ok((answer.status.is_success() == (well || !needed) && (said == "ok") == well).then_some(()))
            })
            .await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_are_lost_and_come_back() {
    let scene = Scene::set().await.unwrap();
    let losses =
        [(Server::MongoDb, Loss::Frozen), (Server::MongoDb, Loss::Restarted), (Server::S3, Loss::CutOff)];
    scene.goes_through(&losses).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cache_and_broker_are_lost_and_come_back() {
    let scene = Scene::set().await.unwrap();
    let losses = [(Server::Redis, Loss::Frozen), (Server::RabbitMq, Loss::RestartedEmpty)];
    scene.goes_through(&losses).await.unwrap();
}

/// What the short run leaves out.
#[cfg(feature = "long")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_slow_and_restarted() {
    let scene = Scene::set().await.unwrap();
    let losses = [
        (Server::MongoDb, Loss::CutOff),
        (Server::MongoDb, Loss::Slow),
        (Server::S3, Loss::Slow),
        (Server::S3, Loss::Frozen),
        (Server::S3, Loss::Restarted),
        (Server::Redis, Loss::CutOff),
        (Server::Redis, Loss::Slow),
        (Server::Redis, Loss::Restarted),
        (Server::Redis, Loss::RestartedEmpty),
        (Server::RabbitMq, Loss::CutOff),
        (Server::RabbitMq, Loss::Slow),
        (Server::RabbitMq, Loss::Frozen),
        (Server::RabbitMq, Loss::Restarted),
    ];
    scene.goes_through(&losses).await.unwrap();
}
