//! Reading contents again and holding them against what was taken while they were uploaded. What is damaged is told and noted; nothing is deleted.

use common::digest::Hasher;
use common::files::internal::{Finding, StepDone};
use common::files::{BlobRange, BlobRecord};
use common::{BlobKey, Causes, Code, PortError, PortResult};
use futures_util::TryStreamExt as _;
use metrics::counter;

use super::budget::Budget;
use super::maintenance::percent_of;
use crate::error::AppError;
use crate::state::FileService;

/// Blobs of one look.
const BLOBS: u32 = 500;

/// What of a content is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// All of it.
    AtBytes,
    /// Whether it is there, and how long it is. Small ones, which stand in the metadata store, are read all the same.
    AtSizes,
}

/// How far a scrub has come: contents up to `after` are done, and perhaps a part of the next.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    after: Option<BlobKey>,
    /// The next one, and the state of its hash.
    part: Option<(BlobKey, String)>,
}

impl Place {
    /// Reads `<after>`, or `<after or nothing>/<key>/<state>`.
    fn parse(text: &str) -> Option<Self> {
        let key = |text: &str| BlobKey::parse(text).ok();
        match text.split('/').collect::<Vec<_>>()[..] {
            [after] => Some(Self { after: Some(key(after)?), part: None }),
            [after, part, state] => Some(Self {
                after: if after.is_empty() { None } else { Some(key(after)?) },
                part: Some((key(part)?, state.to_owned())),
            }),
            _ => None,
        }
    }

    fn cursor(&self) -> Option<String> {
        let after = self.after.map(|key| key.to_string());
        match &self.part {
            Some((key, state)) => Some(format!("{}/{key}/{state}", after.unwrap_or_default())),
            None => after,
        }
    }

    fn percent(&self) -> u8 {
        self.after.map_or(0, percent_of)
    }

    /// The hash of a content, as far as an earlier step read it. A state that cannot be read is one of another version: then it begins anew.
    fn take_part(&mut self, key: BlobKey) -> Hasher {
        match self.part.take() {
            Some((part, state)) if part == key => Hasher::resume(&state).unwrap_or_default(),
            _ => Hasher::default(),
        }
    }
}

/// What came of reading a content.
enum Read {
    Good,
    Damaged(String),
    /// It is there, and as long as it should be.
    Unread,
    /// The step is over before it was read to its end.
    Part(Hasher),
}

/// Reads some contents, or a part of a large one.
///
/// # Errors
/// `unavailable`; `invalid_cursor`.
pub(super) async fn step(
    service: &FileService,
    cursor: Option<&str>,
    look: Look,
) -> Result<StepDone, AppError> {
    let mut place = match cursor {
        None => Place::default(),
        Some(text) => Place::parse(text)
            .ok_or_else(|| AppError::because(Code::InvalidCursor, "the cursor is no place of a scrub"))?,
    };
    // a foreign or unmounted disk damages nothing: its mark is missing
    service.blobs.ping().await?;
    let mut done = StepDone::default();
    let blobs = service.store.list_blobs(place.after, BLOBS).await?;
    let mut budget = Budget::begin(&*service.clock);
    let mut is_last = blobs.len() < BLOBS as usize;
    let mut blobs = blobs.into_iter().peekable();
    while let Some(blob) = blobs.next() {
        let key = blob.info.key;
        match read(service, &blob, place.take_part(key), look, &mut budget).await? {
            Read::Good => done.changed += u64::from(note_good(service, &blob).await?),
            Read::Damaged(problem) => note_damaged(service, &blob, problem, &mut done).await?,
            Read::Unread => {}
            Read::Part(hasher) => {
                place.part = Some((key, hasher.state()));
                is_last = false;
                break;
            }
        }
        place.after = Some(key);
        if budget.is_spent() && blobs.peek().is_some() {
            is_last = false;
            break;
        }
    }
    counter!("fm_blobs_scrubbed_bytes_total").increment(budget.read_bytes);
    done.read_bytes = budget.read_bytes;
    done.done = is_last;
    done.percent = Some(if is_last { 100 } else { place.percent() });
    done.cursor = place.cursor().filter(|_| !is_last);
    Ok(done)
}

/// Reads a content on from where `hasher` is.
async fn read(
    service: &FileService,
    blob: &BlobRecord,
    hasher: Hasher,
    look: Look,
    budget: &mut Budget<'_>,
) -> PortResult<Read> {
    let read = if blob.info.inline {
        read_inline(service, blob, budget).await
    } else {
        read_stored(service, blob, hasher, look, budget).await
    };
    match read {
        // the bytes are there and cannot be read: a bad sector, or the end of a file that was cut
        Err(PortError::Broken { source, .. }) => Ok(Read::Damaged(format!("it cannot be read: {source}"))),
        result => result,
    }
}

async fn read_inline(service: &FileService, blob: &BlobRecord, budget: &mut Budget<'_>) -> PortResult<Read> {
    let Some(bytes) = service.store.read_inline(blob.info.key).await? else { return Ok(missing()) };
    budget.read_bytes += bytes.len() as u64;
    let mut hasher = Hasher::default();
    hasher.update(&bytes);
    Ok(compare(blob, hasher))
}

async fn read_stored(
    service: &FileService,
    blob: &BlobRecord,
    mut hasher: Hasher,
    look: Look,
    budget: &mut Budget<'_>,
) -> PortResult<Read> {
    let (key, size) = (blob.info.key, blob.info.size);
    match service.blobs.size(key).await? {
        None => return Ok(missing()),
        Some(found) if found != size => return Ok(wrong_size(size, found)),
        Some(_) if look == Look::AtSizes => return Ok(Read::Unread),
        Some(_) => {}
    }
    if hasher.size_bytes() > size {
        hasher = Hasher::default();
    }
    let rest = BlobRange { start: hasher.size_bytes(), len: size - hasher.size_bytes() };
    let Some(mut stream) = service.blobs.stream(key, rest).await? else { return Ok(missing()) };
    while let Some(piece) = stream.try_next().await? {
        hasher.update(&piece);
        budget.read_bytes += piece.len() as u64;
        if budget.is_spent() && hasher.size_bytes() < size {
            return Ok(Read::Part(hasher));
        }
    }
    Ok(compare(blob, hasher))
}

fn missing() -> Read {
    Read::Damaged("it is missing".to_owned())
}

fn wrong_size(expected: u64, found: u64) -> Read {
    Read::Damaged(format!("it has {found} bytes instead of {expected}"))
}

fn compare(blob: &BlobRecord, hasher: Hasher) -> Read {
    let (size, sha256, crc32) = hasher.finish();
    if size != blob.info.size {
        wrong_size(blob.info.size, size)
    } else if sha256 != blob.info.sha256 {
        Read::Damaged("its bytes have changed".to_owned())
    } else if crc32 != blob.crc32 {
        Read::Damaged("its bytes are right, but not the checksum for archives".to_owned())
    } else {
        Read::Good
    }
}

/// Takes the mark of an earlier scrub away, if there is one.
async fn note_good(service: &FileService, blob: &BlobRecord) -> PortResult<bool> {
    if blob.damaged_at.is_none() {
        return Ok(false);
    }
    tracing::info!(blob = %blob.info.key, "a damaged content is good again");
    service.store.mark_damaged(blob.info.key, None).await
}

async fn note_damaged(
    service: &FileService,
    blob: &BlobRecord,
    problem: String,
    done: &mut StepDone,
) -> PortResult<()> {
    let key = blob.info.key;
    // it may have been collected since it was listed, or the disk been unmounted
    if service.store.find_blob(key).await?.is_none() {
        return Ok(());
    }
    service.blobs.ping().await?;
    let files = service.store.files_of_blob(key, Finding::MAX_FILES).await?;
    counter!("fm_blobs_damaged_total").increment(1);
    tracing::error!(blob = %key, problem, files = ?files, "a content is damaged");
    match service.store.mark_damaged(key, Some(service.clock.now())).await {
        Ok(marked) => done.changed += u64::from(marked),
        // it is told all the same
        Err(error) => tracing::warn!(blob = %key, cause = %Causes(&error), "cannot mark a damaged content"),
    }
    done.findings.push(Finding::DamagedBlob { blob: key, problem, files });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let (first, second) = (BlobKey::from_bytes([1; 16]), BlobKey::from_bytes([200; 16]));
        let state = Hasher::default().state();
        for place in [
            Place { after: Some(first), part: None },
            Place { after: Some(first), part: Some((second, state.clone())) },
            Place { after: None, part: Some((second, state)) },
        ] {
            assert_eq!(Place::parse(&place.cursor().unwrap()), Some(place));
        }
        for wrong in ["", "x", "/", "//", "/x/00"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Place { after: Some(second), part: None }.percent(), 78);
    }
}
