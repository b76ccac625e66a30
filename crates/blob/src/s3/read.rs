//! Reading a part of a blob, which goes on where a broken connection left it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use common::files::{BlobRange, ByteStream};
use common::{PortResult, allowance};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use metrics::counter;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore as _};

use super::bucket::Bucket;
use super::error::{S3Error, is_absent, refused};

/// How often a stream that broke is taken up again without having brought anything in between.
const RESUMPTIONS: u32 = 2;

type Body = BoxStream<'static, object_store::Result<Bytes>>;

/// What is left to read of a part.
pub(super) struct Reader {
    bucket: Arc<Bucket>,
    path: Path,
    left: Range<u64>,
    e_tag: Option<String>,
    body: Body,
    /// Resumptions since the last byte.
    resumed: u32,
}

impl Reader {
    /// None if there is no such blob.
    ///
    /// # Errors
    /// `Broken` if the blob is shorter than the range says.
    pub(super) async fn open(bucket: &Arc<Bucket>, path: Path, range: BlobRange) -> PortResult<Option<Self>> {
        let end = range.start.checked_add(range.len).filter(|end| i64::try_from(*end).is_ok());
        let Some(end) = end.filter(|_| range.len > 0) else {
            // no request can ask for this range, but the size tells
            let Some(head) = bucket.head(&path).await? else {
                return Ok(None);
            };
            if range.len > 0 || head.size < range.start {
                return Err(S3Error::Short.broken());
            }
            return Ok(Some(Self::new(bucket, path, 0..0, None, stream::empty().boxed())));
        };
        let left = range.start..end;
        let options = GetOptions { range: Some(GetRange::Bounded(left.clone())), ..GetOptions::default() };
        match bucket.store.get_opts(&path, options).await {
            Ok(found) if found.range == left => {
                let e_tag = found.meta.e_tag.clone();
                Ok(Some(Self::new(bucket, path, left, e_tag, found.into_stream())))
            }
            Ok(_) => Err(S3Error::Short.broken()),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) if refused(&error).is_some_and(|refused| refused.status == 416) => {
                Err(S3Error::Short.broken())
            }
            Err(error) => Err(bucket.error(error)),
        }
    }

    fn new(bucket: &Arc<Bucket>, path: Path, left: Range<u64>, e_tag: Option<String>, body: Body) -> Self {
        Self { bucket: Arc::clone(bucket), path, left, e_tag, body, resumed: 0 }
    }

    /// The next piece, as it came from the network. None when all is read.
    pub(super) async fn next(&mut self) -> PortResult<Option<Bytes>> {
        while !self.left.is_empty() {
            let failure = match allowance::wait(self.bucket.request_timeout, self.body.next()).await {
                Ok(Some(Ok(piece))) if piece.is_empty() => continue,
                Ok(Some(Ok(piece))) => {
                    let len = piece.len() as u64;
                    if len > self.left.end - self.left.start {
                        return Err(S3Error::Changed.broken());
                    }
                    self.left.start += len;
                    self.resumed = 0;
                    counter!("fm_blobs_read_bytes_total").increment(len);
                    return Ok(Some(piece));
                }
                Ok(Some(Err(error))) => self.bucket.error(error),
                Ok(None) => S3Error::Changed.broken(),
                Err(late) => self.bucket.timed_out(late.given),
            };
            if self.resumed == RESUMPTIONS {
                return Err(failure);
            }
            self.resumed += 1;
            self.resume().await?;
        }
        Ok(None)
    }

    /// Asks for the rest, of the same object.
    async fn resume(&mut self) -> PortResult<()> {
        // the connection that broke is given up first
        self.body = stream::empty().boxed();
        let options = GetOptions {
            range: Some(GetRange::Bounded(self.left.clone())),
            if_match: self.e_tag.clone(),
            ..GetOptions::default()
        };
        match self.bucket.store.get_opts(&self.path, options).await {
            // a server that does not know conditions sends another object just so
            Ok(found) if found.range == self.left && found.meta.e_tag == self.e_tag => {
                self.body = found.into_stream();
                Ok(())
            }
            Ok(_) => Err(S3Error::Changed.broken()),
            Err(error)
                if is_absent(&error)
                    || refused(&error).is_some_and(|refused| matches!(refused.status, 412 | 416)) =>
            {
                Err(S3Error::Changed.broken())
            }
            Err(error) => Err(self.bucket.error(error)),
        }
    }

    /// The pieces, read when they are asked for.
    pub(super) fn into_stream(self) -> ByteStream {
        Box::pin(stream::try_unfold(self, |mut reader| async move {
            Ok(reader.next().await?.map(|piece| (piece, reader)))
        }))
    }
}
