//! FLAC: the first block of metadata says it all (RFC 9639, section 8.2).

use crate::window::Window;
use crate::{Error, Facts, Source, be32, be64, milliseconds};

pub(crate) async fn read<S: Source>(
    window: &mut Window<'_, S>,
    start: u64,
) -> Result<Facts, Error<S::Error>> {
    let head = window.bytes(start, 8 + 34).await?;
    if head[4] & 0x7F != 0 {
        return Err(Error::Damaged("its stream information is missing"));
    }
    let rate = sample_rate(&head[8..]).ok_or(Error::Damaged("its sample rate is missing"))?;
    let samples = be64(&head, 8 + 10).unwrap_or(0) & 0xF_FFFF_FFFF;
    // 0 is "unknown"
    let duration_ms = if samples == 0 { None } else { milliseconds(samples, rate) };
    Ok(Facts { duration_ms, ..Facts::default() })
}

/// Samples a second by the stream information; none if it says 0.
pub(crate) fn sample_rate(information: &[u8]) -> Option<u64> {
    Some(u64::from(be32(information, 10)? >> 12)).filter(|rate| *rate > 0)
}
