//! What S3 does and `s3s-fs` 0.14 does not: it looks whether an object exists before it takes the new one in, not when it puts it in its
//! place, so that two writers may both win; it makes a bucket for whoever writes into one that does not exist; it cannot list unfinished
//! uploads. And the faults that tests ask for.

use std::fs::metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::StatusCode;
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

use super::Controls;

pub(super) struct Store {
    files: FileSystem,
    root: PathBuf,
    controls: Arc<Controls>,
}

impl Store {
    pub(super) fn new(root: &Path, controls: Arc<Controls>) -> anyhow::Result<Self> {
        let files = FileSystem::new(root).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(Self { files, root: root.to_owned(), controls })
    }

    /// Fails where a test wants it, or the bucket is missing.
    fn enter(&self, bucket: &str) -> S3Result<()> {
        let mut refusals = self.controls.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((status, code)) = refusals.pop() {
            let code = S3ErrorCode::from_bytes(code.as_bytes()).ok_or_else(|| s3_error!(InternalError))?;
            let mut error = S3Error::with_message(code, "as the test wants it");
            error.set_status_code(StatusCode::from_u16(status).unwrap());
            return Err(error);
        }
        if self.root.join(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    /// Counts what comes in, and lets it wait while the test wants that.
    fn taken_in(&self, body: Option<StreamingBlob>) -> Option<StreamingBlob> {
        let (controls, taking) = (Arc::clone(&self.controls), self.controls.taking.subscribe());
        let body = body?.map_err(io::Error::other);
        let state = (body, controls, taking);
        Some(StreamingBlob::wrap(stream::unfold(state, |(mut body, controls, mut taking)| async move {
            let _ = taking.wait_for(|taking| *taking).await;
            let piece = body.next().await?;
            if let Ok(piece) = &piece {
                controls.received.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            Some((piece, (body, controls, taking)))
        })))
    }

    fn sent(&self, body: Option<StreamingBlob>) -> Option<StreamingBlob> {
        let controls = Arc::clone(&self.controls);
        let body = body?.map_err(io::Error::other);
        Some(StreamingBlob::wrap(body.inspect_ok(move |piece| {
            controls.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        })))
    }

    fn loses_answer(&self) -> bool {
        let lost = &self.controls.lost_answers;
        lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Gives the parts of a completion the numbers from 1, as those of S3 may have gaps. Their tags must be those of the parts.
    fn close_gaps(&self, input: &mut CompleteMultipartUploadInput) -> S3Result<()> {
        let id = input.upload_id.clone();
        let tags = self.controls.part_tags.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = input.multipart_upload.iter_mut().flat_map(|upload| upload.parts.iter_mut().flatten());
        for (position, part) in (1..).zip(parts) {
            let number = part.part_number.unwrap_or_default();
            if number < position || tags.get(&(id.clone(), number)) != part.e_tag.as_ref() {
                return Err(s3_error!(InvalidPart));
            }
            if number != position {
                let file = |number| self.root.join(format!(".upload_id-{id}.part-{number}"));
                std::fs::rename(file(number), file(position)).map_err(|_| s3_error!(InvalidPart))?;
                part.part_number = Some(position);
            }
        }
        Ok(())
    }

    fn upload_file(&self, id: &str) -> PathBuf {
        self.root.join(format!(".upload-{id}.json"))
    }

    /// Unfinished uploads of a bucket, in the order of S3.
    fn unfinished(&self, bucket: &str) -> Vec<MultipartUpload> {
        let uploads = self.controls.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let there = uploads.iter().filter(|(_, (within, _))| within == bucket);
        let mut found: Vec<_> = there
            .filter_map(|(id, (_, key))| {
                let at = metadata(self.upload_file(id)).ok()?.modified().ok()?;
                Some(MultipartUpload {
                    key: Some(key.clone()),
                    upload_id: Some(id.clone()),
                    initiated: Some(at.into()),
                    ..MultipartUpload::default()
                })
            })
            .collect();
        found.sort_by_key(|upload| (upload.key.clone(), upload.upload_id.clone()));
        found
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.enter(&request.input.bucket)?;
        let mut body = self.taken_in(request.input.body.take()).ok_or_else(|| s3_error!(IncompleteBody))?;
        // taken in first, so that one writer does not wait for the network of another
        let mut pieces = Vec::new();
        while let Some(piece) = body.next().await {
            pieces.push(Ok::<Bytes, io::Error>(piece.map_err(|_| s3_error!(IncompleteBody))?));
        }
        request.input.body = Some(StreamingBlob::wrap(stream::iter(pieces)));
        if self.controls.overwrites.load(Ordering::Relaxed) {
            request.input.if_none_match = None;
        }
        let creating = self.controls.creating.lock().await;
        let answer = self.files.put_object(request).await?;
        drop(creating);
        if self.loses_answer() { Err(s3_error!(InternalError)) } else { Ok(answer) }
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.enter(&request.input.bucket)?;
        let mut answer = self.files.get_object(request).await?;
        answer.output.body = self.sent(answer.output.body.take());
        Ok(answer)
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.enter(&request.input.bucket)?;
        self.files.head_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.enter(&request.input.bucket)?;
        self.files.delete_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.enter(&request.input.bucket)?;
        self.files.list_objects_v2(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.enter(&request.input.bucket)?;
        let place = (request.input.bucket.clone(), request.input.key.clone());
        let answer = self.files.create_multipart_upload(request).await?;
        let id = answer.output.upload_id.clone().ok_or_else(|| s3_error!(InternalError))?;
        self.controls.uploads.lock().unwrap_or_else(PoisonError::into_inner).insert(id, place);
        Ok(answer)
    }

    async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.enter(&request.input.bucket)?;
        if !self.upload_file(&request.input.upload_id).exists() {
            return Err(s3_error!(NoSuchUpload));
        }
        request.input.body = self.taken_in(request.input.body.take());
        let (id, number) = (request.input.upload_id.clone(), request.input.part_number);
        let answer = self.files.upload_part(request).await?;
        if let Some(tag) = &answer.output.e_tag {
            let mut tags = self.controls.part_tags.lock().unwrap_or_else(PoisonError::into_inner);
            tags.insert((id, number), tag.clone());
        }
        Ok(answer)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.enter(&request.input.bucket)?;
        if !self.upload_file(&request.input.upload_id).exists() {
            return Err(s3_error!(NoSuchUpload));
        }
        let id = request.input.upload_id.clone();
        let mut answer = self.files.list_parts(request).await?;
        let tags = self.controls.part_tags.lock().unwrap_or_else(PoisonError::into_inner);
        for part in answer.output.parts.iter_mut().flatten() {
            part.e_tag = part.part_number.and_then(|number| tags.get(&(id.clone(), number)).cloned());
        }
        drop(tags);
        Ok(answer)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        self.enter(&input.bucket)?;
        if self.controls.hides_uploads.load(Ordering::Relaxed) {
            return Err(s3_error!(NotImplemented));
        }
        let prefix = input.prefix.clone().unwrap_or_default();
        let marker = input.key_marker.clone().map(|key| (Some(key), input.upload_id_marker.clone()));
        let mut found = self.unfinished(&input.bucket);
        found.retain(|upload| upload.key.as_ref().is_some_and(|key| key.starts_with(&prefix)));
        found.retain(|upload| {
            marker.as_ref().is_none_or(|marker| (upload.key.clone(), upload.upload_id.clone()) > *marker)
        });
        // small pages, so that there are some
        let is_truncated = found.len() > 2;
        found.truncate(2);
        let last = found.last().filter(|_| is_truncated);
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            is_truncated: Some(is_truncated),
            next_key_marker: last.and_then(|upload| upload.key.clone()),
            next_upload_id_marker: last.and_then(|upload| upload.upload_id.clone()),
            uploads: Some(found),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.enter(&request.input.bucket)?;
        if !self.upload_file(&request.input.upload_id).exists() {
            return Err(s3_error!(NoSuchUpload));
        }
        if self.controls.overwrites.load(Ordering::Relaxed) {
            request.input.if_none_match = None;
        }
        self.close_gaps(&mut request.input)?;
        let creating = self.controls.creating.lock().await;
        let answer = self.files.complete_multipart_upload(request).await?;
        drop(creating);
        if self.loses_answer() { Err(s3_error!(InternalError)) } else { Ok(answer) }
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.enter(&request.input.bucket)?;
        if !self.upload_file(&request.input.upload_id).exists() {
            return Err(s3_error!(NoSuchUpload));
        }
        self.files.abort_multipart_upload(request).await
    }
}
