use async_trait::async_trait;
use clients::FilesClient;
use common::OperationId;
use common::files::internal::{CopyGiveUp, CopyRequest};
use common::jobs::{Job, types};
use serde_json::{Value, json};

use crate::work::{Ending, HandlerError, JobContext, JobHandler};

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
        let operation = operation(job.job())?;
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

    fn hears_of_ends(&self) -> bool {
        true
    }

    /// Ends the copy: what there is of it goes into the trash.
    async fn given_up(&self, job: &Job, ending: Ending<'_>) -> Result<(), HandlerError> {
        let Ok(operation) = operation(job) else {
            // the message was wrong: it concerns no copy
            return Ok(());
        };
        let called_off = ending == Ending::CalledOff;
        if self.files.give_up_copy(&CopyGiveUp { operation, called_off }).await? {
            Ok(())
        } else {
            Err(HandlerError::Retry("file-service does not know yet how to give a copy up".to_owned()))
        }
    }
}

fn operation(job: &Job) -> Result<OperationId, HandlerError> {
    let missing = || HandlerError::Permanent("Missing operation".to_owned());
    let text = job.spec.data.get("operation").and_then(Value::as_str).ok_or_else(missing)?;
    OperationId::parse(text).map_err(|_| HandlerError::Permanent("No such operation".to_owned()))
}
