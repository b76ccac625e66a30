//! How often somebody may guess passwords of links and addresses of people, or add files by a link.
//!
//! Guesses at a password are counted for the link together with the address that they come from, for the link, and for the address. Too many of the
//! second lock nobody out, since anybody could then close a link to everyone: they only make the first stricter. So do too many files by a link.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use common::auth::{RateDecision, RateLimiter, RateRule};
use common::{Clock, LinkId, PortError, PortResult, UserId};
use http_kit::customer_key;
use runtime::memory::MemoryRateLimiter;

use super::proven::Proven;

const fn rule(name: &'static str, burst: u32, seconds: u64) -> RateRule {
    RateRule { name, burst, refill: Duration::from_secs(seconds) }
}

/// Guesses at one link from one address.
const PAIR: RateRule = rule("link_password", 10, 60);
/// The same, once [`LINK`] is used up.
const GUARDED: RateRule = rule("link_password_guarded", 3, 300);
/// Wrong guesses at one link from anywhere.
const LINK: RateRule = rule("link_password_total", 50, 60);
/// Wrong guesses from one address at any link.
const ADDRESS: RateRule = rule("link_password_address", 60, 2);
/// People whom one person looks up in order to share with them.
const PEOPLE: RateRule = rule("share_people", 60, 2);

/// Uploads in pieces that are begun by one link from one address: so many that nobody who chooses a folder of pictures meets the end.
const LINK_UPLOADS: RateRule = rule("link_uploads", 300, 1);
/// Files that come by one link from one address, each in one request. How many pass at once is a setting.
const LINK_DROPS: RateRule = rule("link_drops", 1_000, 1);
/// The same, once [`LINK_DROPS_TOTAL`] is used up.
const LINK_DROPS_GUARDED: RateRule = rule("link_drops_guarded", 10, 60);
/// Files that come by one link from anywhere: as many as from [`DROPPERS`] addresses.
const LINK_DROPS_TOTAL: RateRule =
    RateRule { name: "link_drops_total", burst: 1_000 * DROPPERS, refill: Duration::from_millis(50) };
/// More addresses than guests who bring all their pictures at the same time, and far less than the 65,536 that one customer may have of IPv6.
const DROPPERS: u32 = 20;

/// Too many guesses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TooMany {
    /// When the next one passes.
    pub(crate) retry_after: Duration,
}

/// Applies the rules.
pub(crate) struct Guesses {
    shared: Arc<dyn RateLimiter>,
    /// Takes over while the shared one cannot be reached.
    own: Arc<dyn RateLimiter>,
    proven: Proven,
}

/// One guess at a link's password, which counts unless it was right.
pub(crate) struct Guess {
    pair: String,
    link: String,
    address: String,
}

impl Guess {
    fn of(link: LinkId, ip: Option<IpAddr>) -> Self {
        let address = customer_key(ip);
        Self { pair: format!("{link} {address}"), link: link.to_string(), address }
    }
}

type Judged = PortResult<Result<(), TooMany>>;

impl Guesses {
    pub(crate) fn new(shared: Arc<dyn RateLimiter>, clock: &Arc<dyn Clock>) -> Self {
        let own = Arc::new(MemoryRateLimiter::new(Arc::clone(clock)));
        Self { shared, own, proven: Proven::new(Arc::clone(clock)) }
    }

    /// Whether this password was right for this link and address a moment ago, by this process: then it is no guess. Where guesses are refused it is one like
    /// any other, so that whoever guesses from there finds it out no sooner.
    pub(crate) async fn was_right(
        &self,
        (link, hash): (LinkId, &str),
        ip: Option<IpAddr>,
        password: &str,
    ) -> PortResult<bool> {
        let guess = Guess::of(link, ip);
        if !self.proven.has(&guess.pair, hash, password)
            || self.peek(ADDRESS, &guess.address).await?.is_err()
            || self.peek(PAIR, &guess.pair).await?.is_err()
        {
            return Ok(false);
        }
        Ok(self.peek(LINK, &guess.link).await?.is_ok() || self.peek(GUARDED, &guess.pair).await?.is_ok())
    }

    /// Lets a guess through, or does not. It is counted before the password is looked at, so a volley of guesses gets no more than one after another.
    pub(crate) async fn begin(&self, link: LinkId, ip: Option<IpAddr>) -> PortResult<Result<Guess, TooMany>> {
        let guess = Guess::of(link, ip);
        if let Err(too_many) = self.peek(ADDRESS, &guess.address).await? {
            return Ok(Err(too_many));
        }
        if self.peek(LINK, &guess.link).await?.is_err()
            && let Err(too_many) = self.hit(GUARDED, &guess.pair).await?
        {
            return Ok(Err(too_many));
        }
        Ok(self.hit(PAIR, &guess.pair).await?.map(|()| guess))
    }

    /// The password was wrong.
    pub(crate) async fn failed(&self, guess: Guess) -> PortResult<()> {
        for (rule, key) in [(LINK, &guess.link), (ADDRESS, &guess.address)] {
            // that this was one too many is for the next one to hear
            let _judged = self.hit(rule, key).await?;
        }
        Ok(())
    }

    /// The password was right: what was guessed at this link from this address is forgotten.
    pub(crate) async fn succeeded(&self, guess: Guess, hash: &str, password: &str) -> PortResult<()> {
        self.proven.keep(&guess.pair, hash, password);
        for rule in [PAIR, GUARDED] {
            if let Err(error) = self.shared.reset(rule, &guess.pair).await {
                fell_back(&error);
            }
            self.own.reset(rule, &guess.pair).await?;
        }
        Ok(())
    }

    /// Counts that somebody looks up a person.
    pub(crate) async fn look_up(&self, user: UserId) -> Judged {
        self.hit(PEOPLE, &user.to_string()).await
    }

    /// Counts that an upload is begun by a link.
    pub(crate) async fn upload(&self, link: LinkId, ip: Option<IpAddr>) -> Judged {
        self.hit(LINK_UPLOADS, &format!("{link} {}", customer_key(ip))).await
    }

    /// Counts that a file comes by a link in one request, of which so many pass at once.
    pub(crate) async fn drop_file(&self, link: LinkId, ip: Option<IpAddr>, burst: u32) -> Judged {
        let (pair, link) = (format!("{link} {}", customer_key(ip)), link.to_string());
        let total = RateRule { burst: burst.saturating_mul(DROPPERS), ..LINK_DROPS_TOTAL };
        if self.peek(total, &link).await?.is_err()
            && let Err(too_many) = self.hit(LINK_DROPS_GUARDED, &pair).await?
        {
            return Ok(Err(too_many));
        }
        let judged = self.hit(RateRule { burst, ..LINK_DROPS }, &pair).await?;
        if judged.is_ok() {
            // that this was one too many is for the next one to hear
            let _judged = self.hit(total, &link).await?;
        }
        Ok(judged)
    }

    async fn peek(&self, rule: RateRule, key: &str) -> Judged {
        let decision = match self.shared.peek(rule, key).await {
            Ok(decision) => decision,
            Err(error) => {
                fell_back(&error);
                self.own.peek(rule, key).await?
            }
        };
        Ok(judge(decision))
    }

    async fn hit(&self, rule: RateRule, key: &str) -> Judged {
        let decision = match self.shared.hit(rule, key).await {
            Ok(decision) => decision,
            Err(error) => {
                fell_back(&error);
                self.own.hit(rule, key).await?
            }
        };
        Ok(judge(decision))
    }
}

fn judge(decision: RateDecision) -> Result<(), TooMany> {
    match decision {
        RateDecision::Allowed { .. } => Ok(()),
        RateDecision::Limited { retry_after } => {
            metrics::counter!("fm_files_guesses_refused_total").increment(1);
            Err(TooMany { retry_after })
        }
    }
}

fn fell_back(error: &PortError) {
    tracing::debug!(%error, "limiting guesses in this process alone");
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use testkit::TestClock;

    use super::*;

    #[tokio::test]
    async fn a_customer_with_many_addresses_does_not_bring_by_each_what_one_may() {
        const AT_ONCE: u32 = 30;
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let guesses = Guesses::new(Arc::new(MemoryRateLimiter::new(Arc::clone(&clock))), &clock);
        let (link, other) = (LinkId::from_bytes([1; 12]), LinkId::from_bytes([2; 12]));
        let bring = async |link: LinkId, number: u16| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 1);
            let mut brought = 0;
            while guesses.drop_file(link, Some(address.into()), AT_ONCE).await.unwrap().is_ok() {
                brought += 1;
            }
            brought
        };
        for number in 0..20 {
            assert_eq!(bring(link, number).await, 30, "{number}");
        }
        // nobody is locked out
        for number in 20..30 {
            assert_eq!(bring(link, number).await, 10, "{number}");
        }
        assert_eq!(bring(other, 20).await, 30);
    }
}
