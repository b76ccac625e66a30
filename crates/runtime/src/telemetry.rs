//! Logs and metrics of a process.

use std::str::FromStr;
use std::time::Duration;

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
    let filter = filter_of(filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
    result.map_err(|error| error.to_string())
}

/// What the framework logs at `error` and `info` by default is what any client can cause by breaking off, and how many threads it has. The AMQP client logs
/// the whole body of a message that the broker returns. A filter that names these modules itself wins.
const QUIET: &str = "actix_http::h1::dispatcher=off,actix_server=warn,lapin::returned_messages=off";

fn filter_of(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::from_str(&format!("{QUIET},{text}")).map_err(|error| format!("FM_LOG__LEVEL: {error}"))
}

/// How often observations are moved from where they are recorded to their buckets. Until then each takes memory of its own.
const UPKEEP: Duration = Duration::from_secs(5);

/// Collects metrics; the handle renders them for `/metrics`. Times are histograms with buckets from 0.5 ms to 30 s.
///
/// # Errors
/// A sentence, when metrics are set up already.
pub fn init_metrics() -> Result<PrometheusHandle, String> {
    const SECONDS: &[f64] =
        &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(metrics_exporter_prometheus::Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| builder.install_recorder())
        .map_err(|error| error.to_string())?;
    let kept = handle.clone();
    // lives as long as the recorder, which is as long as the process
    let upkeep = move || {
        loop {
            std::thread::sleep(UPKEEP);
            kept.run_upkeep();
        }
    };
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(upkeep)
        .map_err(|error| error.to_string())?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framework_is_quiet_unless_the_filter_names_it() {
        assert!(filter_of("info").unwrap().to_string().contains("actix_http::h1::dispatcher=off"));
        let named = filter_of("warn,actix_server=debug").unwrap().to_string();
        assert!(named.contains("actix_server=debug") && !named.contains("actix_server=warn"), "{named}");
        assert!(filter_of("nonsense=much").unwrap_err().contains("FM_LOG__LEVEL"));
    }
}
