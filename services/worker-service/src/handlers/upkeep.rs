use std::time::Duration;

use async_trait::async_trait;
use clients::FilesClient;
use common::PortError;
use common::files::internal::{MaintenanceStep, StepDone};
use metrics::counter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::work::{HandlerError, JobContext, JobHandler};

/// How often the place in a walk is noted.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Findings that stand in a result. They are all in the log of file-service.
const MOST_FINDINGS: usize = 100;

/// Has file-service do one of its tasks, step by step to the end. After a restart it goes on where it was.
pub struct UpkeepHandler {
    kind: &'static str,
    files: FilesClient,
}

impl UpkeepHandler {
    /// `kind` is the task's name in file-service's internal API, and the type of its jobs.
    pub fn new(kind: &'static str, files: FilesClient) -> Self {
        Self { kind, files }
    }
}

/// How far a walk is, and what it has brought: the data of the job's progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Walk {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    changed: u64,
    read_bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Value>,
    more_findings: u64,
}

impl Walk {
    /// Where an earlier attempt was; at the beginning, if there was none or it was of another version.
    fn resumed(job: &JobContext) -> Self {
        let data = job.job().progress_data.clone();
        data.and_then(|data| serde_json::from_value(data).ok()).unwrap_or_default()
    }

    fn add(&mut self, step: StepDone) {
        self.cursor = step.cursor;
        self.changed += step.changed;
        self.read_bytes += step.read_bytes;
        for finding in step.findings {
            match serde_json::to_value(finding) {
                Ok(finding) if self.findings.len() < MOST_FINDINGS => self.findings.push(finding),
                _ => self.more_findings += 1,
            }
        }
    }

    fn result(self) -> Value {
        let mut result = json!({ "changed": self.changed });
        if self.read_bytes > 0 {
            result["readBytes"] = self.read_bytes.into();
        }
        if !self.findings.is_empty() {
            result["findings"] = self.findings.into();
        }
        if self.more_findings > 0 {
            result["moreFindings"] = self.more_findings.into();
        }
        result
    }
}

#[async_trait]
impl JobHandler for UpkeepHandler {
    fn kind(&self) -> &'static str {
        self.kind
    }

    /// Two at once would do the same.
    fn concurrency(&self) -> usize {
        1
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let mut walk = Walk::resumed(job);
        let mut is_resumed = walk.cursor.is_some();
        let mut noted: Option<Instant> = None;
        loop {
            let place = MaintenanceStep { cursor: walk.cursor.clone() };
            let step = match self.files.maintenance(self.kind, &place).await {
                // a place that file-service does not understand (any more): it was of another version
                Err(error @ PortError::Broken { .. }) if is_resumed => {
                    tracing::warn!(task = self.kind, cause = %common::Causes(&error), "upkeep begins anew");
                    (walk, is_resumed) = (Walk::default(), false);
                    continue;
                }
                step => step?,
            };
            is_resumed = false;
            counter!("fm_maintenance_changed_total", "task" => self.kind).increment(step.changed);
            let percent = step.percent.unwrap_or(50);
            // a step that neither does anything nor knows where to go on would be repeated for ever
            let is_stuck = step.changed == 0 && (step.cursor.is_none() || step.cursor == place.cursor);
            let is_done = step.done || is_stuck;
            walk.add(step);
            if is_done {
                if walk.changed > 0 {
                    tracing::info!(task = self.kind, changed = walk.changed, "upkeep is done");
                }
                return Ok(Some(walk.result()));
            }
            if noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY) {
                let data = serde_json::to_value(&walk).expect("a walk becomes JSON");
                job.progress_with(percent, &data).await?;
                noted = Some(Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::BlobKey;
    use common::files::internal::Finding;

    use super::*;

    #[test]
    fn a_result_has_what_was_found_but_not_without_end() {
        let finding = || Finding::DamagedBlob {
            blob: BlobKey::from_bytes([1; 16]),
            problem: "it is missing".to_owned(),
            files: Vec::new(),
        };
        let mut walk = Walk::default();
        assert_eq!(walk.clone().result(), json!({ "changed": 0 }));
        for _ in 0..3 {
            let findings = (0..50).map(|_| finding()).collect();
            walk.add(StepDone { changed: 2, read_bytes: 5, findings, ..StepDone::default() });
        }
        let back: Walk = serde_json::from_value(serde_json::to_value(&walk).unwrap()).unwrap();
        assert_eq!(back, walk);
        let result = walk.result();
        assert_eq!(result["findings"].as_array().unwrap().len(), 100);
        assert_eq!((&result["changed"], &result["readBytes"]), (&json!(6), &json!(15)));
        assert_eq!(result["moreFindings"], 50);
        assert_eq!(
            result["findings"][0],
            json!({ "kind": "damagedBlob", "blob": "01".repeat(16), "problem": "it is missing", "files": [] })
        );
    }
}
