//! j: how long a refused sign-in takes for accounts that there are, and for those that there are not: nobody shall learn from it which is which.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Sizes;
use crate::contestants::{Contestants, OURS, sign_up, start_ours_with};
use crate::http::{Connection, head};
use crate::report::{Report, percentile};

/// Accounts that there are.
const ACCOUNTS: usize = 8;

/// At the cost that people are told to use, and at the least one, where the hash hides nothing else: cost, and attempts of each kind in a round.
const COSTS: [(u32, usize); 2] = [(12, 40), (4, 1_000)];

/// Each attempt comes from an address of its own, else they would soon be refused unread.
const SETTINGS: &[(&str, &str)] = &[("FM_TRUSTED_PROXIES", "127.0.0.1"), ("FM_REGISTRATION", "open")];

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    for (cost, attempts) in COSTS {
        let folder = contestants.scratch.path().join(format!("sign-in-times-{cost}"));
        let server = start_ours_with(&contestants.program, &folder, cost, SETTINGS).await?;
        for n in 0..ACCOUNTS {
            sign_up(server.address, &known(n)).await?;
        }
        let workload = format!("j times of refused sign-ins, bcrypt cost {cost}");
        let mut connection = Connection::open(server.address).await?;
        let mut number = 0;
        for _ in 0..sizes.rounds {
            let (mut there, mut not_there) = (Vec::new(), Vec::new());
            for n in 0..attempts {
                // by turns, and each of them first as often as the other
                let both = if n % 2 == 0 { [true, false] } else { [false, true] };
                for is_there in both {
                    number += 1;
                    let email = if is_there { known(n) } else { format!("nobody-{number}@example.org") };
                    let millis = refused(&mut connection, number, &email).await?;
                    let times = if is_there { &mut there } else { &mut not_there };
                    times.push(millis);
                }
            }
            for (kind, millis) in [("an account that there is", &there), ("none", &not_there)] {
                for (name, share) in [("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
                    report.add(&workload, &format!("ms {name}, {kind}"), OURS, percentile(millis, share));
                }
            }
            report.add(
                &workload,
                "largest distance of the two distributions",
                OURS,
                distance(&there, &not_there),
            );
            // the two-sided test of Kolmogorov and Smirnov at 5 %, for two samples of one size
            let chance = 1.36 * (2.0 / attempts as f64).sqrt();
            report.add(&workload, "the same, as chance alone exceeds in 1 of 20", OURS, chance);
        }
    }
    Ok(())
}

fn known(n: usize) -> String {
    format!("somebody-{}@example.org", n % ACCOUNTS)
}

/// Milliseconds until a wrong password is refused.
async fn refused(connection: &mut Connection, number: usize, email: &str) -> Result<f64> {
    let body = json!({"email": email, "password": "not the password"}).to_string();
    let address = format!("10.{}.{}.{}", (number >> 16) & 255, (number >> 8) & 255, number & 255);
    let fields = [("Content-Type", "application/json"), ("X-Forwarded-For", &*address)];
    let request = head("POST", "/api/v1/auth/login", &fields, Some(body.len() as u64));
    let answer = connection.send(&request, body.as_bytes(), true).await?;
    let said = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 401, "{email}: {} {said}", answer.status);
    Ok(answer.took.as_secs_f64() * 1000.0)
}

/// Between the shares of both that are below any time: 0 if they are alike, 1 if they lie apart.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let below = |all: &[f64], limit: f64| {
        all.iter().filter(|millis| **millis <= limit).count() as f64 / all.len() as f64
    };
    let limits = one.iter().chain(other);
    limits.map(|limit| (below(one, *limit) - below(other, *limit)).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_that_lie_apart_have_the_distance_one() {
        assert!((distance(&[1.0, 2.0], &[3.0, 4.0]) - 1.0).abs() < 1e-9);
        assert!(distance(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]).abs() < 1e-9);
        assert!((distance(&[1.0, 2.0, 3.0, 4.0], &[2.0, 3.0, 4.0, 5.0]) - 0.25).abs() < 1e-9);
    }
}
