//! The services: a replica is killed in the middle of its work, all are restarted one after another, the secret that they share is replaced, and one
//! of them is of the version before.

use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, Result, ensure};
use e2e::stack::{Stack, fresh_secret};

use crate::load::{Load, Tolerance};
use crate::person::{Case, Person};
use crate::scene::Scene;

/// The order in which an administrator replaces them (docs/deployment.md).
const ORDER: [&str; 3] = ["worker-service", "file-service", "auth-service"];

/// What is sent to one replica, once.
const UPLOADS: &[Case] = &[Case::UploadSmall, Case::UploadLarge, Case::UploadPicture, Case::Rename];

const IN_UPLOAD: (&str, &str, &[Case]) = ("file-service", "upload.in-body", UPLOADS);
const IN_RELAY: (&str, &str, &[Case]) = ("file-service", "relay.after-publish", UPLOADS);
const IN_WORK: (&str, &str, &[Case]) = ("worker-service", "job.in-work", &[]);

/// Stops a replica as an administrator does.
pub(crate) fn stop(stack: &mut Stack, program: &str, number: usize) -> Result<()> {
    tokio::task::block_in_place(|| stack.replica(program, number).stop())
}

pub(crate) fn start_again(stack: &mut Stack, program: &str, number: usize) -> Result<()> {
    tokio::task::block_in_place(|| stack.start_again(program, number))
}

impl Scene {
    /// Lets a replica end itself, by `SIGKILL`, at each of these points under load. `refused` is what people may see of it.
    async fn kills(mut self, points: &[(&str, &str, &[Case])]) -> Result<()> {
        for (program, point, refused) in points {
            let mut load = Load::begin(&self.product, &point.replace('.', "-")).await?;
            let ended = async {
                self.is_killed_at(program, point, refused, &load).await?;
                self.recovers().await?;
                load.tolerate(Tolerance::default());
                load.check()?;
                let counts = load.end(&self.product).await?;
                ensure!(counts.done > 0, "nobody did anything: {counts:?}");
                Ok(())
            };
            let ended = ended.await.with_context(|| format!("{program} is killed at {point}"));
            self.with_logs(ended)?;
        }
        self.ends().await
    }

    async fn is_killed_at(
        &mut self,
        program: &str,
        point: &str,
        refused: &[Case],
        load: &Load,
    ) -> Result<()> {
        stop(&mut self.stack, program, 0)?;
        self.stack.replica(program, 0).set("FM_TEST_CRASH_AT", point);
        load.tolerate(Tolerance { refused: refused.to_vec() });
        let programs = self.stack.programs().to_owned();
        let mut newcomers = 0;
        // it may be killed before it is ready
        self.stack.replica(program, 0).begin(&programs)?;
        let status = loop {
            if let Some(status) = self.stack.replica(program, 0).has_ended()? {
                break status;
            }
            ensure!(newcomers < 500, "nothing of what was done led there");
            newcomers += 1;
            let name = format!("{}-newcomer-{newcomers}", point.replace('.', "-"));
            // something for auth-service to relay; what is refused of it is seen by the others
            drop(Person::new(&self.product, &name).await);
        };
        ensure!(status.signal() == Some(9), "it ended with {status}");
        let replica = self.stack.replica(program, 0);
        replica.unset("FM_TEST_CRASH_AT");
        start_again(&mut self.stack, program, 0)
    }

    /// Restarts every replica of every service, one after another, under load, which sees nothing of it.
    async fn restarts_all(&mut self, load: &mut Load) -> Result<()> {
        for program in ORDER {
            for number in 0..2 {
                let restarted = async {
                    stop(&mut self.stack, program, number)?;
                    start_again(&mut self.stack, program, number)?;
                    load.check()
                };
                restarted.await.with_context(|| format!("{program} {number} is restarted"))?;
            }
        }
        Ok(())
    }

    /// Restarts a replica with the program that is in this folder.
    #[cfg(feature = "long")]
    fn is_replaced(&mut self, program: &str, number: usize, programs: &std::path::Path) -> Result<()> {
        stop(&mut self.stack, program, number)?;
        let replica = self.stack.replica(program, number);
        tokio::task::block_in_place(|| {
            replica.begin(programs)?;
            replica.wait_until_ready().map(drop)
        })
    }

    /// Gives all replicas this setting, or takes it, with their next start.
    fn set_for_all(&mut self, name: &str, value: Option<&str>) {
        for replica in self.stack.replicas() {
            match value {
                Some(value) => replica.set(name, value),
                None => replica.unset(name),
            }
        }
    }
}

/// The points that the short run leaves out.
#[cfg(feature = "long")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_killed_at_every_other_point() {
    let scene = Scene::set().await.unwrap();
    let points: [(&str, &str, &[Case]); 10] = [
        ("file-service", "upload.after-blob", UPLOADS),
        ("file-service", "upload.after-commit", UPLOADS),
        ("file-service", "relay.before-publish", UPLOADS),
        ("auth-service", "relay.after-publish", &[Case::SignIn, Case::SignOut]),
        ("file-service", "relay.before-settle", UPLOADS),
        ("worker-service", "intake.before-insert", &[]),
        ("worker-service", "intake.before-acknowledge", &[]),
        ("worker-service", "job.after-claim", &[]),
        ("worker-service", "job.before-complete", &[]),
        ("worker-service", "job.after-complete", &[]),
    ];
    scene.kills(&points).await.unwrap();
}

/// To the gateway one that hangs looks like one that takes long: what it was given waits, for no longer than is promised, and is answered.
#[cfg(feature = "long")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_hangs_holds_up_what_it_was_given_and_nothing_else() {
    use std::time::{Duration, Instant};

    use e2e::product::send;
    use reqwest::Method;
    use serde_json::json;

    // docs/operations.md, with some room for a busy machine
    let (look, change) = (Duration::from_secs(15 + 8), Duration::from_secs(30 + 8));
    let mut scene = Scene::set().await.unwrap();
    let product = scene.product.clone();
    let bob = product.register("bob").await.unwrap();
    for program in ["file-service", "auth-service"] {
        scene.stack.replica(program, 0).hang().unwrap();
        for _ in 0..6 {
            let begun = Instant::now();
            product.get(&bob, "/api/v1/files/root").await.unwrap().expect(200).unwrap();
            product.get(&bob, "/api/v1/users/me").await.unwrap().expect(200).unwrap();
            assert!(begun.elapsed() < look, "a look took {:?} while {program} hung", begun.elapsed());
        }
        if program == "auth-service" {
            let mut done = 0;
            for _ in 0..4 {
                let begun = Instant::now();
                let body = json!({"email": bob.email, "password": bob.password});
                let login =
                    send(product.request(Method::POST, "/api/v1/auth/login").json(&body)).await.unwrap();
                assert!(matches!(login.status.as_u16(), 200 | 503), "{login:?}");
                assert!(begun.elapsed() < change, "a change took {:?}", begun.elapsed());
                done += usize::from(login.status == 200);
            }
            assert!(done > 0, "the other replica serves");
        }
        scene.stack.replica(program, 0).go_on().unwrap();
        let recovered = scene.recovers().await;
        scene.with_logs(recovered).unwrap();
    }
    scene.ends().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_killed_in_the_middle_of_their_work() {
    let scene = Scene::set().await.unwrap();
    scene.kills(&[IN_UPLOAD, IN_RELAY, IN_WORK]).await.unwrap();
}

/// Both rounds by which an administrator replaces the secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_and_a_new_secret_fail_no_request() {
    let mut scene = Scene::set().await.unwrap();
    let old = scene.stack.replica("auth-service", 0).setting("FM_INTERNAL_SECRET").unwrap().to_owned();
    let mut load = Load::begin(&scene.product, "rolling").await.unwrap();
    scene.set_for_all("FM_INTERNAL_SECRET", Some(&fresh_secret()));
    scene.set_for_all("FM_INTERNAL_SECRET_PREVIOUS", Some(&old));
    scene.restarts_all(&mut load).await.context("with the new secret and the old one").unwrap();
    scene.set_for_all("FM_INTERNAL_SECRET_PREVIOUS", None);
    scene.restarts_all(&mut load).await.context("with the new secret alone").unwrap();
    scene.recovers().await.unwrap();
    let counts = load.end(&scene.product).await.unwrap();
    assert!(counts.done > 0 && counts.refused == 0, "{counts:?}");
    scene.ends().await.unwrap();
}

/// Each service in turn is what it was a commit ago: first all of it, as while the others were upgraded, then one replica, as while it is itself.
#[cfg(feature = "long")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_service_works_beside_new_ones_as_it_was_a_commit_ago() {
    let previous = std::env::var_os("FM_TEST_PREVIOUS_PROGRAMS")
        .expect("FM_TEST_PREVIOUS_PROGRAMS names the folder of the programs of a commit ago; `cargo xtask test --long` builds them");
    let previous = std::path::PathBuf::from(previous);
    let mut scene = Scene::set().await.unwrap();
    let new = scene.stack.programs().to_owned();
    for program in ORDER {
        let mut load = Load::begin(&scene.product, program).await.unwrap();
        for (number, programs) in [(0, &previous), (1, &previous), (0, &new), (1, &new)] {
            let worked = async {
                scene.is_replaced(program, number, programs)?;
                load.check()?;
                scene.recovers().await
            };
            let shown = programs.display();
            let worked = worked.await.with_context(|| format!("{program} {number} is from {shown}"));
            scene.with_logs(worked).unwrap();
        }
        let ended = load.end(&scene.product).await.context(program);
        scene.with_logs(ended).unwrap();
    }
    scene.ends().await.unwrap();
}
