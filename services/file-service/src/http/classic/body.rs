//! The body of the classic upload: JSON with the content inside it, in base64.
//!
//! The order of fields forbids streaming, so a body is held whole. Its content is decoded where it stands, so there is no second copy.

use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};
use common::FileId;
use common::files::{ClassicType, NodeName};
use http_kit::{ClassicError, ClassicResult};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::base64::decode_in_place;

/// What an upload asks for, checked as far as that goes without the store.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: NodeName,
    pub(super) kind: ClassicType,
    pub(super) public: bool,
    pub(super) parent: AskedParent,
    /// The content; empty for a folder.
    pub(super) content: Bytes,
}

/// Where it shall go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedParent {
    Root,
    Node(FileId),
    /// What names nothing.
    Unknown,
}

/// Reads a body and checks it in the order of the contract, up to the parent. May take long: for a pool of threads where the body is large.
///
/// # Errors
/// 400 with the message of the first rule that is broken.
pub(super) fn read(body: Bytes) -> ClassicResult<Asked> {
    let (mut asked, data) = {
        // editors and Windows tools write a byte order mark
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
        let fields: Fields<'_> = if text.trim_ascii().is_empty() {
            Fields::default()
        } else {
            serde_json::from_slice(text).map_err(|_| ClassicError::bad_request("Invalid JSON"))?
        };
        let (asked, data) = check(fields)?;
        let data = match data {
            None => return Ok(asked),
            Some(Cow::Borrowed(data)) => {
                let start = data.as_ptr() as usize - body.as_ptr() as usize;
                Data::InBody { start, end: start + data.len() }
            }
            Some(Cow::Owned(data)) => Data::Apart(data),
        };
        (asked, data)
    };
    asked.content = match data {
        Data::InBody { start, end } => {
            let mut body = BytesMut::from(body);
            let len = decode_in_place(&mut body[start..end]);
            body.freeze().slice(start..start + len)
        }
        Data::Apart(text) => {
            let mut bytes = text.into_bytes();
            let len = decode_in_place(&mut bytes);
            bytes.truncate(len);
            bytes.into()
        }
    };
    if asked.content.is_empty() { Err(ClassicError::bad_request("Missing data")) } else { Ok(asked) }
}

/// Where the base64 text is: in the body as it came, or, when it had escapes, in a text of its own.
enum Data {
    InBody { start: usize, end: usize },
    Apart(String),
}

/// The checks, and the base64 text of a file. A folder has none: its `data` is not looked at.
fn check(fields: Fields<'_>) -> ClassicResult<(Asked, Option<Cow<'_, str>>)> {
    let refuse = |message: &'static str| Err(ClassicError::bad_request(message));
    let name = match fields.name {
        name if name.is_missing() => return refuse("Missing name"),
        Field::Text(name) => match NodeName::parse(&name) {
            Ok(name) => name,
            Err(_) => return refuse("Invalid name"),
        },
        _ => return refuse("Invalid name"),
    };
    let Some(kind) = (match &fields.kind {
        Field::Text(word) => ClassicType::parse(word),
        _ => None,
    }) else {
        return refuse("Missing type");
    };
    let data = match fields.data {
        _ if kind == ClassicType::Folder => None,
        data if data.is_missing() => return refuse("Missing data"),
        Field::Text(data) => Some(data),
        _ => return refuse("Invalid data"),
    };
    let public = match fields.is_public {
        Field::Absent | Field::Null => false,
        Field::Bool(public) => public,
        // a text such as "false" would be true in the original
        _ => return refuse("Invalid isPublic"),
    };
    let parent = match fields.parent_id {
        Field::Absent | Field::Null => AskedParent::Root,
        Field::Number(0.0) => AskedParent::Root,
        Field::Text(text) if text.is_empty() || text == "0" => AskedParent::Root,
        Field::Text(text) => FileId::parse(&text).map_or(AskedParent::Unknown, AskedParent::Node),
        _ => AskedParent::Unknown,
    };
    Ok((Asked { name, kind, public, parent, content: Bytes::new() }, data))
}

/// One field of the body: any JSON.
#[derive(Debug, Default)]
enum Field<'a> {
    #[default]
    Absent,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// An object or an array.
    Other,
}

impl Field<'_> {
    /// What the original, by `!value`, takes for missing.
    fn is_missing(&self) -> bool {
        match self {
            Self::Absent | Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(number) => *number == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Other => false,
        }
    }
}

#[derive(Debug, Default)]
struct Fields<'a> {
    name: Field<'a>,
    kind: Field<'a>,
    parent_id: Field<'a>,
    is_public: Field<'a>,
    data: Field<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    /// Reads an object of any fields. Of several with one name the last counts, as in JavaScript.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(Field::Text(key)) = map.next_key()? {
                    match &*key {
                        "name" => fields.name = map.next_value()?,
                        "type" => fields.kind = map.next_value()?,
                        "parentId" => fields.parent_id = map.next_value()?,
                        "isPublic" => fields.is_public = map.next_value()?,
                        "data" => fields.data = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = Field<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Field::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Field::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Field::Number(value as f64))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Field::Number(value as f64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Field::Number(value))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Field::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Field::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Field::Text(Cow::Owned(text)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Field::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Field::Other)
            }
        }

        deserializer.deserialize_any(FieldVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        match read(Bytes::copy_from_slice(body.as_bytes())) {
            Ok(_) => "fine".into(),
            Err(error) => {
                assert_eq!(error.status.as_u16(), 400);
                error.message.into_owned()
            }
        }
    }

    #[test]
    fn rules_are_checked_in_the_order_of_the_contract() {
        for (body, expected) in [
            ("", "Missing name"),
            (" ", "Missing name"),
            ("{}", "Missing name"),
            (r#"{"name":null,"type":"x"}"#, "Missing name"),
            (r#"{"name":"","type":"x"}"#, "Missing name"),
            (r#"{"name":0}"#, "Missing name"),
            (r#"{"name":false}"#, "Missing name"),
            (r#"{"name":{"$ne":null}}"#, "Invalid name"),
            (r#"{"name":["a"]}"#, "Invalid name"),
            (r#"{"name":7}"#, "Invalid name"),
            (r#"{"name":"a/b"}"#, "Invalid name"),
            (r#"{"name":"a\u0000"}"#, "Invalid name"),
            (r#"{"name":"a"}"#, "Missing type"),
            (r#"{"name":"a","type":null}"#, "Missing type"),
            (r#"{"name":"a","type":"nope"}"#, "Missing type"),
            (r#"{"name":"a","type":"File"}"#, "Missing type"),
            (r#"{"name":"a","type":["file"]}"#, "Missing type"),
            (r#"{"name":"a","type":"file"}"#, "Missing data"),
            (r#"{"name":"a","type":"image","data":null,"parentId":55}"#, "Missing data"),
            (r#"{"name":"a","type":"file","data":"","isPublic":3}"#, "Missing data"),
            (r#"{"name":"a","type":"file","data":"%%%%"}"#, "Missing data"),
            (r#"{"name":"a","type":"file","data":"A"}"#, "Missing data"),
            (r#"{"name":"a","type":"file","data":{"a":1}}"#, "Invalid data"),
            (r#"{"name":"a","type":"file","data":12}"#, "Invalid data"),
            (r#"{"name":"a","type":"file","data":"YQ==","isPublic":"true"}"#, "Invalid isPublic"),
            (r#"{"name":"a","type":"folder","isPublic":1}"#, "Invalid isPublic"),
            (r#"{"name":"a","type":"file","data":"YQ=="}"#, "fine"),
            (r#"{"name":"a","type":"folder","data":{"ignored":[1,{}]},"more":{"x":[[]]}}"#, "fine"),
            ("[]", "Invalid JSON"),
            ("\"a\"", "Invalid JSON"),
            ("null", "Invalid JSON"),
            ("{", "Invalid JSON"),
            (r#"{"name":"a",}"#, "Invalid JSON"),
            (r#"{"name":"a"} x"#, "Invalid JSON"),
            (r#"{"name":"\ud800"}"#, "Invalid JSON"),
        ] {
            assert_eq!(message(body), expected, "{body}");
        }
        assert_eq!(read(Bytes::from_static(b"{\"name\":\"\xff\"}")).unwrap_err().message, "Invalid JSON");
    }

    #[test]
    fn the_parent_is_the_root_in_many_ways() {
        let id = "5f1e8896c7ba06511e683b25";
        let named = AskedParent::Node(FileId::parse(id).unwrap());
        for (parent, expected) in [
            ("", AskedParent::Root),
            (r#","parentId":0"#, AskedParent::Root),
            (r#","parentId":0.0"#, AskedParent::Root),
            (r#","parentId":-0"#, AskedParent::Root),
            (r#","parentId":"0""#, AskedParent::Root),
            (r#","parentId":"""#, AskedParent::Root),
            (r#","parentId":null"#, AskedParent::Root),
            (&format!(r#","parentId":"{id}""#), named),
            (&format!(r#","parentId":7,"parentId":"{id}""#), named),
            (r#","parentId":55"#, AskedParent::Unknown),
            (r#","parentId":0.5"#, AskedParent::Unknown),
            (r#","parentId":"1""#, AskedParent::Unknown),
            (r#","parentId":"root""#, AskedParent::Unknown),
            (&format!(r#","parentId":"{id}0""#), AskedParent::Unknown),
            (r#","parentId":true"#, AskedParent::Unknown),
            (r#","parentId":{"$gt":""}"#, AskedParent::Unknown),
            (&format!(r#","parentId":["{id}"]"#), AskedParent::Unknown),
        ] {
            let body = format!(r#"{{"name":"a","type":"folder"{parent}}}"#);
            assert_eq!(read(body.clone().into()).unwrap().parent, expected, "{body}");
        }
    }

    #[test]
    fn content_is_decoded_where_it_stands_or_apart() {
        for data in [
            "SGVsbG8gV2Vic3RhY2shCg==",
            "SGVs bG8gV2Vic3RhY2shCg",
            r"SGVs\nbG8gV2Vic3RhY2shCg==\r\n",
            r"\u0053GVsbG8gV2Vic3RhY2shCg",
        ] {
            for (before, after) in [("", ""), ("\u{feff} ", "\n"), ("\n\t", " ")] {
                let body = format!(
                    r#"{before}{{"data":"{data}","name":"ü.txt","type":"image","isPublic":true,"x":"{data}"}}{after}"#
                );
                let asked = read(body.clone().into()).unwrap();
                assert_eq!(asked.content, "Hello Webstack!\n", "{body}");
                assert_eq!(
                    (asked.kind, asked.public, asked.name.as_str()),
                    (ClassicType::Image, true, "ü.txt")
                );
            }
        }
    }

    #[test]
    fn content_takes_no_second_copy() {
        let body = format!(r#"{{"name":"a","type":"file","data":"{}"}}"#, "QUJD".repeat(1000));
        let body = Bytes::from(body);
        let at = body.as_ptr();
        let asked = read(body).unwrap();
        assert_eq!(asked.content, "ABC".repeat(1000));
        assert_eq!(
            asked.content.as_ptr() as usize,
            at as usize + r#"{"name":"a","type":"file","data":""#.len()
        );
    }
}
