use async_trait::async_trait;
use clients::FilesClient;
use common::FileId;
use common::files::internal::PurgeRequest;
use common::jobs::types;
use serde_json::{Value, json};

use crate::work::{HandlerError, JobContext, JobHandler};

/// Steps without effect after which the job is tried again later.
const MOST_IDLE_STEPS: u32 = 3;

/// Removes what is below a tombstone, some rows at a time, until nothing is left.
pub struct PurgeHandler {
    files: FilesClient,
    concurrency: usize,
}

impl PurgeHandler {
    /// Works by file-service's internal API.
    pub fn new(files: FilesClient, concurrency: usize) -> Self {
        Self { files, concurrency }
    }
}

#[async_trait]
impl JobHandler for PurgeHandler {
    fn kind(&self) -> &'static str {
        types::PURGE
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let node = job.text("node").ok_or_else(|| HandlerError::Permanent("Missing node".to_owned()))?;
        let node = FileId::parse(node).map_err(|_| HandlerError::Permanent("No such node".to_owned()))?;
        let (mut removed, mut idle) = (0, 0);
        loop {
            let step = self.files.purge(&PurgeRequest { node }).await?;
            removed += step.changed;
            if step.done {
                return Ok(Some(json!({ "removed": removed })));
            }
            idle = if step.changed == 0 { idle + 1 } else { 0 };
            if idle == MOST_IDLE_STEPS {
                return Err(HandlerError::Retry("nothing could be removed just now".to_owned()));
            }
            // how much there is, nobody has counted; this only gives the attempt its time again
            job.progress(50).await?;
        }
    }
}
