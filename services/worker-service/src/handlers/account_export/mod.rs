//! Puts together all that is an account's, for its owner.

mod own;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use clients::{AuthClient, FilesClient};
use common::auth::internal::{self as auth, EndExport};
use common::auth::{Export, ExportEnd, ExportFile, ExportState, Exports as _};
use common::files::internal::{self as files, ExportMeasure, ExportPage, ExportQuestion};
use common::jobs::Job;
use common::jobs::types::{self, AccountExportData};
use common::notifications::{EXPORT_READY, NewNotification, NotificationStore};
use common::{Clock, NotificationId, ObjectId};
use serde::Deserialize as _;
use serde_json::{Value, json};

use self::own::Own;
use self::writer::{FileWriter, NotWritten, Output};
use crate::service::Parts;
use crate::work::{Bells, Ending, HandlerError, JobContext, JobHandler};

/// Asks each service what it knows of an account, and hands it page by page to auth-service, which keeps it. The files of the account's space are read when
/// the archive is sent, not here. Each run writes everything anew, and only the newest one is taken.
pub(crate) struct AccountExportHandler {
    auth: AuthClient,
    files: FilesClient,
    own: Own,
    notifications: Arc<dyn NotificationStore>,
    clock: Arc<dyn Clock>,
    bells: Bells,
}

/// Who knows something of an account.
#[derive(Debug, Clone, Copy)]
enum Source {
    Auth,
    Files,
    Own,
}

impl AccountExportHandler {
    /// Works on the stores of this service.
    pub(crate) fn new(parts: &Parts, bells: Bells) -> Self {
        Self {
            auth: parts.auth.clone(),
            files: parts.files.clone(),
            own: Own::new(parts),
            notifications: Arc::clone(&parts.notifications),
            clock: Arc::clone(&parts.clock),
            bells,
        }
    }

    async fn page(&self, source: Source, question: &ExportQuestion) -> Result<ExportPage, HandlerError> {
        Ok(match source {
            Source::Auth => self.auth.export_page(question).await?,
            Source::Files => self.files.export_page(question).await?,
            Source::Own => self.own.page(question).await?,
        })
    }

    /// One file: all that one service knows of one subject. `percent` of all have been written before.
    async fn write(
        &self,
        job: &JobContext,
        percent: u8,
        (source, what): (Source, &str),
        mut file: FileWriter<'_>,
    ) -> Result<ExportFile, NotWritten> {
        let user = file.user();
        let mut cursor = None;
        loop {
            let question = ExportQuestion { user, what: what.to_owned(), cursor: cursor.take() };
            let page = self.page(source, &question).await?;
            for item in &page.items {
                file.push(item).await?;
            }
            // how long each is, nobody has counted; this gives the attempt its time again as well
            job.progress(percent).await?;
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return file.finish(format!("{what}.json")).await,
            }
        }
    }

    async fn gather(&self, job: &JobContext, output: &Output) -> Result<Vec<ExportFile>, NotWritten> {
        let all =
            [(Source::Auth, auth::EXPORTED), (Source::Files, files::EXPORTED), (Source::Own, own::EXPORTED)];
        let count: usize = all.iter().map(|(_, subjects)| subjects.len()).sum();
        let (mut written, mut position) = (Vec::new(), 0);
        for (source, subjects) in all {
            for what in subjects {
                let percent = u8::try_from(written.len() * 100 / count).unwrap_or(100);
                written.push(self.write(job, percent, (source, what), output.file(position)).await?);
                position += 1;
            }
        }
        Ok(written)
    }

    /// Does the work of a run, unless it is another's.
    async fn put_together(&self, job: &JobContext, export: &Export) -> Result<(), NotWritten> {
        let user = export.user;
        let run = self.clock.now().millis();
        let output = Output::new(self.auth.clone(), (user, export.id), run);
        let files = self.gather(job, &output).await?;
        let measure = ExportMeasure { user, files: files.clone() };
        let Some(size_bytes) = self.files.measure_export(&measure).await.map_err(HandlerError::from)?.bytes
        else {
            let error = "There are more files than an archive can hold".to_owned();
            return Err(HandlerError::Permanent(error).into());
        };
        let end = ExportEnd::Ready { run, files, size_bytes };
        let ended = self
            .auth
            .end_export(&EndExport { user, id: export.id, end })
            .await
            .map_err(HandlerError::from)?;
        if ended { Ok(()) } else { Err(NotWritten::Refused) }
    }

    async fn find(&self, data: AccountExportData) -> Result<Option<Export>, HandlerError> {
        let found = self.auth.export_of(data.user_id).await?;
        Ok(found.filter(|export| export.id == data.export_id))
    }

    /// Tells the owner, once.
    async fn tell(&self, export: &Export) -> Result<(), HandlerError> {
        let Export { id, user, expires_at, .. } = export;
        let news = NewNotification {
            id: NotificationId(ObjectId::named(&format!("export ready {id}"))),
            user: *user,
            kind: EXPORT_READY.to_owned(),
            text: format!("The export of your account is ready. It can be fetched until {expires_at}."),
            data: json!({ "exportId": id, "expiresAt": expires_at }),
        };
        if !self.notifications.notify(&[news], self.clock.now()).await?.is_empty() {
            self.bells.ring_news([*user]).await;
        }
        Ok(())
    }
}

fn data(job: &Job) -> Result<AccountExportData, HandlerError> {
    AccountExportData::deserialize(&job.spec.data)
        .map_err(|_| HandlerError::Permanent("userId or exportId is missing, or none".to_owned()))
}

#[async_trait]
impl JobHandler for AccountExportHandler {
    fn kind(&self) -> &'static str {
        types::ACCOUNT_EXPORT
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let data = data(job.job())?;
        let gone = || HandlerError::Obsolete("The export is gone".to_owned());
        let mut export = self.find(data).await?.ok_or_else(gone)?;
        if export.state == ExportState::Running {
            match self.put_together(job, &export).await {
                Ok(()) | Err(NotWritten::Refused) => {}
                Err(NotWritten::Failed(error)) => return Err(error),
            }
            export = self.find(data).await?.ok_or_else(gone)?;
        }
        match export.state {
            ExportState::Running => Err(HandlerError::Retry("Another attempt is at it".to_owned())),
            ExportState::Failed => Err(HandlerError::Obsolete("The export was given up".to_owned())),
            ExportState::Ready => {
                self.tell(&export).await?;
                tracing::info!(user = %export.user, export = %export.id, "an account is exported");
                Ok(Some(json!({ "files": export.files.len(), "sizeBytes": export.size_bytes })))
            }
        }
    }

    fn hears_of_ends(&self) -> bool {
        true
    }

    async fn given_up(&self, job: &Job, _ending: Ending<'_>) -> Result<(), HandlerError> {
        let Ok(AccountExportData { user_id: user, export_id: id }) = data(job) else { return Ok(()) };
        self.auth.end_export(&EndExport { user, id, end: ExportEnd::Failed }).await?;
        Ok(())
    }
}
