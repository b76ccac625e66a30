//! Where a search looks: what of which spaces, as far as one question can name it.

use std::collections::{HashMap, HashSet};

use common::files::MAX_DEPTH;
use common::files::search::SearchScope;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::Deserialize;

use super::super::{FilesDb, schema};
use crate::engine::Fault;
use crate::value::{ToOid as _, int, oids};

/// Folders that a question names; where there are more, it looks in all of the space.
pub(super) const MAX_FOLDERS: usize = 20_000;

/// Ids that one step of a walk through folders names.
const CHUNK: usize = 10_000;

/// Where to look by one question.
pub(super) struct Area {
    pub(super) spaces: Vec<ObjectId>,
    pub(super) extent: Extent,
}

/// What of the spaces.
pub(super) enum Extent {
    /// All but what lies in these folders.
    AllBut(Vec<ObjectId>),
    /// These nodes, and what lies in those of them that are folders; and the contents there, if they are few enough.
    Below(Vec<ObjectId>, Option<Vec<Binary>>),
}

impl Area {
    pub(super) fn of_space(&self) -> Bson {
        match &self.spaces[..] {
            [one] => (*one).into(),
            several => doc! { "$in": several }.into(),
        }
    }

    /// What a node there fulfils.
    pub(super) fn place(&self) -> Document {
        let mut place = doc! { "space": self.of_space(), "live": true };
        match &self.extent {
            Extent::AllBut(hidden) if hidden.is_empty() => {}
            Extent::AllBut(hidden) => _ = place.insert("parent", doc! { "$nin": hidden }),
            Extent::Below(nodes, _) => {
                place.insert("$or", [doc! { "parent": { "$in": nodes } }, doc! { "_id": { "$in": nodes } }]);
            }
        }
        place
    }
}

/// What was given of one space.
type Given = (ObjectId, Vec<ObjectId>);

/// It is more than one question names.
struct TooMuch;

#[derive(Deserialize)]
struct IdDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
}

impl FilesDb {
    /// Those of the nodes of spaces that are there, live, and have nothing above them that is in the trash or gone.
    async fn open(&self, scopes: &[SearchScope]) -> Result<Vec<Given>, Fault> {
        #[derive(Deserialize)]
        struct Step {
            #[serde(rename = "_id")]
            id: ObjectId,
            space: ObjectId,
            #[serde(default)]
            parent: Option<ObjectId>,
        }
        let roots = |scope: &SearchScope| scope.below.as_deref().map(oids).unwrap_or_default();
        let mut known: HashMap<ObjectId, (ObjectId, Option<ObjectId>)> = HashMap::new();
        let mut asked: HashSet<ObjectId> = scopes.iter().flat_map(roots).collect();
        let mut level: Vec<ObjectId> = asked.iter().copied().collect();
        while !level.is_empty() {
            let mut above = Vec::new();
            for chunk in level.chunks(CHUNK) {
                let mut steps = self
                    .collection::<Step>(schema::NODES)
                    .find(doc! { "_id": { "$in": chunk }, "live": true })
                    .projection(doc! { "space": 1, "parent": 1 })
                    .max_time(self.engine.deadline())
                    .await?;
                while let Some(step) = steps.try_next().await? {
                    above.extend(step.parent.filter(|parent| asked.insert(*parent)));
                    known.insert(step.id, (step.space, step.parent));
                }
            }
            level = above;
        }
        let is_open = |space: ObjectId, root: ObjectId| {
            let mut at = root;
            // the bound only keeps damaged data from running for ever
            for _ in 0..=2 * MAX_DEPTH {
                match known.get(&at) {
                    Some((of, parent)) if *of == space => match parent {
                        Some(parent) => at = *parent,
                        None => return true,
                    },
                    _ => return false,
                }
            }
            false
        };
        let given = scopes.iter().filter(|scope| scope.below.is_some()).map(|scope| {
            let space = scope.space.oid();
            (space, roots(scope).into_iter().filter(|root| is_open(space, *root)).collect::<Vec<_>>())
        });
        Ok(given.filter(|(_, roots)| !roots.is_empty()).collect())
    }

    /// These nodes, and the folders below them of which this is true.
    async fn with_folders_below(
        &self,
        roots: Vec<ObjectId>,
        which: Document,
    ) -> Result<Result<Vec<ObjectId>, TooMuch>, Fault> {
        let mut seen: HashSet<ObjectId> = roots.into_iter().collect();
        let mut level: Vec<ObjectId> = seen.iter().copied().collect();
        while !level.is_empty() && seen.len() <= MAX_FOLDERS {
            let mut below = Vec::new();
            for chunk in level.chunks(CHUNK) {
                let mut filter = doc! { "parent": { "$in": chunk }, "kind": 0, "deleted": false };
                filter.extend(which.clone());
                let mut folders = self
                    .collection::<IdDoc>(schema::NODES)
                    .find(filter)
                    .projection(doc! { "_id": 1 })
                    .limit(int(MAX_FOLDERS as u64 + 1))
                    .max_time(self.engine.deadline())
                    .await?;
                while let Some(folder) = folders.try_next().await? {
                    if seen.insert(folder.id) {
                        below.push(folder.id);
                    }
                }
            }
            level = below;
        }
        Ok(if seen.len() <= MAX_FOLDERS { Ok(seen.into_iter().collect()) } else { Err(TooMuch) })
    }

    /// All of a space, but for what lies below folders that are in the trash or gone; where those are too many, whoever looks the nodes up leaves it out.
    async fn whole(&self, space: ObjectId) -> Result<Area, Fault> {
        let hidden: Vec<IdDoc> = self
            .collection(schema::NODES)
            .find(doc! { "space": space, "kind": 0, "live": false })
            .projection(doc! { "_id": 1 })
            .limit(int(MAX_FOLDERS as u64 + 1))
            .max_time(self.engine.deadline())
            .await?
            .try_collect()
            .await?;
        let hidden = hidden.into_iter().map(|folder| folder.id).collect();
        let hidden = self.with_folders_below(hidden, Document::new()).await?;
        Ok(Area { spaces: vec![space], extent: Extent::AllBut(hidden.unwrap_or_default()) })
    }

    /// What was given of some spaces, if one question can name it.
    async fn below(&self, given: &[Given]) -> Result<Result<Area, TooMuch>, Fault> {
        #[derive(Deserialize)]
        struct Found {
            content: OfBlob,
        }
        #[derive(Deserialize)]
        struct OfBlob {
            blob: Binary,
        }
        let spaces = given.iter().map(|(space, _)| *space).collect();
        let roots = given.iter().flat_map(|(_, roots)| roots.iter().copied()).collect();
        let nodes = match self.with_folders_below(roots, doc! { "live": true }).await? {
            Ok(nodes) => nodes,
            Err(TooMuch) => return Ok(Err(TooMuch)),
        };
        let (mut blobs, mut more) = (Vec::new(), false);
        for (field, others) in
            [("parent", doc! { "has_content": true, "live": true }), ("_id", doc! { "has_content": true })]
        {
            let mut filter = others;
            filter.insert(field, doc! { "$in": &nodes });
            let found: Vec<Found> = self
                .collection(schema::NODES)
                .find(filter)
                .projection(doc! { "_id": 0, "content.blob": 1 })
                .limit(int(self.most_texts as u64 + 1))
                .max_time(self.engine.deadline())
                .await?
                .try_collect()
                .await?;
            more |= found.len() > self.most_texts;
            blobs.extend(found.into_iter().map(|found| found.content.blob));
        }
        blobs.sort_unstable_by(|a, b| a.bytes.cmp(&b.bytes));
        blobs.dedup();
        let blobs = if !more && blobs.len() <= self.most_texts {
            Some(blobs)
        } else if given.len() > 1 {
            return Ok(Err(TooMuch));
        } else {
            None
        };
        Ok(Ok(Area { spaces, extent: Extent::Below(nodes, blobs) }))
    }

    /// Where to look: whole spaces each by itself, so that what is in others takes nothing from them; what was given of others together, as far as that goes.
    pub(super) async fn areas(&self, scopes: &[SearchScope]) -> Result<Vec<Area>, Fault> {
        let mut areas = Vec::new();
        for scope in scopes.iter().filter(|scope| scope.below.is_none()) {
            areas.push(self.whole(scope.space.oid()).await?);
        }
        let given = self.open(scopes).await?;
        let mut parts = if given.is_empty() { Vec::new() } else { vec![&given[..]] };
        while let Some(part) = parts.pop() {
            match (self.below(part).await?, part) {
                (Ok(area), _) => areas.push(area),
                (Err(TooMuch), [(space, _)]) => areas.push(self.whole(*space).await?),
                (Err(TooMuch), several) => {
                    let (first, second) = several.split_at(several.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(areas)
    }
}
