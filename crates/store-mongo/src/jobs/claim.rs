//! Claims.

use std::collections::HashMap;

use common::jobs::{ClaimRequest, Claimed, Claims, LeaseHolder, PageBytes};
use common::{Causes, PortError, Timestamp};
use futures_util::future::{join_all, try_join, try_join_all};

use super::astray::Claim;
use super::doc::{JobDoc, seen};
use super::lines::{self, Line};
use super::schema::JOBS;
use super::settings::{Places, Rules};
use super::{JobsDb, turns};
use crate::engine::{Astray, Attempt, Engine, Fault};
use crate::value::{id, int};
use mongodb::bson::doc;

/// Jobs that are taken at once: each is a change of its own document, and waits for the majority.
const AT_ONCE: usize = 16;

/// A job, and the attempt that brought it: known when the job is handed over.
type Taken<'a> = (Claimed, Attempt<'a, Claim>);

pub(super) async fn claim(db: &JobsDb, request: &ClaimRequest, now: Timestamp) -> Result<Claims, Fault> {
    let mut taken = Vec::new();
    let again_at = match gather(db, request, now, &mut taken).await {
        Ok(again_at) => again_at,
        // what is there is worked; what failed is asked again soon
        Err(fault) if !taken.is_empty() => {
            let cause = PortError::from(fault);
            tracing::warn!(cause = %Causes(&cause), jobs = taken.len(), "a claim was interrupted");
            None
        }
        Err(fault) => return Err(fault),
    };
    let jobs = taken.into_iter().map(|(claimed, attempt)| {
        attempt.settle();
        claimed
    });
    Ok(Claims { jobs: jobs.collect(), again_at })
}

/// Takes jobs as long as there are any and room for them; when a rate limit lets more through.
async fn gather<'a>(
    db: &'a JobsDb,
    request: &ClaimRequest,
    now: Timestamp,
    jobs: &mut Vec<Taken<'a>>,
) -> Result<Option<Timestamp>, Fault> {
    let JobsDb { engine, served, .. } = db;
    let max = request.max as usize;
    if max == 0 || request.types.is_empty() {
        return Ok(None);
    }
    let (mut active, mut rules) =
        try_join(lines::active(engine, &request.types), Rules::read(engine, &request.types, now)).await?;
    let mut in_all = PageBytes::default();
    while jobs.len() < max && !rules.open.is_empty() && !in_all.is_full() {
        let next = lines::next(engine, served, &rules.open, &active, max - jobs.len()).await?;
        if next.is_empty() {
            break;
        }
        let mut places = HashMap::new();
        let taken = match admit(engine, &mut rules, next, now, &mut places).await {
            Ok(next) => {
                take_from(db, request, now, &next, (&mut places, &mut active, &mut in_all), jobs).await
            }
            Err(fault) => Err(fault),
        };
        // also where something failed: places of a window are for everybody
        for (kind, places) in places.iter().filter(|(_, places)| places.count > 0) {
            rules.give_back(engine, kind, places).await?;
        }
        taken?;
    }
    rules.again_at(engine).await
}

/// Takes the first jobs of these lines, up to the first line that is not as it was seen. Places that were used are taken out of `places`.
async fn take_from<'a>(
    db: &'a JobsDb,
    request: &ClaimRequest,
    now: Timestamp,
    next: &[Line],
    (places, active, in_all): (&mut HashMap<String, Places>, &mut lines::Active, &mut PageBytes),
    jobs: &mut Vec<Taken<'a>>,
) -> Result<(), Fault> {
    let JobsDb { engine, astray, served, .. } = db;
    for part in next.chunks(AT_ONCE) {
        let firsts = try_join_all(part.iter().map(|line| first(engine, line))).await?;
        // a line whose first job was cancelled, removed or made more urgent stands too early: what comes after it may not be next
        let in_order = part.iter().zip(firsts).map_while(|(line, job)| Some((line, job?)));
        let in_order = in_order.take_while(|(line, job)| int(job.number) == line.head);
        let in_order: Vec<_> = in_order.take_while(|(_, job)| in_all.takes(job.bytes())).collect();
        let is_cut = in_order.len() < part.len();
        // one that fails must not lose what the others have taken
        let outcomes = join_all(
            in_order
                .into_iter()
                .map(async |(line, job)| (line, take(engine, astray, line, job, request, now).await)),
        );
        let (mut failed, mut were_served) = (None, Vec::new());
        for (line, outcome) in outcomes.await {
            match outcome {
                Ok(Some(taken)) => {
                    *active.entry((line.user, line.kind.clone())).or_default() += 1;
                    were_served.push(line.clone());
                    places.entry(line.kind.clone()).and_modify(|places| places.count -= 1);
                    jobs.push(taken);
                }
                Ok(None) => {}
                Err(fault) => {
                    // it may have been begun all the same
                    places.entry(line.kind.clone()).and_modify(|places| places.count -= 1);
                    failed = Some(fault);
                }
            }
        }
        if let Some(fault) = failed {
            return Err(fault);
        }
        let forward = try_join_all(part.iter().map(|line| line.clone().step_forward(engine)));
        try_join(forward, turns::serve(engine, served, were_served, now)).await?;
        if is_cut {
            break;
        }
    }
    Ok(())
}

/// Those of the lines that a job may be taken from; `places` are those that were taken for them, also where something fails.
async fn admit(
    engine: &Engine,
    rules: &mut Rules,
    lines: Vec<Line>,
    now: Timestamp,
    places: &mut HashMap<String, Places>,
) -> Result<Vec<Line>, Fault> {
    let mut wanted: HashMap<&str, usize> = HashMap::new();
    for line in lines.iter().filter(|line| rules.is_limited(&line.kind)) {
        *wanted.entry(&line.kind).or_default() += 1;
    }
    for (kind, wanted) in wanted {
        // none where the limit was lifted meanwhile
        if let Some(taken) = rules.take_places(engine, kind, wanted, now).await? {
            places.insert(kind.to_owned(), taken);
        }
    }
    let mut left: HashMap<String, usize> =
        places.iter().map(|(kind, places)| (kind.clone(), places.count)).collect();
    let admitted = lines.into_iter().filter(|line| match left.get_mut(&line.kind) {
        None => true,
        Some(0) => false,
        Some(places) => {
            *places -= 1;
            true
        }
    });
    Ok(admitted.collect())
}

/// The first job of a line, if there is one.
async fn first(engine: &Engine, line: &Line) -> Result<Option<JobDoc>, Fault> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    Ok(jobs.find_one(line.jobs()).sort(doc! { "number": 1 }).projection(seen()).await?)
}

/// Takes this first job of a line, or the one that is first by now: the change of its state, on the condition that it is as it was seen, is the claim.
async fn take<'a>(
    engine: &Engine,
    astray: &'a Astray<Claim>,
    line: &Line,
    mut job: JobDoc,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<Option<Taken<'a>>, Fault> {
    loop {
        let mut as_seen = line.jobs();
        as_seen.extend(doc! { "number": int(job.number), "generation": int(job.mark) });
        let lease_until = now + request.lease;
        let attempt = astray.attempt(Claim::new(id(job.id), &job.kind, lease_until));
        let change = job.begin(&request.worker, attempt.mark, lease_until, now);
        if engine.collection::<JobDoc>(JOBS).update_one(as_seen, change).await?.matched_count == 1 {
            let holder = LeaseHolder { job: id(job.id), mark: job.mark };
            return Ok(Some((Claimed { job: job.read()?, holder, lease_until }, attempt)));
        }
        attempt.settle();
        // another process was quicker
        match first(engine, line).await? {
            Some(next) => job = next,
            None => return Ok(None),
        }
    }
}
