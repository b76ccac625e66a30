//! Takes in what one request brings to an upload.

mod room;

use std::sync::Arc;

use bytes::Bytes;
use common::files::{Committed, PartialBlob, PartialWriter, Upload, UploadRole, UploadState};
use common::jobs::Cause;
use common::{Code, FileId, PortError, Sha256};
use futures_util::{Stream, StreamExt as _};
use http_kit::BodyError;
use metrics::counter;
use runtime::crash_point;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::checksum::{Checker, Checksum};
use super::hold::{Hold, RENEWED_EVERY};
use super::partial::partial_error;
use super::{check_size, concat, finish};
use crate::app::watch::Watch;
use crate::error::AppError;

/// When so many more bytes are durable, the row is told: what a crash costs at most.
const SAVED_EVERY: u64 = 16 * 1024 * 1024;

/// Most bytes between two values of the row, as long as there are no checksums: what is on its way to be durable included.
const UNSAVED: u64 = 96 * 1024 * 1024;

/// Pieces of a body that wait to be written.
const PIECES: usize = 4;

/// How the bytes of a request end an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// If its length is reached.
    AtLength,
    /// They are the last ones.
    Here,
    /// More will come.
    Never,
}

/// One request's part of an upload.
#[derive(Debug, Clone)]
pub(crate) struct Go {
    /// Where the client thinks that the upload stands.
    pub(crate) offset: u64,
    /// How long the whole upload is, if this request says so.
    pub(crate) length: Option<u64>,
    /// How many bytes this request announces.
    pub(crate) announced: Option<u64>,
    /// What its bytes must add up to.
    pub(crate) checksums: Vec<Checksum>,
    /// What the whole must add up to, if this request says so.
    pub(crate) digest: Option<Sha256>,
    pub(crate) ends: Ends,
}

/// What became of an upload.
#[derive(Debug)]
pub(crate) enum Appended {
    /// More is to come, or it is a part.
    Open(Upload),
    /// It is a file now.
    Done(Upload, Box<Committed>),
    /// It was this file before the request came.
    Earlier(Upload, FileId),
}

enum Piece {
    Bytes(Bytes),
    End,
    Failed(BodyError),
}

/// Appends what a request brings. What has come in stays, also when the request ends early, unless it had checksums. It goes on to its end although the
/// caller may be dropped, but no longer than `watch` allows.
///
/// # Errors
/// `parent_not_found` if the right to add to the folder has ended, `unauthorized` if the credential has; `upload_offset`, `upload_complete`, `upload_length`, `too_large`, `checksum_mismatch`, `locked` when another request wants the upload; those of the
/// body; `quota_exceeded`, `disk_full`; those of the commit, after which the upload is complete and can be committed by another request.
pub(crate) async fn append(
    mut hold: Hold,
    watch: Option<Watch>,
    go: Go,
    mut body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Appended, AppError> {
    if let Err(error) = check(&mut hold, &go) {
        hold.upload.length = hold.saved_length();
        hold.leave().await?;
        return Err(error);
    }
    if let UploadState::Done(file) = hold.upload.state {
        return Ok(Appended::Earlier(hold.leave().await?, file));
    }
    let (sender, pieces) = mpsc::channel(PIECES);
    let cause = http_kit::cause::current();
    let service = Arc::clone(hold.service());
    let task = service.background.spawn_awaited(Session::run(hold, watch, go, pieces, cause));
    loop {
        let piece = tokio::select! {
            piece = body.next() => match piece {
                Some(Ok(bytes)) => Piece::Bytes(bytes),
                Some(Err(error)) => Piece::Failed(error),
                None => Piece::End,
            },
            // whatever the client still sends
            () = sender.closed() => break,
        };
        let last = !matches!(piece, Piece::Bytes(_));
        // it may have ended: the answer says why
        if sender.send(piece).await.is_err() || last {
            break;
        }
    }
    drop(sender);
    task.await.map_err(|ended| PortError::broken("files", ended))?
}

/// Whether the request fits to the upload. Notes the length that it brings.
fn check(hold: &mut Hold, go: &Go) -> Result<(), AppError> {
    let service = Arc::clone(hold.service());
    let upload = &mut hold.upload;
    if matches!(upload.role, UploadRole::Final(_)) {
        let why = "A final upload is made of its parts, and takes no bytes";
        return Err(AppError::because(Code::Forbidden, why));
    }
    let offset = upload.offset();
    let is_done = matches!(upload.state, UploadState::Done(_));
    if go.offset != offset {
        // by tus an offset that is wrong has an answer of its own, and by the draft an upload that has ended
        return Err(match go.ends {
            Ends::Here | Ends::Never if is_done => AppError::refused(Code::UploadComplete),
            _ => AppError::UploadOffset { expected: offset, provided: go.offset },
        });
    }
    let brings_nothing = go.announced == Some(0);
    if upload.state != UploadState::Open && !brings_nothing {
        return Err(AppError::refused(Code::UploadComplete));
    }
    if upload.state == UploadState::Complete && go.digest.is_some_and(|digest| Some(digest) != upload.digest)
    {
        // a commit may have held them against what was said before
        return Err(AppError::because(
            Code::UploadComplete,
            "The digest comes with the last bytes at the latest",
        ));
    }
    let announced_end = go.announced.map(|bytes| offset.saturating_add(bytes));
    let implied = announced_end.filter(|_| go.ends == Ends::Here);
    for length in [go.length, implied].into_iter().flatten() {
        match upload.length {
            Some(known) if known != length => return Err(AppError::refused(Code::UploadLength)),
            _ => upload.length = Some(length),
        }
    }
    if is_done {
        return Ok(());
    }
    if upload.length.is_some_and(|length| length < offset) {
        return Err(AppError::refused(Code::UploadLength));
    }
    check_size(&service, upload.length.or(announced_end))?;
    if let (Some(length), Some(end)) = (upload.length, announced_end)
        && end > length
    {
        return Err(AppError::because(Code::TooLarge, format!("The upload has {length} bytes in all")));
    }
    upload.digest = go.digest.or(upload.digest);
    Ok(())
}

/// Why a session ended.
enum End {
    /// All bytes of the request are there.
    Whole,
    /// The client has gone.
    Left,
    /// Another request wants the upload.
    Wanted,
    Failed(AppError),
}

struct Session {
    hold: Hold,
    /// What was known of the length and the digest of the whole before this request.
    known: (Option<u64>, Option<Sha256>),
    /// Over the folder that the file will be in.
    watch: Option<Watch>,
    go: Go,
    checkers: Vec<Checker>,
    /// Bytes that this request has set aside ahead of those that come.
    reserved: u64,
    /// With all bytes that were given to the writer.
    size: u64,
}

impl Session {
    async fn run(
        hold: Hold,
        watch: Option<Watch>,
        go: Go,
        pieces: mpsc::Receiver<Piece>,
        cause: Cause,
    ) -> Result<Appended, AppError> {
        let checkers = go.checksums.iter().map(Checksum::checker).collect();
        let size = hold.upload.offset();
        let known = (hold.saved().length, hold.saved().digest);
        let mut session = Self { hold, known, watch, go, checkers, reserved: 0, size };
        if session.hold.upload.state == UploadState::Open
            && let Err(error) = session.receive(pieces).await
        {
            // whoever has it by now has reasons of their own
            if let Err(other) = session.hold.leave().await {
                tracing::debug!(code = other.code().word(), "an upload was not left");
            }
            return Err(error);
        }
        session.conclude(cause).await
    }

    async fn receive(&mut self, pieces: mpsc::Receiver<Piece>) -> Result<(), AppError> {
        let mut writer = match self.prepare().await {
            Ok(writer) => writer,
            Err(error) => {
                // a length that is noted without its room would let in bytes that nobody counts, and room without its length is nobody's
                (self.hold.upload.length, self.hold.upload.digest) = self.known;
                return Err(error);
            }
        };
        let end = self.take(&mut *writer, pieces).await;
        let end = match end {
            End::Whole if !std::mem::take(&mut self.checkers).into_iter().all(Checker::holds) => {
                self.hold.upload.digest = self.known.1;
                return Err(AppError::refused(Code::ChecksumMismatch));
            }
            // nothing is known of bytes whose checksum cannot be taken
            End::Left | End::Wanted | End::Failed(_) if !self.go.checksums.is_empty() => end,
            End::Failed(error @ AppError::Port(_)) => return Err(error),
            end => {
                let before = self.hold.upload.offset();
                self.hold.upload.blob = writer.close().await?;
                counter!("fm_files_resumable_bytes_total").increment(self.hold.upload.offset() - before);
                crash_point("uploads.before-row");
                end
            }
        };
        match end {
            End::Whole => Ok(()),
            End::Failed(error) => Err(error),
            End::Wanted => Err(AppError::because(Code::Locked, "Another request goes on with this upload")),
            End::Left => Err(BodyError::Incomplete.into()),
        }
    }

    /// Makes room for what the request announces, and gives the writer.
    async fn prepare(&mut self) -> Result<Box<dyn PartialWriter>, AppError> {
        self.reserve_length().await?;
        self.open().await
    }

    /// The writer at the end of what is there.
    async fn open(&mut self) -> Result<Box<dyn PartialWriter>, AppError> {
        let service = Arc::clone(self.hold.service());
        let upload = &self.hold.upload;
        let unsaved = match (self.go.checksums.is_empty(), self.go.announced, upload.length) {
            (true, ..) => UNSAVED,
            (false, Some(bytes), _) => bytes,
            (false, None, Some(length)) => length - upload.offset(),
            (false, None, None) => return Err(AppError::refused(Code::LengthRequired)),
        };
        let opened = service.uploads.partial.append(&upload.blob, upload.length, unsaved).await;
        let writer = opened.map_err(|error| partial_error(&error, upload).unwrap_or_else(|| error.into()))?;
        // what was noted of the length, and what the writer wants to be known of it
        let durable = writer.durable().clone();
        let changed = durable != self.hold.upload.blob || self.hold.saved_length() != self.hold.upload.length;
        self.hold.upload.blob = durable;
        if changed {
            self.hold.save().await?;
        }
        Ok(writer)
    }

    async fn take(&mut self, writer: &mut dyn PartialWriter, mut pieces: mpsc::Receiver<Piece>) -> End {
        let stop = self.hold.stop();
        let mut renewal = interval(RENEWED_EVERY);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // the first comes at once
        renewal.tick().await;
        let mut received = 0_u64;
        loop {
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => return End::Wanted,
                _ = renewal.tick() => self.renew(writer.durable().clone()).await,
                piece = pieces.recv() => match piece {
                    Some(Piece::Bytes(bytes)) => {
                        received += bytes.len() as u64;
                        self.write(writer, bytes).await
                    }
                    Some(Piece::End) if self.go.announced.is_some_and(|announced| announced != received) => {
                        return End::Failed(BodyError::Incomplete.into());
                    }
                    Some(Piece::End) => return End::Whole,
                    Some(Piece::Failed(error)) => return End::Failed(error.into()),
                    None => return End::Left,
                },
            };
            match step {
                Ok(false) => {}
                Ok(true) => return End::Wanted,
                Err(error) => return End::Failed(error),
            }
        }
    }

    /// Whether somebody else wants the upload.
    async fn write(&mut self, writer: &mut dyn PartialWriter, bytes: Bytes) -> Result<bool, AppError> {
        let size = self.size + bytes.len() as u64;
        if let Some(length) = self.hold.upload.length
            && size > length
        {
            return Err(AppError::because(Code::TooLarge, format!("The upload has {length} bytes in all")));
        }
        if let Some(watch) = &mut self.watch
            && let Some(code) = watch.end().await
        {
            let code = if code == Code::Unauthorized { code } else { Code::ParentNotFound };
            return Err(AppError::refused(code));
        }
        let service = Arc::clone(self.hold.service());
        check_size(&service, Some(size))?;
        self.reserve_more(size).await?;
        self.checkers.iter_mut().for_each(|checker| checker.update(&bytes));
        writer.write(bytes).await?;
        self.size = size;
        crash_point("uploads.in-body");
        let durable = writer.durable();
        if self.go.checksums.is_empty() && durable.size - self.hold.upload.offset() >= SAVED_EVERY {
            let durable = durable.clone();
            return self.renew(durable).await;
        }
        Ok(false)
    }

    /// Holds on to the upload, and keeps what is durable, unless it must be checked first.
    async fn renew(&mut self, durable: PartialBlob) -> Result<bool, AppError> {
        if self.go.checksums.is_empty() {
            self.hold.upload.blob = durable;
        }
        self.hold.save().await
    }

    /// With all bytes of the request durable: makes the upload a file if it is whole, or leaves it.
    async fn conclude(self, cause: Cause) -> Result<Appended, AppError> {
        let Self { mut hold, go, watch, .. } = self;
        let offset = hold.upload.offset();
        let whole = match go.ends {
            Ends::AtLength => hold.upload.length == Some(offset),
            Ends::Never => hold.upload.state == UploadState::Complete,
            Ends::Here => match hold.upload.length {
                Some(length) if length != offset => {
                    hold.leave().await?;
                    return Err(AppError::refused(Code::UploadLength));
                }
                _ => true,
            },
        };
        if !whole {
            return Ok(Appended::Open(hold.leave().await?));
        }
        hold.upload.length = Some(offset);
        hold.upload.state = UploadState::Complete;
        // a link may have got another password since; the commit knows only whether it is open
        if let Some(watch) = watch.filter(|_| hold.upload.link.is_some())
            && watch.look().await.is_some()
        {
            hold.leave().await?;
            return Err(AppError::refused(Code::ParentNotFound));
        }
        if hold.upload.role == UploadRole::Part {
            return Ok(Appended::Open(concat::complete_part(hold).await?));
        }
        let (upload, committed) = finish::finish(hold, cause).await?;
        Ok(Appended::Done(upload, Box::new(committed)))
    }
}

impl Hold {
    fn saved_length(&self) -> Option<u64> {
        self.saved().length
    }
}
