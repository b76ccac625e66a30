use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Ready, ready};

use common::allowance::{Allowance, UNNOTICED, scope};

use super::*;
use crate::circuit::{FAILURES, OPEN};

fn peers(names: &[&str]) -> Peers<String> {
    Peers::new("files", names.iter().map(|name| ((*name).to_owned(), (*name).into())))
}

type Tried = Result<Reply<()>, NoReply>;

async fn reply(status: StatusCode) -> Tried {
    Ok(Reply { status, content: () })
}

async fn hang() -> Tried {
    std::future::pending().await
}

const SHARE: Duration = Duration::from_secs(1);

/// Five seconds, of which one address has one if there is another.
fn later() -> Wait {
    Patience { deadline: Duration::from_secs(5), elsewhere_after: Some(SHARE) }.begin()
}

/// One address has all the time.
fn patient() -> Wait {
    Wait { elsewhere_after: None, ..later() }
}

/// Opens the circuit to `a`.
async fn fail_at_a(peers: &Peers<String>) {
    let mut failed = 0;
    while failed < FAILURES {
        let answer = peers
            .call(later(), |base| reply(if base == "a" { StatusCode::BAD_GATEWAY } else { StatusCode::OK }));
        failed += u32::from(answer.await.unwrap().status == StatusCode::BAD_GATEWAY);
    }
}

async fn asked(peers: &Peers<String>, calls: u32) -> BTreeMap<String, u32> {
    let asked = RefCell::new(BTreeMap::new());
    for _ in 0..calls {
        let count = |base: &String| {
            *asked.borrow_mut().entry(base.clone()).or_default() += 1;
            reply(StatusCode::OK)
        };
        peers.call(later(), count).await.unwrap();
    }
    asked.into_inner()
}

fn times(expected: &[(&str, u32)]) -> BTreeMap<String, u32> {
    expected.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_take_turns_over_those_that_work() {
    let peers = peers(&["a", "b", "c"]);
    assert_eq!(asked(&peers, 30).await, times(&[("a", 10), ("b", 10), ("c", 10)]));
    fail_at_a(&peers).await;
    assert_eq!(asked(&peers, 30).await, times(&[("b", 15), ("c", 15)]));
    tokio::time::advance(OPEN.0).await;
    assert_eq!(asked(&peers, 30).await, times(&[("a", 10), ("b", 10), ("c", 10)]), "the probe worked");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_fails_no_call() {
    let peers = peers(&["a", "b"]);
    fail_at_a(&peers).await;
    let hangs_at_a = |base: &String| {
        let is_a = base == "a";
        async move { if is_a { hang().await } else { reply(StatusCode::OK).await } }
    };
    for _ in 0..20 {
        tokio::time::advance(OPEN.1).await;
        let begun = Instant::now();
        peers.call(later(), hangs_at_a).await.unwrap();
        assert!(begun.elapsed() <= PROBE_DEADLINE);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_alone_is_waited_for_and_then_left_alone() {
    let peers = peers(&["a"]);
    for _ in 0..FAILURES {
        let begun = Instant::now();
        assert!(peers.call(later(), |_| hang()).await.is_err());
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }
    let refused = peers.call(later(), |_| -> Ready<Tried> { panic!("it was asked") });
    assert!(refused.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_does_not_cost_calls_their_whole_time_while_another_works() {
    let peers = peers(&["hangs", "works"]);
    let attempt = |base: &String| {
        let hangs = base == "hangs";
        async move { if hangs { hang().await } else { reply(StatusCode::OK).await } }
    };
    let mut slow = 0;
    for _ in 0..4 * FAILURES {
        let begun = Instant::now();
        assert_eq!(peers.call(later(), attempt).await.unwrap().status, StatusCode::OK);
        assert!(begun.elapsed() <= SHARE);
        slow += u32::from(begun.elapsed() == SHARE);
    }
    assert!((FAILURES..2 * FAILURES).contains(&slow), "it is left alone after that: {slow}");
}

#[tokio::test(start_paused = true)]
async fn what_had_better_not_be_made_twice_is_not_asked_for_elsewhere() {
    let peers = peers(&["a", "b"]);
    let times = RefCell::new(0);
    let slow = |_: &String| {
        *times.borrow_mut() += 1;
        async {
            sleep(3 * SHARE).await;
            reply(StatusCode::OK).await
        }
    };
    peers.call(patient(), slow).await.unwrap();
    assert_eq!(times.take(), 1);
    // nor is one cut short for another that keeps failing
    fail_at_a(&peers).await;
    tokio::time::advance(OPEN.1).await;
    for _ in 0..2 {
        peers
            .call(later(), |base| {
                let is_a = base == "a";
                let answer = slow(base);
                async move { if is_a { hang().await } else { answer.await } }
            })
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_waited_before_waits_for_what_is_left_and_blames_nobody_for_little() {
    let peers = peers(&["a"]);
    let allowance = Allowance::new(Duration::from_secs(4));
    let begun = Instant::now();
    let calls = async {
        for _ in 0..4 * FAILURES {
            assert!(peers.call(later(), |_| hang()).await.is_err());
        }
    };
    scope(Some(allowance), calls).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(4) + 4 * FAILURES * UNNOTICED);
    assert_eq!(asked(&peers, 1).await, times(&[("a", 1)]), "only the first call says that it hangs");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_says_what_it_misses_is_not_left_alone() {
    let peers = peers(&["a", "b"]);
    for _ in 0..4 * FAILURES {
        let answer = peers.call(later(), |_| reply(StatusCode::SERVICE_UNAVAILABLE)).await;
        assert_eq!(answer.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(asked(&peers, 10).await, times(&[("a", 5), ("b", 5)]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_is_not_asked_for_again() {
    let peers = peers(&["a", "b"]);
    let times = RefCell::new(0);
    let answer = peers.call(later(), |_| {
        *times.borrow_mut() += 1;
        ready(Tried::Err(NoReply::Unusable(PortError::broken("files", "too large"))))
    });
    assert!(matches!(answer.await, Err(PortError::Broken { .. })));
    assert_eq!(times.into_inner(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_starting_fails_no_call_and_is_left_alone_meanwhile() {
    let peers = peers(&["starts", "works"]);
    let asked = RefCell::new(0);
    let attempt = |base: &String| {
        let starts = base == "starts";
        *asked.borrow_mut() += u32::from(starts);
        ready(if starts { Err(NoReply::Starting) } else { Ok(Reply { status: StatusCode::OK, content: () }) })
    };
    for _ in 0..4 * FAILURES {
        assert_eq!(peers.call(later(), attempt).await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(asked.into_inner(), FAILURES);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_an_address_outlives_changes_of_others() {
    let peers = peers(&["a", "b"]);
    fail_at_a(&peers).await;
    let made = RefCell::new(Vec::new());
    let make = |name: &&'static str| {
        made.borrow_mut().push(*name);
        Ok::<_, std::convert::Infallible>(((*name).to_owned(), (*name).into()))
    };
    peers.replace(&["c", "a"], |at, name| at == name, make).unwrap();
    assert_eq!(made.into_inner(), ["c"]);
    assert_eq!(asked(&peers, 10).await, times(&[("c", 10)]), "a is still left alone, b is gone");
    tokio::time::advance(OPEN.0).await;
    assert_eq!(asked(&peers, 10).await, times(&[("a", 5), ("c", 5)]));
}
