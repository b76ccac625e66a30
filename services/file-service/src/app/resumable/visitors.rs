//! How many uploads the visitors of a link may have.

use common::files::Uploader;
use common::{BlobKey, Code, LinkId, Sha256};
use http_kit::cursor;

use crate::error::AppError;
use crate::state::FileService;

/// Bytes of a mark.
const MARK: usize = 4;
/// Where in the key it stands: behind the first bytes, by which stores part contents into folders.
const PLACE: std::ops::Range<usize> = 4..4 + MARK;

/// Whoever begins uploads by a link, as far as its visitors are told apart: by where they are.
///
/// The key of the content that an upload gets, which no client is told, has a mark of that, and 96 random bits around it. What the mark is made of only
/// whoever has the product's key could find out.
pub(super) struct Visitor {
    link: LinkId,
    mark: [u8; MARK],
}

impl Visitor {
    /// None for an account.
    pub(super) fn of(service: &FileService, uploader: Uploader, address: Option<&str>) -> Option<Self> {
        let Uploader::Link(link) = uploader else { return None };
        let place = (link.to_string(), address.unwrap_or_default());
        let signed = cursor::sign(&service.link_key, "visitor", &place);
        let mut mark = [0; MARK];
        mark.copy_from_slice(&Sha256::of(signed.as_bytes()).0[..MARK]);
        Some(Self { link, mark })
    }

    fn began(&self, key: BlobKey) -> bool {
        key.bytes()[PLACE] == self.mark
    }
}

/// A key for the content of an upload.
pub(super) fn fresh_key(service: &FileService, visitor: Option<&Visitor>) -> BlobKey {
    let key = service.ids.blob_key();
    let Some(visitor) = visitor else { return key };
    let mut bytes = *key.bytes();
    bytes[PLACE].copy_from_slice(&visitor.mark);
    BlobKey::from_bytes(bytes)
}

/// Whether so many more uploads may come by a link, and from where they come. Of those that begin at the same time all may be refused, and never too many pass.
///
/// # Errors
/// `too_many`.
pub(super) async fn check_number(
    service: &FileService,
    visitor: Option<&Visitor>,
    more: u64,
) -> Result<(), AppError> {
    let Some(visitor) = visitor else { return Ok(()) };
    let of = Uploader::Link(visitor.link);
    let (most, from_one) =
        (service.settings.most_uploads_by_link, service.settings.most_uploads_by_link_from_one);
    let all = service.uploads.store.count_uploads(of).await?.saturating_add(more);
    if all > most {
        return Err(AppError::because(Code::TooMany, "There are too many unfinished uploads by this link"));
    }
    if all <= from_one {
        return Ok(());
    }
    let limit = u32::try_from(most).unwrap_or(u32::MAX);
    let unfinished = service.uploads.store.list_uploads(of, None, limit).await?;
    let own = unfinished.iter().filter(|upload| visitor.began(upload.blob.key)).count() as u64;
    if own.saturating_add(more) > from_one {
        let why = "There are too many unfinished uploads by this link from where you are";
        return Err(AppError::because(Code::TooMany, why));
    }
    Ok(())
}
