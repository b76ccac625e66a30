//! Reads BSON (bsonspec.org, 1.1) as `mongodump` writes it: documents one after another. Only what the original project stores is given; values of other
//! types are checked and passed over. A reader of its own, since the crate of the driver is large and all that is wanted here is five types.

use std::io::{self, Read};

use common::ObjectId;

/// Longest document of the server, with the room that it leaves for itself.
const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024 + 16 * 1024;

/// A value at the top of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Id(ObjectId),
    Bool(bool),
    Number(f64),
    Null,
    /// Of a type that says nothing here.
    Other,
}

/// The values at the top of a document, by their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document(Vec<(String, Value)>);

impl Document {
    /// The value with this name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A document whose bytes do not follow the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid BSON: {0}")]
pub(super) struct Malformed(&'static str);

/// The bytes of the next document; none at the end.
///
/// # Errors
/// The file ends within a document, or a length makes no sense: nothing after it can be trusted.
pub(super) fn next_document(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if !fill(from, &mut length)? {
        return Ok(None);
    }
    let bytes = usize::try_from(i32::from_le_bytes(length))
        .ok()
        .filter(|bytes| (5..=MAX_DOCUMENT_BYTES).contains(bytes))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a document has an impossible length"))?;
    let mut document = Vec::new();
    document.extend_from_slice(&length);
    // grows with what really comes, whatever the length says
    let read = from.take(bytes as u64 - 4).read_to_end(&mut document)?;
    if read == bytes - 4 {
        Ok(Some(document))
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends within a document"))
    }
}

/// Reads all of `buffer`; false if there was nothing at all.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends within a document")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// The values at the top of a document.
///
/// # Errors
/// [`Malformed`].
pub(super) fn parse(document: &[u8]) -> Result<Document, Malformed> {
    let mut rest = Rest(document);
    let length = rest.length()?;
    if length != document.len() {
        return Err(Malformed("a length is wrong"));
    }
    let mut values = Vec::new();
    loop {
        let kind = rest.byte()?;
        if kind == 0 {
            break;
        }
        let name = rest.c_string()?.to_owned();
        values.push((name, rest.value(kind)?));
    }
    if rest.0.is_empty() { Ok(Document(values)) } else { Err(Malformed("bytes are left over")) }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Malformed("a value ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many bytes were taken"))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| Malformed("a length is negative"))
    }

    fn c_string(&mut self) -> Result<&'a str, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed("a name has no end"))?;
        let text = self.take(end)?;
        self.byte()?;
        std::str::from_utf8(text).map_err(|_| Malformed("a name is not UTF-8"))
    }

    /// A string with its length before it and a NUL behind it, which the length counts.
    fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        match self.take(length)?.split_last() {
            Some((0, text)) => Ok(text),
            _ => Err(Malformed("a text has no end")),
        }
    }

    /// A document or array, whose length counts itself.
    fn skip_document(&mut self) -> Result<(), Malformed> {
        let length = self.length()?;
        let inner = length.checked_sub(4).ok_or(Malformed("a length is too small"))?;
        match self.take(inner)?.last() {
            Some(0) => Ok(()),
            _ => Err(Malformed("a document has no end")),
        }
    }

    fn value(&mut self, kind: u8) -> Result<Value, Malformed> {
        Ok(match kind {
            0x01 => Value::Number(f64::from_le_bytes(self.array()?)),
            0x02 => {
                let text =
                    std::str::from_utf8(self.string()?).map_err(|_| Malformed("a text is not UTF-8"))?;
                Value::Text(text.to_owned())
            }
            0x07 => Value::Id(ObjectId::from_bytes(self.array()?)),
            0x08 => match self.byte()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(Malformed("a boolean is neither true nor false")),
            },
            0x06 | 0x0A => Value::Null,
            0x10 => Value::Number(f64::from(i32::from_le_bytes(self.array()?))),
            // it is only held against 0
            0x12 => Value::Number(i64::from_le_bytes(self.array()?) as f64),
            _ => {
                self.skip(kind)?;
                Value::Other
            }
        })
    }

    fn skip(&mut self, kind: u8) -> Result<(), Malformed> {
        match kind {
            // document, array
            0x03 | 0x04 => self.skip_document(),
            // binary: its length, its kind, its bytes
            0x05 => self.length().and_then(|length| self.take(length + 1)).map(drop),
            // time, timestamp
            0x09 | 0x11 => self.take(8).map(drop),
            // regular expression: pattern, options
            0x0B => self.c_string().and_then(|_| self.c_string()).map(drop),
            // pointer into another collection
            0x0C => self.string().and_then(|_| self.take(12)).map(drop),
            // code, symbol
            0x0D | 0x0E => self.string().map(drop),
            // code with its scope, whose length counts itself
            0x0F => {
                let length = self.length()?;
                let inner = length.checked_sub(4).ok_or(Malformed("a length is too small"))?;
                self.take(inner).map(drop)
            }
            // decimal
            0x13 => self.take(16).map(drop),
            // lowest and highest of all keys
            0xFF | 0x7F => Ok(()),
            _ => Err(Malformed("a value has an unknown type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(elements: &[u8]) -> Vec<u8> {
        let length = u32::try_from(elements.len() + 5).unwrap();
        [&length.to_le_bytes()[..], elements, &[0]].concat()
    }

    /// An element of each type of the specification.
    fn everything() -> Vec<u8> {
        let inner = document(b"\x10i\0\x01\0\0\0");
        let mut all = Vec::new();
        all.extend(b"\x07_id\0ABCDEFGHIJKL");
        all.extend(b"\x02text\0\x03\0\0\0\xc3\xa4\0");
        all.extend(b"\x01double\0\0\0\0\0\0\0\xf0\x3f");
        all.extend([&b"\x03doc\0"[..], &inner[..], b"\x04arr\0", &inner[..]].concat());
        all.extend(b"\x05bin\0\x03\0\0\0\x80abc\x05none\0\0\0\0\0\0");
        all.extend(b"\x06undefined\0\x08yes\0\x01\x08no\0\0\x09time\0\0\0\0\0\0\0\0\0\x0Anull\0");
        all.extend(b"\x0Bregex\0a.*\0i\0\x0Cpointer\0\x02\0\0\0a\0ABCDEFGHIJKL");
        all.extend(b"\x0Dcode\0\x02\0\0\0x\0\x0Esymbol\0\x02\0\0\0x\0");
        let scoped = [&b"\x02\0\0\0x\0"[..], &inner[..]].concat();
        let length = u32::try_from(scoped.len() + 4).unwrap();
        all.extend([&b"\x0Fscoped\0"[..], &length.to_le_bytes()[..], &scoped[..]].concat());
        all.extend(b"\x10int\0\xff\xff\xff\xff\x11stamp\0\0\0\0\0\0\0\0\0\x12long\0\x07\0\0\0\0\0\0\0");
        all.extend([&b"\x13decimal\0"[..], &[0; 16], b"\xFFlow\0\x7Fhigh\0\x02last\0\x01\0\0\0\0"].concat());
        document(&all)
    }

    #[test]
    fn every_type_is_read_or_passed_over() {
        let all = parse(&everything()).unwrap();
        let get = |name: &str| all.get(name).unwrap().clone();
        assert_eq!(get("_id"), Value::Id(ObjectId::from_bytes(*b"ABCDEFGHIJKL")));
        assert_eq!(
            (get("double"), get("int"), get("long")),
            (Value::Number(1.0), Value::Number(-1.0), Value::Number(7.0))
        );
        assert_eq!((get("yes"), get("no")), (Value::Bool(true), Value::Bool(false)));
        assert_eq!((get("null"), get("undefined")), (Value::Null, Value::Null));
        for other in [
            "doc", "arr", "bin", "none", "time", "regex", "pointer", "code", "symbol", "scoped", "stamp",
            "decimal", "low", "high",
        ] {
            assert_eq!(get(other), Value::Other, "{other}");
        }
        assert_eq!(get("text"), Value::Text("ä".to_owned()));
        assert_eq!(get("last"), Value::Text(String::new()));
        assert_eq!(all.get("absent"), None);
    }

    #[test]
    fn a_cut_or_changed_document_never_panics_and_is_never_read_beyond_its_end() {
        let whole = everything();
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                let _ = parse(&damaged);
            }
        }
        for wrong in [
            document(b"\x02a\0\0\0\0\0"),
            document(b"\x02a\0\x02\0\0\0xx"),
            document(b"\x02a\0\xff\xff\xff\xffx\0"),
            document(b"\x02a\0\x02\0\0\0\xff\0"),
            document(b"\x08a\0\x02"),
            document(b"\x99a\0"),
            document(b"\x03a\0\x01\0\0\0"),
            [document(b""), vec![0]].concat(),
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn documents_are_read_one_after_another_and_a_cut_file_is_an_error() {
        let two = [document(b""), document(b"\x0An\0")].concat();
        let mut file = &two[..];
        assert_eq!(next_document(&mut file).unwrap(), Some(document(b"")));
        assert_eq!(next_document(&mut file).unwrap(), Some(document(b"\x0An\0")));
        assert_eq!(next_document(&mut file).unwrap(), None);
        for end in 6..two.len() {
            let mut cut = &two[..end];
            next_document(&mut cut).unwrap();
            assert!(next_document(&mut cut).is_err(), "cut at {end}");
        }
        for wrong in [[4_u8, 0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff, 0], [0xff, 0xff, 0xff, 0x7f, 0]] {
            assert!(next_document(&mut &wrong[..]).is_err());
        }
    }
}
