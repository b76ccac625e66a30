//! Lists of children: in their four orders, and the classic one.

use common::files::{Kind, ListQuery, Node, Order, Page, Position, Sort, SortValue};
use common::{FileId, PortError, PortResult};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Hint;

use super::node::{self, NodeDoc};
use super::{FilesDb, path, schema};
use crate::engine::{Fault, TxResult};
use crate::value::{ToOid as _, int};

/// The index of a sort, and its fields between `kind` and `_id`.
const fn index(sort: Sort) -> (&'static str, &'static [&'static str]) {
    match sort {
        Sort::Name => (schema::BY_NAME, &["sort_key"]),
        Sort::Size => (schema::BY_SIZE, &["size"]),
        Sort::ModifiedAt => (schema::BY_TIME, &["modified_at"]),
        Sort::Type => (schema::BY_TYPE, &["mime", "sort_key"]),
    }
}

/// What comes after a position, as ranges of the index that follow one another. (One condition for all of them would read again, page by page, what
/// ties with the position.)
fn after(position: &Position, sort: Sort, order: Order) -> Result<Vec<Document>, Fault> {
    let (beyond, from) = match order {
        Order::Asc => ("$gt", "$gte"),
        Order::Desc => ("$lt", "$lte"),
    };
    let last = position.id.oid();
    let ties_then_beyond = |field: &str, value: Bson| {
        vec![doc! { field: value.clone(), "_id": { beyond: last } }, doc! { field: { beyond: value } }]
    };
    // names of one folder differ: at most the one that has taken the name since has the same key
    let from_name = |name: &str| {
        doc! {
            "sort_key": { from: name },
            "$or": [{ "sort_key": { beyond: name } }, { "_id": { beyond: last } }],
        }
    };
    match (sort, &position.value) {
        (Sort::Name, SortValue::Name(name)) => Ok(vec![from_name(name)]),
        (Sort::Size, SortValue::Size(size)) => Ok(ties_then_beyond("size", int(*size).into())),
        (Sort::ModifiedAt, SortValue::ModifiedAt(at)) => {
            Ok(ties_then_beyond("modified_at", at.millis().into()))
        }
        (Sort::Type, SortValue::Type(mime, name)) => {
            let mut of_type = doc! { "mime": mime };
            of_type.extend(from_name(name));
            Ok(vec![of_type, doc! { "mime": { beyond: mime } }])
        }
        _ => Err(Fault::Damaged("a position of another sort")),
    }
}

pub(super) async fn list(db: &FilesDb, parent: FileId, query: &ListQuery) -> PortResult<Page<Node>> {
    db.read(async {
        let groups: &[&[Kind]] = match (query.kind, query.folders_first) {
            (Some(Kind::Folder), _) => &[&[Kind::Folder]],
            (Some(Kind::File), _) => &[&[Kind::File]],
            (None, true) => &[&[Kind::Folder], &[Kind::File]],
            (None, false) => &[&[Kind::Folder, Kind::File]],
        };
        let list = List { db, parent: parent.oid(), query };
        // the way up says whether there is such a folder; asked at the same time, as there mostly is
        let (folder, (items, more)) = futures_util::try_join!(path::find_doc(db, parent), list.page(groups))?;
        let Some(folder) = folder else {
            return Ok(Page { items: Vec::new(), more: false, total: 0 });
        };
        let (folders, files) = folder.child_counts()?;
        let total = match query.kind {
            Some(Kind::Folder) => folders,
            Some(Kind::File) => files,
            None => folders + files,
        };
        Ok(Page { items, more, total })
    })
    .await
}

struct List<'a> {
    db: &'a FilesDb,
    parent: ObjectId,
    query: &'a ListQuery,
}

impl List<'_> {
    /// A page of ranges that follow one another.
    async fn page(&self, groups: &[&[Kind]]) -> TxResult<(Vec<Node>, bool), PortError> {
        let wanted = self.query.limit as usize + 1;
        let mut items = Vec::new();
        let mut offset = self.query.offset;
        for range in self.ranges(groups)? {
            let found = self.take(&range, offset, wanted - items.len()).await?;
            if found.is_empty() && offset > 0 {
                offset -= self.count(range, offset).await?;
                continue;
            }
            offset = 0;
            for doc in found {
                items.push(doc.node()?);
            }
            if items.len() == wanted {
                items.pop();
                return Ok((items, true));
            }
        }
        Ok((items, false))
    }

    /// Filters that give the whole list one after another.
    fn ranges(&self, groups: &[&[Kind]]) -> Result<Vec<Document>, Fault> {
        let mut ranges = Vec::new();
        for kinds in groups {
            let mut conditions = vec![Document::new()];
            if let Some(position) = &self.query.after {
                // a position lies in the range of its kind: those before are done, those after untouched
                if kinds.contains(&position.kind) {
                    conditions = after(position, self.query.sort, self.query.order)?;
                } else if kinds.iter().all(|of| *of < position.kind) {
                    continue;
                }
            }
            for condition in conditions {
                // two kinds are two ranges of the index, which the server merges in the order of the sort
                let kind: Bson = match kinds {
                    [kind] => node::kind_number(*kind).into(),
                    kinds => {
                        let kinds: Vec<i32> = kinds.iter().map(|kind| node::kind_number(*kind)).collect();
                        doc! { "$in": kinds }.into()
                    }
                };
                let mut range = doc! { "parent": self.parent, "live": true, "kind": kind };
                range.extend(condition);
                ranges.push(range);
            }
        }
        Ok(ranges)
    }

    async fn take(&self, range: &Document, skip: u64, limit: usize) -> Result<Vec<NodeDoc>, Fault> {
        let (index, fields) = index(self.query.sort);
        let direction = match self.query.order {
            Order::Asc => 1,
            Order::Desc => -1,
        };
        let sort: Document =
            fields.iter().chain(&["_id"]).map(|field| ((*field).to_owned(), direction.into())).collect();
        let found = self
            .db
            .nodes()
            .find(range.clone())
            .sort(sort)
            .skip(skip)
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .hint(Hint::Name(index.to_owned()))
            .max_time(self.db.engine.deadline())
            .await?;
        Ok(found.try_collect().await?)
    }

    /// How many there are, up to a limit.
    async fn count(&self, range: Document, limit: u64) -> Result<u64, Fault> {
        let hint = Hint::Name(index(self.query.sort).0.to_owned());
        Ok(self.db.nodes().count_documents(range).limit(limit).hint(hint).await?)
    }
}

/// The classic list.
pub(super) async fn list_by_id(
    db: &FilesDb,
    parent: FileId,
    offset: u64,
    limit: u32,
) -> PortResult<Vec<Node>> {
    db.read(async {
        let (folder, found) = futures_util::try_join!(path::find_doc(db, parent), async {
            let found = db
                .nodes()
                .find(doc! { "parent": parent.oid(), "live": true })
                .sort(doc! { "_id": -1 })
                .skip(offset)
                .limit(i64::from(limit))
                .max_time(db.engine.deadline())
                .await?;
            Ok(found.try_collect::<Vec<NodeDoc>>().await?)
        })?;
        match folder {
            Some(_) => Ok(found.into_iter().map(NodeDoc::node).collect::<Result<_, _>>()?),
            None => Ok(Vec::new()),
        }
    })
    .await
}
