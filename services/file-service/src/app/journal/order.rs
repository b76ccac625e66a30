//! In which order the parts of an operation are undone that are all of one kind.

use std::collections::HashMap;

use common::files::{Act, NodeName, NodePath, Part};
use common::{FileId, PortResult};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::undo::AT_ONCE;
use crate::state::FileService;

/// Groups of these parts, by their places in the list, that can be undone at once: what a part must wait for is in a group before its own. Each node is that
/// of one part. The first part is to be undone first, as far as parts have to do with each other.
pub(super) async fn waves(service: &FileService, parts: &[Part]) -> Vec<Vec<usize>> {
    let one_after_another = || (0..parts.len()).map(|part| vec![part]).collect();
    let stands_alone = |part: &Part| matches!(part.change.undo, Act::Tag(_) | Act::Star(_) | Act::Unstar(_));
    if parts.len() == 1 {
        return one_after_another();
    }
    if parts.iter().all(stands_alone) {
        return vec![(0..parts.len()).collect()];
    }
    match stances(service, parts).await {
        Ok(stances) => in_waves(&predecessors(&stances)),
        Err(error) => {
            tracing::debug!(%error, "cannot see what has to do with what: parts are undone one after another");
            one_after_another()
        }
    }
}

/// A name in a folder.
type Place = (FileId, NodeName);

/// What undoing a part touches besides its node.
struct Stance {
    node: FileId,
    /// Where the node is.
    at: Option<Place>,
    /// Where it comes to be; none where it takes a free name.
    target: Option<Place>,
    /// The folders that have to be in their places first, or to stay in them until then.
    way: Vec<FileId>,
}

async fn stances(service: &FileService, parts: &[Part]) -> PortResult<Vec<Stance>> {
    let look_ups = parts.iter().map(|part| stance(service, part.node, part.change.undo.clone()));
    let look_ups: Vec<_> = look_ups.collect();
    stream::iter(look_ups).buffered(AT_ONCE).try_collect().await
}

async fn stance(service: &FileService, node: FileId, undo: Act) -> PortResult<Stance> {
    let path = service.store.find_path(node).await?;
    let at = path.as_ref().and_then(|path| Some((path.node.parent?, path.node.name.clone())));
    let above = |path: Option<NodePath>| -> Vec<FileId> {
        path.into_iter().flat_map(|path| path.ancestors).map(|crumb| crumb.id).collect()
    };
    let (target, way) = match undo {
        Act::Relocate { name, parent } => {
            let mut way = above(service.store.find_path(parent).await?);
            way.push(parent);
            (Some((parent, name)), way)
        }
        Act::Trash | Act::Restore => (None, above(path)),
        Act::Tag(_) | Act::Star(_) | Act::Unstar(_) => (None, Vec::new()),
    };
    Ok(Stance { node, at, target, way })
}

/// Of each part those that must be undone before it.
fn predecessors(stances: &[Stance]) -> Vec<Vec<usize>> {
    let mut before = vec![Vec::new(); stances.len()];
    let by_node: HashMap<FileId, usize> = (0..).zip(stances).map(|(part, of)| (of.node, part)).collect();
    let mut by_place: HashMap<&Place, usize> = HashMap::new();
    for (part, of) in stances.iter().enumerate() {
        for other in of.way.iter().filter_map(|folder| by_node.get(folder)) {
            if part != *other {
                before[part.max(*other)].push(part.min(*other));
            }
        }
        // of two that want the same name the first gets it
        let wanted = of.target.as_ref().or(of.at.as_ref());
        if let Some(first) = wanted.and_then(|place| by_place.insert(place, part)) {
            before[part].push(first);
        }
    }
    // whoever has the name that another one gets goes first, also if the changes were made in another order than they were asked for
    let holders: HashMap<&Place, usize> =
        (0..).zip(stances).filter_map(|(part, of)| Some((of.at.as_ref()?, part))).collect();
    for (part, of) in stances.iter().enumerate() {
        let holder = of.target.as_ref().and_then(|place| holders.get(place));
        if let Some(holder) = holder.filter(|holder| **holder != part) {
            before[part].push(*holder);
        }
    }
    before
}

fn in_waves(before: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut is_undone = vec![false; before.len()];
    let mut left: Vec<usize> = (0..before.len()).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let is_free = |part: &usize| before[*part].iter().all(|other| is_undone[*other]);
        let (mut wave, mut waiting): (Vec<_>, Vec<_>) = left.into_iter().partition(is_free);
        if wave.is_empty() {
            // they wait for one another: nothing is known that is better than their order
            wave.push(waiting.remove(0));
        }
        for part in &wave {
            is_undone[*part] = true;
        }
        waves.push(wave);
        left = waiting;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_after_and_a_circle_is_cut() {
        assert_eq!(in_waves(&[vec![], vec![0], vec![], vec![1, 2]]), [vec![0, 2], vec![1], vec![3]]);
        assert_eq!(in_waves(&[vec![2], vec![], vec![1]]), [vec![1], vec![2], vec![0]]);
        assert_eq!(in_waves(&[vec![1], vec![0], vec![]]), [vec![2], vec![0], vec![1]]);
    }
}
