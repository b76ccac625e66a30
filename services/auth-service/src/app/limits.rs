//! How often somebody may try: sign-ins, sign-ups, passwords, codes, mails.
//!
//! Failed sign-ins are counted for an account together with the address that they come from, for the account, and for the address.
//! The first is strict. The second never locks anybody out, since anybody could then lock out anyone: it only makes the first one
//! stricter, so the owner's next good password still passes, while many addresses get few guesses each. The third stops one address from
//! trying many accounts.

mod rules;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use common::auth::{AddressKey, RateDecision, RateLimiter, RateRule};
use common::{PortResult, SessionId, Sha256, UserId};
use http_kit::{customer_key, network_key};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use rules::LimitRules;

/// An attempt was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub(crate) struct Limited {
    /// The rule that refused it.
    pub(crate) rule: RateRule,
    /// When the next attempt passes.
    pub(crate) retry_after: Duration,
}

/// Why an attempt was not let through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Port(#[from] common::PortError),
}

/// Applies the rules.
pub(crate) struct Limits {
    shared: Arc<dyn RateLimiter>,
    /// Takes over while the shared one cannot be reached.
    own: Arc<dyn RateLimiter>,
    rules: LimitRules,
    lanes: Lanes,
    address_lanes: Lanes,
}

/// Sign-ins of one account from one address that may be under way at once in this process, and passwords that one account gives again. Failures of the
/// former are counted when they are known, so a volley of guesses can exceed the rule by so many, less one.
const LANE_WIDTH: usize = 4;
/// Sign-ins from one address that may be under way at once, whatever their accounts: less than what waits for threads that hash, so that one address never
/// fills that line and everybody else is refused.
const ADDRESS_LANE_WIDTH: usize = 16;
/// Accounts and addresses are spread over so many lanes; two that meet in one only wait for each other.
const LANES: usize = 256;

/// Where those wait who have much under way already.
struct Lanes(Box<[Semaphore]>);

impl Lanes {
    fn of_width(width: usize) -> Self {
        Self((0..LANES).map(|_| Semaphore::new(width)).collect())
    }

    async fn enter(&self, key: &str) -> SemaphorePermit<'_> {
        let lane = usize::from(Sha256::of(key.as_bytes()).0[0]) % LANES;
        self.0[lane].acquire().await.expect("lanes are never closed")
    }
}

/// A password that is given again, being looked at.
pub(crate) struct Proof<'a> {
    limits: &'a Limits,
    key: String,
    /// Whose failures are counted besides.
    account: Option<UserId>,
    _lane: SemaphorePermit<'a>,
}

impl Proof<'_> {
    /// It was right: what was counted is forgotten.
    pub(crate) async fn succeeded(self) -> PortResult<()> {
        self.limits.forget(self.limits.rules.proof, &self.key).await
    }

    /// It was wrong.
    pub(crate) async fn failed(self) -> PortResult<()> {
        match self.account {
            Some(user) => self.limits.count_fault(self.limits.rules.proof_account, &user.to_string()).await,
            None => Ok(()),
        }
    }
}

/// What a mail is asked for. Those of one kind keep nobody from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailKind {
    /// A code for a new password.
    Reset,
    /// A code that verifies an address.
    Verify,
    /// What comes of a registration.
    Register,
}

impl MailKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Register => "register",
        }
    }
}

/// How somebody tries to prove a second factor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FactorTry<'a> {
    /// By what an app shows: six digits, which can be guessed.
    App {
        /// The device, if the account was signed in to from it before.
        known_device: Option<&'a [u8; 32]>,
    },
    /// By a recovery code: 80 bits, which cannot.
    Recovery {
        /// Where it comes from.
        ip: Option<IpAddr>,
    },
}

/// A code of a second factor that was counted and is being looked at.
pub(crate) struct Counted<'a> {
    limits: &'a Limits,
    counted: Vec<(RateRule, String)>,
}

impl Counted<'_> {
    /// It was right: what was counted is forgotten.
    pub(crate) async fn succeeded(self) -> PortResult<()> {
        for (rule, key) in &self.counted {
            self.limits.forget(*rule, key).await?;
        }
        Ok(())
    }
}

/// One attempt to sign in, under way.
pub(crate) struct Attempt<'a> {
    limits: &'a Limits,
    /// What a failure counts for.
    failures: Vec<(RateRule, String)>,
    /// What a success makes forgotten.
    forgiven: Vec<(RateRule, String)>,
    _lanes: [SemaphorePermit<'a>; 2],
}

impl Limits {
    pub(crate) fn new(shared: Arc<dyn RateLimiter>, own: Arc<dyn RateLimiter>, rules: LimitRules) -> Self {
        let (lanes, address_lanes) = (Lanes::of_width(LANE_WIDTH), Lanes::of_width(ADDRESS_LANE_WIDTH));
        Self { shared, own, rules, lanes, address_lanes }
    }

    /// Asks whether an attempt to sign in may go on. What came of it is told to the [`Attempt`].
    pub(crate) async fn begin_sign_in(
        &self,
        account: &AddressKey,
        ip: Option<IpAddr>,
        known_device: Option<&[u8; 32]>,
    ) -> Result<Attempt<'_>, Refused> {
        let (account, address, network) = (account_key(account), customer_key(ip), network_key(ip));
        let pair = format!("{account}@{address}");
        // whoever waits for the second holds the first, and never the other way round
        let lanes = [self.lanes.enter(&pair).await, self.address_lanes.enter(&address).await];
        if let Some(device) = known_device {
            // what strangers try, from wherever, does not keep the owner out
            let rule = self.rules.login_device;
            let device = format!("{account}#{}", hex::encode(&device[..16]));
            self.require(rule, &device).await?;
            let counted = vec![(rule, device)];
            return Ok(Attempt { limits: self, failures: counted.clone(), forgiven: counted, _lanes: lanes });
        }
        self.require(self.rules.login_address, &address).await?;
        if let Some(network) = &network {
            self.require(self.rules.login_network, network).await?;
        }
        self.require(self.rules.login_account, &pair).await?;
        match self.require(self.rules.login_account_total, &account).await {
            Err(Refused::Limited(_)) => self.require(self.rules.login_account_guarded, &pair).await?,
            other => other?,
        }
        let rules = &self.rules;
        let forgiven = vec![(rules.login_account, pair.clone()), (rules.login_account_guarded, pair.clone())];
        let mut failures = vec![
            (rules.login_account, pair.clone()),
            (rules.login_account_guarded, pair),
            (rules.login_account_total, account),
            (rules.login_address, address),
        ];
        failures.extend(network.map(|network| (rules.login_network, network)));
        Ok(Attempt { limits: self, failures, forgiven, _lanes: lanes })
    }

    /// Counts a sign-up.
    pub(crate) async fn count_sign_up(&self, ip: Option<IpAddr>) -> Result<(), Refused> {
        self.count(self.rules.sign_up, &customer_key(ip)).await
    }

    /// Counts a way back from an identity provider.
    pub(crate) async fn count_provider(&self, ip: Option<IpAddr>) -> Result<(), Refused> {
        self.count(self.rules.provider, &customer_key(ip)).await
    }

    /// Refuses a set-up code unread when too many were wrong.
    pub(crate) async fn require_setup(&self, ip: Option<IpAddr>) -> Result<(), Refused> {
        self.require(self.rules.setup, &customer_key(ip)).await
    }

    /// Counts a wrong set-up code.
    pub(crate) async fn count_wrong_setup_code(&self, ip: Option<IpAddr>) -> PortResult<()> {
        self.count_fault(self.rules.setup, &customer_key(ip)).await
    }

    /// Counts a password that is given again before it is looked at, so that no volley of them gets past the rule. Each sign-in has its own count: whoever has
    /// found an open one does not keep the owner, who has another, from what wants the password. What all of them get wrong together is bounded too, but for
    /// devices that are known.
    pub(crate) async fn begin_proof(
        &self,
        user: UserId,
        session: Option<SessionId>,
        known_device: bool,
    ) -> Result<Proof<'_>, Refused> {
        let lane = self.lanes.enter(&user.to_string()).await;
        let account = (!known_device).then_some(user);
        if account.is_some() {
            self.require(self.rules.proof_account, &user.to_string()).await?;
        }
        let key = session.map_or_else(|| user.to_string(), |session| format!("{user}#{session}"));
        self.count(self.rules.proof, &key).await?;
        Ok(Proof { limits: self, key, account, _lane: lane })
    }

    /// Counts a code of a second factor before it is looked at. Who knows the password of somebody else can use up what is counted for the account, but neither
    /// what is counted for a device that its owner signed in from, nor recovery codes from the owner's address. A device is known because somebody signed in
    /// from it with all that was asked for then; all of them together have a bound, so that many make no more guesses than some.
    pub(crate) async fn count_second_factor(
        &self,
        user: UserId,
        try_of: FactorTry<'_>,
    ) -> Result<Counted<'_>, Refused> {
        let rules = &self.rules;
        let counted = match try_of {
            FactorTry::App { known_device: None } => vec![(rules.second_factor, user.to_string())],
            FactorTry::App { known_device: Some(device) } => vec![
                (rules.second_factor_device, format!("{user}#{}", hex::encode(&device[..16]))),
                (rules.second_factor_devices, user.to_string()),
            ],
            FactorTry::Recovery { ip } => {
                vec![(rules.recovery_code, format!("{user}@{}", customer_key(ip)))]
            }
        };
        for (rule, key) in &counted {
            self.count(*rule, key).await?;
        }
        Ok(Counted { limits: self, counted })
    }

    /// Counts a mail that somebody asks for, whether there is an account with this address or not.
    pub(crate) async fn count_mail(
        &self,
        kind: MailKind,
        account: &AddressKey,
        ip: Option<IpAddr>,
    ) -> Result<(), Refused> {
        self.count(self.rules.mail_address, &customer_key(ip)).await?;
        self.count_mail_to(kind, account).await
    }

    /// The same for a mail that comes of something which is counted by network address already.
    pub(crate) async fn count_mail_to(&self, kind: MailKind, account: &AddressKey) -> Result<(), Refused> {
        self.count(self.rules.mail_account, &format!("{} {}", kind.word(), account_key(account))).await
    }

    /// Counts a mail that somebody asks for who is signed in: nobody else uses that up.
    pub(crate) async fn count_mail_by(&self, user: UserId, ip: Option<IpAddr>) -> Result<(), Refused> {
        self.count(self.rules.mail_address, &customer_key(ip)).await?;
        self.count(self.rules.mail_account, &format!("by {user}")).await
    }

    /// Counts a look-up of a person, which tells whether there is an account with just this address, or, of the classic API, with just this name.
    pub(crate) async fn count_look_up(&self, user: UserId) -> Result<(), Refused> {
        self.count(self.rules.people, &user.to_string()).await
    }

    /// Refuses a code unread when too many were wrong.
    pub(crate) async fn require_code(&self, ip: Option<IpAddr>) -> Result<(), Refused> {
        self.require(self.rules.code, &customer_key(ip)).await
    }

    /// Counts a wrong code.
    pub(crate) async fn count_wrong_code(&self, ip: Option<IpAddr>) -> PortResult<()> {
        self.count_fault(self.rules.code, &customer_key(ip)).await
    }

    /// Counts what was wrong; the next attempt is refused, not this one.
    async fn count_fault(&self, rule: RateRule, key: &str) -> PortResult<()> {
        match self.count(rule, key).await {
            Ok(()) | Err(Refused::Limited(_)) => Ok(()),
            Err(Refused::Port(error)) => Err(error),
        }
    }

    async fn require(&self, rule: RateRule, key: &str) -> Result<(), Refused> {
        let decision = match self.shared.peek(rule, key).await {
            Ok(decision) => decision,
            Err(error) => {
                fell_back(&error);
                self.own.peek(rule, key).await?
            }
        };
        judge(rule, decision)
    }

    async fn count(&self, rule: RateRule, key: &str) -> Result<(), Refused> {
        let decision = match self.shared.hit(rule, key).await {
            Ok(decision) => decision,
            Err(error) => {
                fell_back(&error);
                self.own.hit(rule, key).await?
            }
        };
        judge(rule, decision)
    }

    async fn forget(&self, rule: RateRule, key: &str) -> PortResult<()> {
        if let Err(error) = self.shared.reset(rule, key).await {
            fell_back(&error);
        }
        self.own.reset(rule, key).await
    }
}

impl Attempt<'_> {
    /// The password was wrong, or there is no such account.
    pub(crate) async fn failed(self) -> PortResult<()> {
        for (rule, key) in &self.failures {
            self.limits.count_fault(*rule, key).await?;
        }
        Ok(())
    }

    /// The password was right: what was counted for this account from this address is forgotten.
    pub(crate) async fn succeeded(self) -> PortResult<()> {
        for (rule, key) in &self.forgiven {
            self.limits.forget(*rule, key).await?;
        }
        Ok(())
    }
}

fn judge(rule: RateRule, decision: RateDecision) -> Result<(), Refused> {
    match decision {
        RateDecision::Allowed { .. } => Ok(()),
        RateDecision::Limited { retry_after } => {
            metrics::counter!("fm_auth_rate_limited_total", "rule" => rule.name).increment(1);
            Err(Limited { rule, retry_after }.into())
        }
    }
}

fn fell_back(error: &common::PortError) {
    metrics::counter!("fm_auth_rate_limit_fallbacks_total").increment(1);
    tracing::debug!(%error, "limiting attempts in this process alone");
}

/// Addresses of accounts are not kept in clear where the counters are.
fn account_key(account: &AddressKey) -> String {
    hex::encode(&Sha256::of(account.as_str().as_bytes()).0[..16])
}
