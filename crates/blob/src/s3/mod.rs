//! Blobs as objects of an S3 bucket.
//!
//! `<prefix>/blobs/<key>` holds a blob, `<prefix>/store-id` the mark of the metadata store that the blobs belong to, `<prefix>/probe` is
//! written to see whether writing works, `<prefix>/partial/<key>/…` belongs to what comes in several goes. What is being written in parts is no
//! object yet.

mod bucket;
mod client;
mod error;
mod filling;
mod multipart;
mod options;
mod partial;
mod parts;
mod read;
mod sweep;
mod write;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use common::files::{BlobRange, BlobStore, BlobWriter, ByteStream, StoredBlob};
use common::{BlobKey, PortError, PortResult, Timestamp};
use futures_util::future::try_join;
use object_store::signer::{Method, Signer as _};
use url::Url;

use self::bucket::Bucket;
use self::error::S3Error;
pub use self::options::{CreateOnly, S3Credentials, S3Options};
use self::parts::{MAX_BLOB_BYTES, MAX_PARTS};
use self::read::Reader;
use self::write::Writer;
use crate::{MAX_READ_BYTES, PART};

/// Most keys that S3 lists at a time.
const PAGE_KEYS: usize = 1_000;

/// Longest life of a signed URL, by the rules of the signature.
const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Blobs in a bucket. A blob that was written is as durable as the server makes it before it answers.
///
/// The credentials need `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`, `s3:AbortMultipartUpload` and `s3:ListMultipartUploadParts` on the
/// objects, `s3:ListBucket` and `s3:ListBucketMultipartUploads` on the bucket. Without versioning a deleted blob is gone at once; with it,
/// the bucket needs a rule that ends old versions. A rule that ends unfinished uploads after some days does no harm, and is needed where
/// the server cannot list them for [`BlobStore::sweep_temporary`].
#[derive(Clone)]
pub struct S3Blobs {
    bucket: Arc<Bucket>,
}

impl S3Blobs {
    /// Makes the client. Sends nothing: [`BlobStore::ping`] tells whether the bucket can be used.
    ///
    /// # Errors
    /// `Broken` if the options cannot be used.
    pub fn open(options: &S3Options) -> PortResult<Self> {
        Ok(Self { bucket: Arc::new(Bucket::open(options)?) })
    }

    /// Waits until uploads that were dropped are given up, which goes on in the background: for the end of a process. What is not done by
    /// then is left to [`BlobStore::sweep_temporary`].
    pub async fn settle(&self) {
        self.bucket.settle().await;
    }

    /// A URL under which the blob can be read (GET, whole or a range) without credentials until it expires, after a second to a week. Says
    /// nothing about whether there is such a blob.
    ///
    /// For a proxy inside: it must send the host of the URL on as it is, and the server's own header fields (`x-amz-…`) are not for clients.
    ///
    /// # Errors
    /// `Broken` for another life time; else those of finding credentials.
    pub async fn signed_url(&self, key: BlobKey, expires_in: Duration) -> PortResult<Url> {
        if expires_in < Duration::from_secs(1) || expires_in > MAX_LIFETIME {
            return Err(S3Error::Lifetime.broken());
        }
        let signed = self.bucket.store.signed_url(Method::GET, &self.bucket.path(key), expires_in).await;
        signed.map_err(|error| self.bucket.error(error))
    }
}

#[async_trait]
impl BlobStore for S3Blobs {
    async fn create(&self, key: BlobKey, size_hint: Option<u64>) -> PortResult<Box<dyn BlobWriter>> {
        if size_hint.is_some_and(|size| size > MAX_BLOB_BYTES) {
            return Err(PortError::full(PART, S3Error::TooLarge(MAX_BLOB_BYTES, MAX_PARTS)));
        }
        self.bucket.check_mark_lately().await?;
        Ok(Box::new(Writer::new(Arc::clone(&self.bucket), key, size_hint)))
    }

    async fn read(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        let len = match usize::try_from(range.len) {
            Ok(len) if range.len <= MAX_READ_BYTES => len,
            _ => return Err(S3Error::LongRead.broken()),
        };
        let Some(mut reader) = Reader::open(&self.bucket, self.bucket.path(key), range).await? else {
            return Ok(None);
        };
        let mut bytes = BytesMut::with_capacity(len);
        while let Some(piece) = reader.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes.freeze()))
    }

    async fn stream(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<ByteStream>> {
        let reader = Reader::open(&self.bucket, self.bucket.path(key), range).await?;
        Ok(reader.map(Reader::into_stream))
    }

    async fn size(&self, key: BlobKey) -> PortResult<Option<u64>> {
        Ok(self.bucket.head(&self.bucket.path(key)).await?.map(|head| head.size))
    }

    async fn delete(&self, key: BlobKey) -> PortResult<bool> {
        let path = self.bucket.path(key);
        let ((), found) = try_join(self.bucket.check_mark(), self.bucket.head(&path)).await?;
        if found.is_none() {
            return Ok(false);
        }
        self.bucket.remove(&path).await?;
        Ok(true)
    }

    async fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        self.bucket.check_mark().await?;
        let (limit, prefix) = (limit as usize, self.bucket.blobs());
        let after = after.map(|key| self.bucket.path(key).to_string());
        let (mut found, mut token) = (Vec::new(), None);
        while found.len() < limit {
            let wanted = (limit - found.len()).min(PAGE_KEYS);
            let (objects, next) = self.bucket.page(&prefix, after.clone(), token, wanted).await?;
            found.extend(objects.into_iter().filter_map(|object| {
                Some(StoredBlob {
                    key: self.bucket.key_at(object.location.as_ref())?,
                    size: object.size,
                    written_at: Timestamp::from_millis(object.last_modified.timestamp_millis()),
                })
            }));
            token = next;
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn sweep_temporary(&self, before: Timestamp) -> PortResult<u32> {
        self.bucket.check_mark().await?;
        self.bucket.sweep(before).await
    }

    async fn free_bytes(&self) -> PortResult<Option<u64>> {
        Ok(None)
    }

    async fn owner(&self) -> PortResult<Option<String>> {
        self.bucket.read_mark().await
    }

    async fn claim(&self, store_id: &str) -> PortResult<()> {
        self.bucket.claim(store_id).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.bucket.probe().await
    }
}
