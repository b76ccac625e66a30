//! Sections of settings that every program has.

use std::time::Duration;

use runtime::lifecycle::Pace;
use runtime::settings::{Doc, Span, at_least};
use runtime::telemetry::LogFormat;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// `log`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// What the keys of [`Log`] mean.
pub const LOG_DOCS: &[Doc] = &[
    Doc { key: "log.format", text: "text or json." },
    Doc {
        key: "log.level",
        text: "error, warn, info, debug or trace; also by module, such as info,file_service=debug.",
    },
];

/// `stop`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// How long answers say `Connection: close` before connections are refused.
    pub drain: Span,
    /// How long running work may take after that.
    pub deadline: Span,
}

impl Default for Stop {
    fn default() -> Self {
        Self { drain: Span::from_secs(3), deadline: Span::from_secs(30) }
    }
}

impl Stop {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), Failure> {
        at_least("FM_STOP__DEADLINE", self.deadline, Duration::from_secs(1)).map_err(Failure::setting)
    }

    /// How the process stops.
    pub fn pace(&self) -> Pace {
        Pace { drain: self.drain.duration(), deadline: self.deadline.duration() }
    }

    /// How long a server lets running requests go on: commits that outlive their requests have the rest of the time.
    pub fn for_requests(&self) -> Duration {
        self.deadline.duration() * 2 / 3
    }
}

/// What the keys of [`Stop`] mean.
pub const STOP_DOCS: &[Doc] = &[
    Doc {
        key: "stop.drain",
        text: "How long, after a signal to stop, answers say Connection: close before connections are refused.",
    },
    Doc {
        key: "stop.deadline",
        text: "How long running requests and jobs may take after that; at least 1s.",
    },
];
