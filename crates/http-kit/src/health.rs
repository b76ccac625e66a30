//! Whether the process lives, whether it can serve, and its metrics.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use async_trait::async_trait;
use common::{Causes, Code, PortError, PortResult};
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::problem::Problem;

/// Longest wait for one check: below the two seconds after which common probes give up.
pub const CHECK_DEADLINE: Duration = Duration::from_millis(1500);

/// Stands in the answer of a process that has not all it needs yet: whoever asked had better ask another one.
pub const STARTING: HeaderName = HeaderName::from_static("fm-starting");

/// For so long an answer is given again, so that probes, which want no credential, cost next to nothing.
const ANSWER_LIFETIME: Duration = Duration::from_millis(500);

/// Says whether one part that the process needs can be used now.
#[async_trait]
pub trait ReadyCheck: Send + Sync {
    /// The part, as errors name it too: `store`, `blobs`, `bus`.
    fn name(&self) -> &'static str;

    /// Tries the part.
    ///
    /// # Errors
    /// Why it cannot be used. It is logged; clients see only that it failed.
    async fn check(&self) -> PortResult<()>;
}

struct FnCheck<F> {
    name: &'static str,
    run: F,
}

#[async_trait]
impl<F, Fut> ReadyCheck for FnCheck<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = PortResult<()>> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    async fn check(&self) -> PortResult<()> {
        (self.run)().await
    }
}

/// A check from a function, such as a store's `ping`.
pub fn check<F, Fut>(name: &'static str, run: F) -> Arc<dyn ReadyCheck>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = PortResult<()>> + Send + 'static,
{
    Arc::new(FnCheck { name, run })
}

/// What `/health/ready` asks. Put one into the app by [`configure`].
pub struct Health {
    checks: Vec<Arc<dyn ReadyCheck>>,
    dispensable: Vec<Arc<dyn ReadyCheck>>,
    draining: CancellationToken,
    last: tokio::sync::Mutex<Option<(Instant, Report)>>,
}

#[derive(Clone)]
struct Report {
    ready: bool,
    parts: Map<String, Value>,
}

impl Health {
    /// Ready while every check passes and `draining` is not cancelled.
    pub fn new(checks: Vec<Arc<dyn ReadyCheck>>, draining: CancellationToken) -> Self {
        Self { checks, dispensable: Vec::new(), draining, last: tokio::sync::Mutex::new(None) }
    }

    /// Names these parts too. The process is ready without them, if more slowly or with work put off.
    #[must_use]
    pub fn with_dispensable(mut self, parts: Vec<Arc<dyn ReadyCheck>>) -> Self {
        self.dispensable = parts;
        self
    }

    async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < ANSWER_LIFETIME
        {
            return report.clone();
        }
        let all = self.checks.iter().chain(&self.dispensable);
        let results = join_all(all.map(|check| async move {
            let word = match tokio::time::timeout(CHECK_DEADLINE, check.check()).await {
                Ok(Ok(())) => return (check.name(), "ok"),
                Ok(Err(error)) => {
                    tracing::warn!(part = check.name(), cause = %Causes(&error), "not ready");
                    match error {
                        PortError::Unavailable { .. } => "unavailable",
                        PortError::Full { .. } => "full",
                        PortError::Broken { .. } => "broken",
                    }
                }
                Err(_) => {
                    tracing::warn!(part = check.name(), "not ready: no answer in time");
                    "timed out"
                }
            };
            (check.name(), word)
        }))
        .await;
        let report = Report {
            ready: results.iter().take(self.checks.len()).all(|(_, word)| *word == "ok"),
            parts: results.into_iter().map(|(name, word)| (name.to_owned(), json!(word))).collect(),
        };
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

/// What a process waits for while it gets ready. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Starting(Arc<Mutex<Option<&'static str>>>);

impl Starting {
    /// It waits for this part, as errors name it, or for none.
    pub fn waits_for(&self, part: Option<&'static str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = part;
    }

    fn parts(&self) -> Map<String, Value> {
        let part = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        part.map(|part| (part.to_owned(), json!("unavailable"))).into_iter().collect()
    }
}

/// Serves what a process can answer before it has all it needs: `/health/live`, `/health/ready`, which says `starting` and names the part that is waited
/// for, and `/metrics`. Everything else is 503 with [`STARTING`].
pub fn configure_starting(config: &mut web::ServiceConfig, starting: Starting, handle: PrometheusHandle) {
    let not_ready = move || {
        let parts = starting.parts();
        async move { answer(StatusCode::SERVICE_UNAVAILABLE, "starting", parts) }
    };
    config.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(not_ready));
    configure_metrics(config, handle);
    config.service(web::resource("/{anything:.*}").to(not_yet));
}

async fn not_yet() -> Result<HttpResponse, Problem> {
    let problem = Problem::new(Code::Unavailable).retry_after(PortError::RETRY_AFTER);
    Err(problem.header(STARTING, HeaderValue::from_static("?1")))
}

/// Serves `/health/live` and `/health/ready`, on the public and on the internal listener.
pub fn configure(config: &mut web::ServiceConfig, health: web::Data<Health>) {
    config
        .route("/health/live", web::get().to(live))
        .service(web::resource("/health/ready").app_data(health).route(web::get().to(ready)));
}

/// Serves `/metrics` in the text form of Prometheus, on the internal listener only.
pub fn configure_metrics(config: &mut web::ServiceConfig, handle: PrometheusHandle) {
    config.service(web::resource("/metrics").app_data(web::Data::new(handle)).route(web::get().to(metrics)));
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({ "status": "live" }))
}

async fn ready(health: web::Data<Health>) -> HttpResponse {
    let report = health.report().await;
    let (status, word) = match (health.draining.is_cancelled(), report.ready) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, true) => (StatusCode::OK, "ready"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    answer(status, word, report.parts)
}

fn answer(status: StatusCode, word: &str, parts: Map<String, Value>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "status": word, "parts": parts }))
}

async fn metrics(handle: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(handle.render())
}
