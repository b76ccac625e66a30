//! Which revision a node has if nothing but undoing has changed it since.

use std::collections::{HashMap, HashSet};

use common::PortResult;
use common::files::{Node, Part};
use common::{FileId, OperationId};

use crate::state::FileService;

/// The revisions that nodes have after the parts that were undone until now, the last part first.
#[derive(Default)]
pub(super) struct Revisions {
    /// Of each node: the one from before the part that was undone last, and what it is since.
    now: HashMap<FileId, (u64, u64)>,
    /// Of parts that were undone earlier, by their numbers: the revision that this left.
    left: HashMap<u32, u64>,
}

impl Revisions {
    /// For an operation with these parts, the last one first, some of which may have been undone when others were refused.
    pub(super) async fn of(service: &FileService, parts: &[Part]) -> PortResult<Self> {
        let undoings: HashSet<OperationId> = parts.iter().filter_map(|part| part.undone_by).collect();
        let mut left = HashMap::new();
        for undoing in undoings {
            let mut undone: HashMap<FileId, Vec<&Part>> = HashMap::new();
            for part in parts.iter().rev().filter(|part| part.undone_by == Some(undoing)) {
                undone.entry(part.node).or_default().push(part);
            }
            // it made a part of each part that it has undone, those of one node in this order
            for made in service.journal.list_parts(undoing).await? {
                if let Some(part) = undone.get_mut(&made.node).and_then(Vec::pop) {
                    left.insert(part.number, made.change.after);
                }
            }
        }
        Ok(Self { now: HashMap::new(), left })
    }

    /// The revision that the node of a part has if nothing but this operation, and undoing it, has changed it.
    pub(super) fn expected(&self, part: &Part) -> u64 {
        match self.now.get(&part.node) {
            Some((before, now)) if *before == part.change.after => *now,
            _ => part.change.after,
        }
    }

    /// A part was undone now.
    pub(super) fn undone(&mut self, part: &Part, node: &Node) {
        self.keep(part, node.revision);
    }

    /// A part is passed over that was undone earlier.
    pub(super) fn passed(&mut self, part: &Part) {
        if let Some(left) = self.left.get(&part.number) {
            self.keep(part, *left);
        }
    }

    fn keep(&mut self, part: &Part, now: u64) {
        // a star is no part of the node
        if part.change.before != part.change.after {
            self.now.insert(part.node, (part.change.before, now));
        }
    }
}
