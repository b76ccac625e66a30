//! How many commands of MongoDB and Redis each kind of request takes. One connection, one request after another, in a form of its own behind
//! proxies that count.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use testkit::servers::Redis;

use super::Run;
use super::forms::{Form, ONE};
use super::loads::{Samples, reads, uploads};
use super::pictures;
use super::proxy::{self, Proxy, Tally, of_mongodb, of_redis};
use crate::workloads::{noise, say};

/// Requests of each kind.
const REQUESTS: usize = 50;
const PICTURES: usize = 20;
/// How often the list is asked whether all thumbnails are there, so that these lists hardly count.
const SELDOM: Duration = Duration::from_secs(2);

struct Counted<'a> {
    run: &'a Run,
    form: Form,
    /// Before MongoDB and Redis.
    proxies: [Proxy; 2],
    /// What the services ask in a second although nobody asks them.
    idle: [Tally; 2],
}

pub(super) async fn run(run: &Run) -> Result<()> {
    say("counting commands");
    let uri = proxy::mongodb_uri()?;
    let own_redis = Redis::start().await?;
    let mongodb = Proxy::start(proxy::server(&uri)?, of_mongodb).await?;
    let redis = Proxy::start(proxy::server(&own_redis.url())?, of_redis).await?;
    let settings = vec![
        ("FM_MONGODB_URI".to_owned(), proxy::directly(&uri, mongodb.address)?),
        ("FM_REDIS_URL".to_owned(), proxy::behind(&own_redis.url(), redis.address)?),
    ];
    let form = Form::stack(ONE, &run.arguments.programs, &run.shared, 1, settings).await?;
    let samples = Samples::make(&form).await?;
    let mut counted = Counted { run, form, proxies: [mongodb, redis], idle: Default::default() };
    counted.watch_idle().await;

    let mut lines = Vec::new();
    for (name, head, _) in reads(&counted.form, &samples) {
        lines.push((name, counted.of(head, Arc::default()).await?));
    }
    let small = Arc::new(noise(10 * 1024));
    let head = uploads(&counted.form, "up", 1, small.len()).await?;
    lines.push(("4 PUT of 10 KiB", counted.of(head, small).await?));
    let large = Arc::new(noise(100 * 1024));
    let head = uploads(&counted.form, "large", 1, large.len()).await?;
    lines.push(("4 PUT of 100 KiB, not kept in the database", counted.of(head, large).await?));
    lines.push(("6 a picture, from upload to all thumbnails", counted.of_pictures().await?));
    print(&lines);
    Ok(())
}

impl Counted<'_> {
    fn tallies(&self) -> [Tally; 2] {
        self.proxies.each_ref().map(Proxy::tally)
    }

    async fn watch_idle(&mut self) {
        const WATCHED: Duration = Duration::from_secs(10);
        let before = self.tallies();
        tokio::time::sleep(WATCHED).await;
        self.idle = difference(&self.tallies(), &before, |more, _| more / WATCHED.as_secs_f64());
    }

    async fn of(&self, head: crate::drive::Head, body: Arc<Vec<u8>>) -> Result<String> {
        // what is remembered for a while has been asked for
        self.form.load(&self.run.shared, (1, 2), Arc::clone(&head), Arc::clone(&body)).await?;
        let numbered: crate::drive::Head = Arc::new(move |n| head(n + 2));
        let (before, began) = (self.tallies(), Instant::now());
        self.form.load(&self.run.shared, (1, REQUESTS), numbered, body).await?;
        Ok(self.shown(&before, began, REQUESTS))
    }

    async fn of_pictures(&self) -> Result<String> {
        let picture = pictures::picture()?;
        let folder = self.form.api().folder("pictures").await?;
        let (before, began) = (self.tallies(), Instant::now());
        for n in 0..PICTURES {
            self.form.api().upload(&folder, &format!("{n}.jpg"), &picture).await?;
        }
        pictures::all_ready(self.form.api(), &folder, PICTURES, SELDOM).await?;
        Ok(self.shown(&before, began, PICTURES))
    }

    fn shown(&self, before: &[Tally; 2], began: Instant, requests: usize) -> String {
        let seconds = began.elapsed().as_secs_f64();
        let of_server = |(index, more): (usize, Tally)| {
            let mut parts = Vec::new();
            let mut total = 0.0;
            for (name, count) in more {
                let idle = self.idle[index].get(&name).copied().unwrap_or_default() * seconds;
                let each = (count - idle) / requests as f64;
                if each >= 0.05 {
                    total += each;
                    parts.push(format!("{name} {each:.1}"));
                }
            }
            format!("{total:.1} ({})", parts.join(", "))
        };
        let more = difference(&self.tallies(), before, |more, _| more);
        more.into_iter().enumerate().map(of_server).collect::<Vec<_>>().join(" | ")
    }
}

fn difference(now: &[Tally; 2], then: &[Tally; 2], of: impl Fn(f64, &str) -> f64) -> [Tally; 2] {
    let of_one = |index: usize| {
        let before = |name: &str| then[index].get(name).copied().unwrap_or_default();
        now[index].iter().map(|(name, count)| (name.clone(), of(count - before(name), name))).collect()
    };
    [of_one(0), of_one(1)]
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn print(lines: &[(&str, String)]) {
    println!("\n| request | MongoDB | Redis |\n|---|---|---|");
    for (name, counts) in lines {
        println!("| {name} | {counts} |");
    }
}
