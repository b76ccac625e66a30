//! Claims.

use std::sync::LazyLock;

use common::Timestamp;
use common::jobs::{ClaimRequest, Claimed, Claims, JobEventKind, LeaseHolder, PageBytes};
use rusqlite::OptionalExtension as _;

use super::job::{COLUMN_COUNT, COLUMNS, bytes, job};
use super::moves::{Moves, Place};
use super::turns::Line;
use super::types::{self, Allowance};
use crate::engine::{Tx, damaged};
use crate::row::RowExt as _;

/// A mark of [`LeaseHolder::MARKS`], drawn by lot. The column has its name from when it counted the claims.
const MARK: &str = "1 + (random() & ((1 << 62) - 1))";

static BEGIN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE jobs SET state = 1, attempts_made = attempts_made + 1, generation = {MARK}, progress = 0,
                         lease_until = ?2, ttl_until = ?3 + ttl_ms, started_at = ?3, updated_at = ?3, worker = ?4
         WHERE number = ?1 AND state = 0 RETURNING {COLUMNS}, generation"
    )
});

pub(super) fn claim(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<Claims> {
    if types::all_paused(tx)? {
        return Ok(Claims::default());
    }
    let mut allowance = Allowance::of(tx, &request.types, now)?;
    moves.write_active()?;
    let mut line = Line::of(tx, request.types.iter().filter(|kind| allowance.lets(kind)), request.max)?;
    let (mut claimed, mut in_all) = (Vec::new(), PageBytes::default());
    while claimed.len() < request.max as usize && !in_all.is_full() {
        let Some(head) = line.first(|kind| allowance.lets(kind)) else { break };
        let lease_until = now + request.lease;
        let (job, mark) = tx
            .prepare_cached(&BEGIN)?
            .query_row((head, lease_until.millis(), now.millis(), &request.worker), |row| {
                in_all.takes(bytes(row)?);
                Ok((job(row)?, row.count(COLUMN_COUNT)?))
            })
            .optional()?
            .ok_or_else(|| damaged("the first in line is not ready"))?;
        let place = Place::of(&job);
        moves.begin(&place);
        allowance.count(&place.kind);
        moves.tell(&place, JobEventKind::Start, None, now)?;
        let holder = LeaseHolder { job: job.spec.id, mark };
        claimed.push(Claimed { job, holder, lease_until });
        line.serve(tx, (request.max as usize).saturating_sub(claimed.len()), now)?;
    }
    line.finish(tx)?;
    Ok(Claims { jobs: claimed, again_at: allowance.finish(tx)? })
}
