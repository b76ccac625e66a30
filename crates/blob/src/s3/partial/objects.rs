//! What the bucket has of partial blobs.

use bytes::Bytes;
use common::files::{PartialBlob, PartialError};
use common::{BlobKey, PortError, PortResult, allowance};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore as _, PutPayload};
use serde::Serialize;

use super::State;
use crate::s3::PAGE_KEYS;
use crate::s3::bucket::Bucket;
use crate::s3::client::transfer_time;
use crate::s3::error::{S3Error, is_absent, refused};
use crate::s3::sweep::ListedPart;

impl Bucket {
    /// What the keys of all partial blobs begin with.
    pub(in crate::s3) fn partials(&self) -> String {
        let blobs = self.blobs();
        format!("{}partial/", blobs.strip_suffix("blobs/").unwrap_or_default())
    }

    pub(super) fn partial(&self, key: BlobKey) -> String {
        format!("{}{key}/", self.partials())
    }

    /// Whether somebody goes on with a blob of this key, as far as the bucket knows.
    pub(in crate::s3) async fn is_partial(&self, key: BlobKey) -> PortResult<bool> {
        Ok(!self.page(&self.partial(key), None, None, 1).await?.0.is_empty())
    }

    /// Objects of a partial blob, which are few.
    pub(super) async fn objects_of(&self, key: BlobKey) -> PortResult<Vec<object_store::ObjectMeta>> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let (objects, next) = self.page(&self.partial(key), None, token, PAGE_KEYS).await?;
            found.extend(objects);
            token = next;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    pub(super) async fn remove_partial(&self, key: BlobKey) -> PortResult<bool> {
        let objects = self.objects_of(key).await?;
        for object in &objects {
            self.remove(&object.location).await?;
        }
        Ok(!objects.is_empty())
    }

    pub(super) async fn put(&self, path: &Path, payload: PutPayload) -> PortResult<()> {
        self.store
            .put_opts(path, payload, Default::default())
            .await
            .map(drop)
            .map_err(|error| self.error(error))
    }

    async fn whole(&self, path: &Path) -> PortResult<Option<Bytes>> {
        let found = match self.store.get_opts(path, GetOptions::default()).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.error(error)),
        };
        let work = transfer_time(found.meta.size);
        match allowance::wait_beyond(work, self.request_timeout + work, found.bytes()).await {
            Ok(bytes) => bytes.map(Some).map_err(|error| self.error(error)),
            Err(late) => Err(self.timed_out(late.given)),
        }
    }

    /// The bytes of a tail, which end at `size`.
    pub(super) async fn tail(&self, from: &PartialBlob, state: &State) -> Result<Bytes, PartialError> {
        let len = from.size.checked_sub(state.in_parts).ok_or(PartialError::Gone)?;
        let Some(name) = &state.tail else {
            return if len == 0 { Ok(Bytes::new()) } else { Err(PartialError::Gone) };
        };
        let path = Path::from(format!("{}{name}", self.partial(from.key)));
        let bytes = self.whole(&path).await?.filter(|bytes| bytes.len() as u64 == len);
        bytes.ok_or(PartialError::Gone)
    }

    /// Makes a blob of its parts, and of a tail.
    pub(super) async fn complete(
        &self,
        whole: &PartialBlob,
        state: &State,
        upload: &String,
    ) -> Result<(), PartialError> {
        let path = self.path(whole.key);
        let mut wanted = state.clone();
        if state.tail.is_some() {
            let tail = self.tail(whole, state).await?;
            let (index, len) = (state.next.saturating_sub(1) as usize, tail.len() as u64);
            let sent = self.store.put_part(&path, upload, index, tail.into()).await;
            match sent {
                Ok(_) => wanted.add(state.next, len),
                Err(error) if is_no_upload(&error) => return Err(PartialError::Gone),
                Err(error) => return Err(self.error(error).into()),
            }
        }
        let mut parts = match self.parts_of(&path, upload).await? {
            Some(parts) => parts,
            None => return Err(PartialError::Gone),
        };
        parts.retain(|part| wanted.has(part.number));
        parts.sort_unstable_by_key(|part| part.number);
        if parts.iter().map(|part| part.size).sum::<u64>() != whole.size {
            return Err(PartialError::Gone);
        }
        let gapless = (1..).zip(&parts).all(|(number, part)| part.number == number);
        let completed = if gapless {
            let ids = parts.into_iter().map(|part| PartId { content_id: part.e_tag }).collect();
            let completed = self.store.complete_multipart(&path, upload, ids).await;
            completed.map(drop).map_err(|error| (is_no_upload(&error), self.error(error)))
        } else {
            self.complete_listed(&path, upload, &parts).await
        };
        match completed {
            Ok(()) => Ok(()),
            // it may have been done: only the answer got lost
            Err((is_gone, error)) => match self.head(&path).await {
                Ok(Some(head)) if head.size == whole.size => Ok(()),
                Ok(_) if is_gone => Err(PartialError::Gone),
                _ => Err(error.into()),
            },
        }
    }
}

pub(super) fn is_no_upload(error: &object_store::Error) -> bool {
    refused(error).is_some_and(|refused| refused.code == "NoSuchUpload")
}

impl Bucket {
    /// Makes an object of parts whose numbers have gaps, which `object_store` cannot.
    async fn complete_listed(
        &self,
        path: &Path,
        upload: &str,
        parts: &[ListedPart],
    ) -> Result<(), (bool, PortError)> {
        let list = CompletedUpload {
            part: parts
                .iter()
                .map(|part| CompletedPart { part_number: part.number, e_tag: &part.e_tag })
                .collect(),
        };
        let body =
            quick_xml::se::to_string(&list).map_err(|error| (false, S3Error::List(error.into()).broken()))?;
        self.post(path, &[("uploadId", upload)], body).await
    }
}

#[derive(Serialize)]
#[serde(rename = "CompleteMultipartUpload")]
struct CompletedUpload<'p> {
    #[serde(rename = "Part")]
    part: Vec<CompletedPart<'p>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart<'p> {
    part_number: u32,
    #[serde(rename = "ETag")]
    e_tag: &'p str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_parts_is_written_as_s3_reads_it() {
        let part = vec![CompletedPart { part_number: 3, e_tag: "\"a\"" }];
        let text = quick_xml::se::to_string(&CompletedUpload { part }).unwrap();
        let expected = "<CompleteMultipartUpload><Part><PartNumber>3</PartNumber><ETag>\"a\"</ETag></Part></CompleteMultipartUpload>";
        assert_eq!(text.replace("&quot;", "\""), expected);
    }
}
