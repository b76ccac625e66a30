//! Conditions on a node's metadata: `If-None-Match` when it is read, `If-Match` when it is changed.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use common::Code;
use common::files::{Kind, Node, ShareRole};
use http_kit::conditions::{Current, ETag, Verdict, evaluate};

use crate::app::access::Sight;
use crate::error::AppError;

/// Stands between the tag of a node itself and what its representation says beside: how many children a folder has, whether it is shared, and how it
/// looks to the caller. It is in no other tag.
const COUNT_MARK: char = '.';

/// The strong tag of a node's representation. It says what the representation does and the node itself does not: how many children a folder
/// has, which come and go without it, who else may see it, and what the caller may.
pub(crate) fn entity_tag(node: &Node, sight: Sight) -> ETag {
    let mut beside = match node.kind {
        Kind::Folder => node.child_count.to_string(),
        Kind::File => String::new(),
    };
    let marks = [
        (node.shared, 's'),
        (node.linked, 'l'),
        (sight.starred, 'f'),
        (!sight.sees_parent, 't'),
        (sight.role == ShareRole::Viewer, 'v'),
        (sight.role == ShareRole::Editor, 'e'),
    ];
    beside.extend(marks.into_iter().filter_map(|(is_so, mark)| is_so.then_some(mark)));
    let own = own_tag(node);
    let text = if beside.is_empty() { own } else { format!("{own}{COUNT_MARK}{beside}") };
    ETag::strong(text).expect("a node's tag is hexadecimal digits, letters and a few marks")
}

fn own_tag(node: &Node) -> String {
    node.etag().trim_matches('"').to_owned()
}

/// What to do with a request that reads the node.
pub(crate) fn of_read(request: &HttpRequest, node: &Node, sight: Sight) -> Verdict {
    evaluate(
        request.headers(),
        request.method(),
        Some(Current { etag: &entity_tag(node, sight), modified_at: None }),
    )
}

/// The revision that the node must still have when a request changes it; none if the request does not mind. That other children came
/// into a folder, or went, is no change of the folder.
///
/// # Errors
/// `precondition_failed`.
pub(crate) fn of_change(request: &HttpRequest, node: &Node) -> Result<Option<u64>, AppError> {
    let names = [header::IF_MATCH, header::IF_NONE_MATCH];
    if !names.iter().any(|name| request.headers().contains_key(name)) {
        return Ok(None);
    }
    let etag = ETag::strong(own_tag(node)).expect("a node's tag is hexadecimal digits and letters");
    match evaluate(
        &without_counts(request.headers()),
        request.method(),
        Some(Current { etag: &etag, modified_at: None }),
    ) {
        Verdict::Proceed => Ok(Some(node.revision)),
        Verdict::NotModified | Verdict::PreconditionFailed => {
            Err(AppError::refused(Code::PreconditionFailed))
        }
    }
}

fn without_counts(headers: &HeaderMap) -> HeaderMap {
    let mut plain = HeaderMap::new();
    for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
        for value in headers.get_all(&name) {
            let Ok(text) = value.to_str() else {
                plain.append(name.clone(), value.clone());
                continue;
            };
            // every second part stands between quotes
            let parts =
                text.split('"').enumerate().map(|(at, part)| match (at % 2, part.split_once(COUNT_MARK)) {
                    (1, Some((own, _))) => own,
                    _ => part,
                });
            let text = parts.collect::<Vec<_>>().join("\"");
            plain.append(name.clone(), HeaderValue::from_str(&text).unwrap_or_else(|_| value.clone()));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::Method;
    use actix_web::test::TestRequest;
    use common::files::NodeName;
    use common::{FileId, SpaceId, Timestamp, UserId};

    fn folder(revision: u64, child_count: u64) -> Node {
        let at = Timestamp::from_millis(0);
        Node {
            id: FileId::from_bytes([1; 12]),
            space: SpaceId::from_bytes([2; 12]),
            owner: UserId::from_bytes([3; 12]),
            parent: Some(FileId::from_bytes([4; 12])),
            name: NodeName::parse("a").unwrap(),
            kind: Kind::Folder,
            created_at: at,
            modified_at: at,
            revision,
            content: None,
            public: None,
            trashed: None,
            classic_name: None,
            classic_type: None,
            child_count,
            shared: false,
            linked: false,
            starred: false,
            tags: Vec::new(),
        }
    }

    fn request(method: Method, name: &str, value: &str) -> HttpRequest {
        TestRequest::default().method(method).insert_header((name, value)).to_http_request()
    }

    #[test]
    fn readers_hear_of_new_children_and_changes_do_not_mind_them() {
        let (before, after) = (folder(7, 1), folder(7, 2));
        let tag = entity_tag(&before, Sight::OWNER).to_string();
        assert_eq!(
            of_read(&request(Method::GET, "if-none-match", &tag), &before, Sight::OWNER),
            Verdict::NotModified
        );
        assert_eq!(
            of_read(&request(Method::GET, "if-none-match", &tag), &after, Sight::OWNER),
            Verdict::Proceed
        );
        for value in [tag.clone(), format!("\"x.y\", {tag}"), "*".to_owned()] {
            assert_eq!(
                of_change(&request(Method::PATCH, "if-match", &value), &after).unwrap(),
                Some(7),
                "{value}"
            );
        }
        for value in [&tag, "\"x\"", "x.y", ""] {
            let changed = of_change(&request(Method::PATCH, "if-match", value), &folder(8, 1));
            assert_eq!(changed.unwrap_err().code(), Code::PreconditionFailed, "{value}");
        }
        assert_eq!(
            of_change(&TestRequest::default().method(Method::PATCH).to_http_request(), &after).unwrap(),
            None
        );
    }
}
