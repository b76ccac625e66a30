use async_trait::async_trait;
use common::jobs::{self, internal};
use common::{JobId, PortResult};

use crate::InternalClient;

/// worker-service, as the other services see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WorkerClient(InternalClient);

impl WorkerClient {
    /// Calls by this client.
    pub fn new(client: InternalClient) -> Self {
        Self(client)
    }
}

#[async_trait]
impl jobs::KnownJobs for WorkerClient {
    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        let question = internal::KnownJobs { ids: ids.to_vec() };
        let answer: internal::KnownJobs = self.0.post_json("/internal/jobs/known", &question).await?;
        Ok(answer.ids)
    }
}
