//! Logs and metrics of a process.

use std::str::FromStr;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines to standard error. The filter is a level or the directives of `tracing_subscriber::EnvFilter`, such as `info,file_service=debug`.
///
/// # Errors
/// A sentence, when the filter cannot be read or logs are set up already.
pub fn init_logs(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::from_str(filter).map_err(|error| format!("FM_LOG__LEVEL: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
    result.map_err(|error| error.to_string())
}

/// Collects metrics; the handle renders them for `/metrics`. Times are histograms with buckets from 0.5 ms to 30 s.
///
/// # Errors
/// A sentence, when metrics are set up already.
pub fn init_metrics() -> Result<PrometheusHandle, String> {
    const SECONDS: &[f64] =
        &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(metrics_exporter_prometheus::Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| builder.install_recorder())
        .map_err(|error| error.to_string())
}
