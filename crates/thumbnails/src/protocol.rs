//! What parent and child say to each other: one request in the arguments, one reply on standard output.
//!
//! The picture is not part of it: its open file is the child's standard input, so that the parent copies
//! nothing. A reply is [`MAGIC`], the length of the head (32 bits, little endian), the head as JSON and the
//! bytes of the thumbnails one after another. The parent trusts nothing in it: a picture may have taken over the
//! child.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::facts::Facts;
use crate::format::OutputFormat;
use crate::limits::Limits;
use crate::render::{MAX_OUTPUT_BYTES, Made, Options, Thumbnail};

const MAGIC: &[u8; 8] = b"FMTHUMB1";

/// A head is some hundred bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Longest reply that the parent reads.
pub(crate) const MAX_REPLY_BYTES: usize = MAGIC.len() + 4 + MAX_HEAD_BYTES + MAX_OUTPUT_BYTES;

/// The child's second argument, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Process id of the parent, whose death the child must not survive.
    pub(crate) parent: u32,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    facts: Facts,
    thumbnails: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    asked_width: u32,
    width: u32,
    height: u32,
    format: OutputFormat,
    bytes: usize,
}

/// Writes a result as a reply.
pub(crate) fn encode_reply(result: &Result<Made, Error>) -> serde_json::Result<Vec<u8>> {
    let head: Result<Head, &Error> = result.as_ref().map(|made| Head {
        facts: made.facts.clone(),
        thumbnails: made
            .thumbnails
            .iter()
            .map(|thumbnail| Entry {
                asked_width: thumbnail.asked_width,
                width: thumbnail.width,
                height: thumbnail.height,
                format: thumbnail.format,
                bytes: thumbnail.bytes.len(),
            })
            .collect(),
    });
    let head = serde_json::to_vec(&head)?;
    let mut reply = MAGIC.to_vec();
    reply.extend((head.len() as u32).to_le_bytes());
    reply.extend(head);
    for thumbnail in result.iter().flat_map(|made| &made.thumbnails) {
        reply.extend(&thumbnail.bytes);
    }
    Ok(reply)
}

/// Reads a whole reply; nothing if it is not exactly one.
pub(crate) fn decode_reply(reply: &[u8]) -> Option<Result<Made, Error>> {
    let rest = reply.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_HEAD_BYTES {
        return None;
    }
    let (head, mut rest) = rest.split_at_checked(length)?;
    let made = match serde_json::from_slice::<Result<Head, Error>>(head).ok()? {
        Err(error) => Err(error.sanitized()),
        Ok(head) => {
            let mut thumbnails = Vec::with_capacity(head.thumbnails.len());
            for entry in head.thumbnails {
                let bytes;
                (bytes, rest) = rest.split_at_checked(entry.bytes)?;
                thumbnails.push(Thumbnail {
                    asked_width: entry.asked_width,
                    width: entry.width,
                    height: entry.height,
                    format: entry.format,
                    bytes: bytes.to_vec(),
                });
            }
            Ok(Made { facts: head.facts, thumbnails })
        }
    };
    rest.is_empty().then_some(made)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::SourceFormat;

    fn made() -> Made {
        let facts = Facts {
            format: SourceFormat::Gif,
            width: 3,
            height: 2,
            animated: true,
            taken_at: None,
            camera: None,
        };
        let thumbnail = |asked_width, bytes: &[u8]| Thumbnail {
            asked_width,
            width: 3,
            height: 2,
            format: OutputFormat::Gif,
            bytes: bytes.to_vec(),
        };
        Made { facts, thumbnails: vec![thumbnail(100, b"abc"), thumbnail(250, b"de")] }
    }

    #[test]
    fn replies_come_back() {
        for result in [Ok(made()), Err(Error::OutOfMemory), Err(Error::damaged("x"))] {
            let reply = encode_reply(&result).unwrap();
            assert_eq!(decode_reply(&reply), Some(result));
        }
    }

    #[test]
    fn what_is_cut_or_longer_is_no_reply() {
        let reply = encode_reply(&Ok(made())).unwrap();
        for end in 0..reply.len() {
            assert_eq!(decode_reply(&reply[..end]), None);
        }
        assert_eq!(decode_reply(&[reply.as_slice(), b"x"].concat()), None);
    }

    #[test]
    fn text_from_the_child_is_made_safe() {
        let result = Err(Error::Damaged { reason: "\u{1b}[2J\n".repeat(100) });
        let Some(Err(Error::Damaged { reason })) = decode_reply(&encode_reply(&result).unwrap()) else {
            panic!("no reply");
        };
        assert!(reason.chars().all(|c| !c.is_control()) && reason.len() <= 200);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_reply(&bytes);
            let _ = decode_reply(&[MAGIC.as_slice(), &bytes].concat());
        }
    }
}
