//! WAV: chunks, the format before the samples. RF64 has its lengths in a chunk of its own (EBU Tech 3306).

use crate::window::Window;
use crate::{Error, Facts, Source, le32, le64, milliseconds};

pub(crate) async fn read<S: Source>(window: &mut Window<'_, S>) -> Result<Facts, Error<S::Error>> {
    let (mut at, mut bytes_per_second, mut long) = (12, None, None);
    loop {
        let head = window.bytes_or_less(at, 8).await?;
        let Some(len) = le32(&head, 4) else { return Err(Error::Damaged("its samples are missing")) };
        let content = at + 8;
        match &head[..4] {
            b"fmt " => {
                let format = window.bytes(content, 16).await?;
                bytes_per_second = le32(&format, 8);
            }
            b"ds64" => long = le64(&window.bytes(content, 16).await?, 8),
            b"data" => {
                let rest = window.size().saturating_sub(content);
                let len = match (len, long) {
                    (u32::MAX, Some(long)) => long,
                    // written by a program that could not go back
                    (0 | u32::MAX, None) => rest,
                    (len, _) => len.into(),
                };
                let per_second = bytes_per_second.ok_or(Error::Damaged("its format is missing"))?;
                let duration_ms = milliseconds(len.min(rest), per_second.into());
                return match duration_ms {
                    Some(_) => Ok(Facts { duration_ms, ..Facts::default() }),
                    None => Err(Error::Damaged("its format is damaged")),
                };
            }
            _ => {}
        }
        at = content + u64::from(len) + u64::from(len % 2);
    }
}
