use async_trait::async_trait;
use clients::FilesClient;
use common::OperationId;
use common::files::internal::CopyRequest;
use common::jobs::types;
use serde_json::{Value, json};

use crate::work::{HandlerError, JobContext, JobHandler};

/// Steps without effect after which the job is tried again later: others work at the same copy.
const MOST_IDLE_STEPS: u32 = 100;

/// Goes on with the copy of a folder, some files at a time, until it is done or has failed.
pub struct CopyHandler {
    files: FilesClient,
    concurrency: usize,
}

impl CopyHandler {
    /// Works by file-service's internal API.
    pub fn new(files: FilesClient, concurrency: usize) -> Self {
        Self { files, concurrency }
    }
}

#[async_trait]
impl JobHandler for CopyHandler {
    fn kind(&self) -> &'static str {
        types::COPY
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let operation =
            job.text("operation").ok_or_else(|| HandlerError::Permanent("Missing operation".to_owned()))?;
        let operation = OperationId::parse(operation)
            .map_err(|_| HandlerError::Permanent("No such operation".to_owned()))?;
        let (mut copied, mut idle) = (0, 0);
        loop {
            let step = self.files.copy(&CopyRequest { operation }).await?;
            copied += step.changed;
            if step.done {
                return Ok(Some(json!({ "copied": copied })));
            }
            idle = if step.changed == 0 { idle + 1 } else { 0 };
            if idle == MOST_IDLE_STEPS {
                return Err(HandlerError::Retry("nothing could be copied just now".to_owned()));
            }
            // how much there is, nobody has counted; this only gives the attempt its time again
            job.progress(50).await?;
        }
    }
}
