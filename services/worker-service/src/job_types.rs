//! The section `jobs` of the settings of every program that runs the service: how jobs of built-in types are tried and worked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use common::jobs::types::{self, Tries};
use common::jobs::{Backoff, NewJob};
use runtime::settings::{Doc, Span, at_least};
use serde::{Deserialize, Serialize};

/// Longest pauses and times to live.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// Most jobs of a type at once in one process.
const MOST_AT_ONCE: usize = 1000;

/// `jobs`: built-in types of jobs by their names, with `_` for what separates words.
pub type JobsSection = BTreeMap<String, JobTypeSection>;

/// One type; what is unset is as usual.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobTypeSection {
    /// How often a job is tried.
    pub attempts: Option<u32>,
    /// How long it waits between attempts.
    pub backoff: Option<Pauses>,
    /// How long an attempt may go on without progress.
    pub timeout: Option<Span>,
    /// How many are worked at once by one process.
    pub concurrency: Option<usize>,
}

/// What the keys of [`JobTypeSection`] mean.
pub const JOBS_DOCS: &[Doc] = &[
    Doc {
        key: "jobs.*.attempts",
        text: "How often jobs of a built-in type are tried, 1 to 1000; unset: as docs/operations.md says. The * is the type with _ for what separates its words, such as ACCOUNT_EXPORT or WEBHOOK_DELIVER. All settings of types count for jobs that come from then on.",
    },
    Doc {
        key: "jobs.*.backoff",
        text: "How long they wait between attempts: none, always the same time such as 30s, or twice as long each time from one to another, such as 1s..1h; at most a year.",
    },
    Doc {
        key: "jobs.*.timeout",
        text: "How long an attempt may go on without progress before it has failed; at least 1s, at most a year.",
    },
    Doc {
        key: "jobs.*.concurrency",
        text: "How many jobs of the type one process works at once, 1 to 1000; counts from the start on.",
    },
];

/// A [`Backoff`] as settings write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pauses(pub Backoff);

impl FromStr for Pauses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither none, nor a time such as 30s, nor two such as 1s..1h");
        let time = |text: &str| {
            let span: Span = text.trim().parse().map_err(|()| wrong())?;
            Ok::<u64, String>(millis(span.duration()))
        };
        Ok(Self(match text.split_once("..") {
            _ if text.trim() == "none" => Backoff::None,
            None => Backoff::Fixed { delay_ms: time(text)? },
            Some((first, longest)) => {
                Backoff::Exponential { delay_ms: time(first)?, max_delay_ms: time(longest)? }
            }
        }))
    }
}

impl TryFrom<String> for Pauses {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Pauses> for String {
    fn from(pauses: Pauses) -> Self {
        pauses.to_string()
    }
}

impl fmt::Display for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = Span::from_millis;
        match self.0 {
            Backoff::None => f.write_str("none"),
            Backoff::Fixed { delay_ms } => write!(f, "{}", span(delay_ms)),
            Backoff::Exponential { delay_ms, max_delay_ms } => {
                write!(f, "{}..{}", span(delay_ms), span(max_delay_ms))
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How jobs of built-in types are tried and worked, as far as somebody has set it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuiltInJobs(BTreeMap<&'static str, Set>);

/// What was set of a type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Set {
    attempts: Option<u32>,
    backoff: Option<Backoff>,
    ttl_ms: Option<u64>,
    concurrency: Option<usize>,
}

impl BuiltInJobs {
    /// By a section.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn of(section: &JobsSection) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        for (name, set) in section {
            let prefix = format!("FM_JOBS__{}", name.to_uppercase());
            let kind = *types::BUILT_IN
                .iter()
                .find(|kind| setting_name(kind) == *name)
                .ok_or_else(|| format!("{prefix}: {}", unknown(name)))?;
            all.insert(kind, set.checked(&prefix)?);
        }
        Ok(Self(all))
    }

    /// A job as it is to be tried: what its producer left as usual is as it was set.
    #[must_use]
    pub fn apply(&self, mut job: NewJob) -> NewJob {
        let Some((set, usual)) = self.0.get(&*job.kind).zip(Tries::of(&job.kind)) else { return job };
        if job.max_attempts == usual.attempts {
            job.max_attempts = set.attempts.unwrap_or(job.max_attempts);
        }
        if job.backoff == usual.backoff {
            job.backoff = set.backoff.unwrap_or(job.backoff);
        }
        if job.ttl_ms == usual.ttl_ms {
            job.ttl_ms = set.ttl_ms.unwrap_or(job.ttl_ms);
        }
        job
    }

    /// How many jobs of a type are worked at once, if that was set.
    pub fn concurrency(&self, kind: &str) -> Option<usize> {
        self.0.get(kind)?.concurrency
    }

    /// The settings of webhooks as those of their type of jobs say.
    pub(crate) fn of_webhooks(&self, settings: crate::WebhookSettings) -> crate::WebhookSettings {
        let Some(set) = self.0.get(types::WEBHOOK_DELIVER) else { return settings };
        let (first_pause, longest_pause) = match set.backoff {
            None => (settings.first_pause, settings.longest_pause),
            Some(Backoff::None) => (Duration::ZERO, Duration::ZERO),
            Some(Backoff::Fixed { delay_ms }) => {
                (Duration::from_millis(delay_ms), Duration::from_millis(delay_ms))
            }
            Some(Backoff::Exponential { delay_ms, max_delay_ms }) => {
                (Duration::from_millis(delay_ms), Duration::from_millis(max_delay_ms))
            }
        };
        crate::WebhookSettings {
            attempts: set.attempts.unwrap_or(settings.attempts),
            concurrency: set.concurrency.unwrap_or(settings.concurrency),
            ttl: set.ttl_ms.map_or(settings.ttl, Duration::from_millis),
            first_pause,
            longest_pause,
            ..settings
        }
    }
}

/// `webhook.deliver` as settings write it: `webhook_deliver`.
fn setting_name(kind: &str) -> String {
    kind.replace(['-', '.'], "_")
}

fn unknown(name: &str) -> String {
    let meant = setting_name(name);
    if types::BUILT_IN.iter().any(|kind| setting_name(kind) == meant) {
        return format!("the type is written {meant}");
    }
    let names: Vec<_> = types::BUILT_IN.iter().map(|kind| setting_name(kind)).collect();
    format!("there is no built-in type of jobs of this name; there are {}", names.join(", "))
}

impl JobTypeSection {
    fn checked(&self, prefix: &str) -> Result<Set, String> {
        if self.attempts.is_some_and(|attempts| !(1..=NewJob::MAX_ATTEMPTS).contains(&attempts)) {
            return Err(format!("{prefix}__ATTEMPTS: 1 to {}", NewJob::MAX_ATTEMPTS));
        }
        if self.concurrency.is_some_and(|places| !(1..=MOST_AT_ONCE).contains(&places)) {
            return Err(format!("{prefix}__CONCURRENCY: 1 to {MOST_AT_ONCE}"));
        }
        if let Some(timeout) = self.timeout {
            let setting = format!("{prefix}__TIMEOUT");
            at_least(&setting, timeout, Duration::from_secs(1))?;
            if timeout.duration() > LONGEST {
                return Err(format!("{setting}: at most 366d"));
            }
        }
        let setting = format!("{prefix}__BACKOFF");
        let (first, longest) = match self.backoff {
            None | Some(Pauses(Backoff::None)) => (1, 1),
            Some(Pauses(Backoff::Fixed { delay_ms })) => (delay_ms, delay_ms),
            Some(Pauses(Backoff::Exponential { delay_ms, max_delay_ms })) => (delay_ms, max_delay_ms),
        };
        if first == 0 {
            return Err(format!("{setting}: a pause is at least 1ms; none is written `none`"));
        }
        if first > longest {
            return Err(format!("{setting}: the first pause is longer than the longest"));
        }
        if u128::from(longest) > LONGEST.as_millis() {
            return Err(format!("{setting}: at most 366d"));
        }
        Ok(Set {
            attempts: self.attempts,
            backoff: self.backoff.map(|pauses| pauses.0),
            ttl_ms: self.timeout.map(|timeout| millis(timeout.duration())),
            concurrency: self.concurrency,
        })
    }
}

#[cfg(test)]
mod tests {
    use common::{JobId, Timestamp, UserId};

    use super::*;

    fn section(name: &str, set: JobTypeSection) -> JobsSection {
        JobsSection::from([(name.to_owned(), set)])
    }

    fn all_set() -> JobTypeSection {
        JobTypeSection {
            attempts: Some(3),
            backoff: Some(Pauses(Backoff::Fixed { delay_ms: 7000 })),
            timeout: Some(Span::from_secs(40)),
            concurrency: Some(9),
        }
    }

    #[test]
    fn every_key_is_documented() {
        runtime::settings::check_section::<JobTypeSection>("jobs", JOBS_DOCS).unwrap();
    }

    #[test]
    fn every_built_in_type_can_be_set() {
        let at = Timestamp::from_millis(0);
        for kind in types::BUILT_IN {
            let jobs = BuiltInJobs::of(&section(&setting_name(kind), all_set())).unwrap();
            let usual = Tries::of(kind).unwrap();
            let job = usual.of_job(NewJob::new(JobId::from_bytes([1; 12]), *kind, serde_json::json!({}), at));
            let made = jobs.apply(job.clone());
            made.check().unwrap();
            assert_eq!(
                (made.max_attempts, made.backoff, made.ttl_ms, jobs.concurrency(kind)),
                (3, Backoff::Fixed { delay_ms: 7000 }, 40_000, Some(9)),
                "{kind}"
            );
            assert_eq!(BuiltInJobs::default().apply(job.clone()), job);
        }
        assert_eq!(BuiltInJobs::of(&section("copy", all_set())).unwrap().concurrency("purge"), None);
    }

    #[test]
    fn what_a_producer_chose_for_one_job_stays() {
        let jobs = BuiltInJobs::of(&section("account_mail", all_set())).unwrap();
        let (id, at) = (JobId::from_bytes([1; 12]), Timestamp::from_millis(0));
        // as an invitation is
        let job = NewJob { max_attempts: 80, ..types::account_mail(id, Vec::new(), at) };
        let made = jobs.apply(job);
        assert_eq!((made.max_attempts, made.ttl_ms), (80, 40_000));
        let other = types::welcome_mail(id, UserId::from_bytes([2; 12]), at);
        assert_eq!(jobs.apply(other.clone()), other, "of another type");
    }

    #[test]
    fn deliveries_of_webhooks_are_set_like_all_others() {
        let jobs = BuiltInJobs::of(&section("webhook_deliver", all_set())).unwrap();
        let set = jobs.of_webhooks(crate::WebhookSettings::default());
        assert_eq!((set.attempts, set.concurrency, set.ttl), (3, 9, Duration::from_secs(40)));
        assert_eq!((set.first_pause, set.longest_pause), (Duration::from_secs(7), Duration::from_secs(7)));
        let usual = crate::WebhookSettings::default();
        assert_eq!(BuiltInJobs::default().of_webhooks(usual), usual);
    }

    #[test]
    fn pauses_are_read_and_shown() {
        for (text, backoff) in [
            ("none", Backoff::None),
            ("30s", Backoff::Fixed { delay_ms: 30_000 }),
            ("250ms..1h", Backoff::Exponential { delay_ms: 250, max_delay_ms: 3_600_000 }),
        ] {
            let pauses: Pauses = text.parse().unwrap();
            assert_eq!((pauses.0, pauses.to_string().as_str()), (backoff, text));
        }
        assert_eq!("1s .. 1m".parse::<Pauses>().unwrap().to_string(), "1s..1m");
        for wrong in ["", "soon", "1s..", "..1s", "1s..2s..3s", "-1s"] {
            assert!(wrong.parse::<Pauses>().unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refusal = |name: &str, set| BuiltInJobs::of(&section(name, set)).unwrap_err();
        let none = JobTypeSection::default;
        let (span, year) = (Span::from_secs, 366 * 24 * 3600);
        let pauses = |text: &str| Some(text.parse().unwrap());
        for (set, said) in [
            (JobTypeSection { attempts: Some(0), ..none() }, "FM_JOBS__COPY__ATTEMPTS: 1 to 1000"),
            (JobTypeSection { attempts: Some(1001), ..none() }, "FM_JOBS__COPY__ATTEMPTS: 1 to 1000"),
            (JobTypeSection { concurrency: Some(0), ..none() }, "FM_JOBS__COPY__CONCURRENCY: 1 to 1000"),
            (JobTypeSection { concurrency: Some(1001), ..none() }, "FM_JOBS__COPY__CONCURRENCY: 1 to 1000"),
            (JobTypeSection { timeout: Some(span(0)), ..none() }, "FM_JOBS__COPY__TIMEOUT: at least 1s"),
            (
                JobTypeSection { timeout: Some(span(year + 1)), ..none() },
                "FM_JOBS__COPY__TIMEOUT: at most 366d",
            ),
            (
                JobTypeSection { backoff: pauses("0s"), ..none() },
                "FM_JOBS__COPY__BACKOFF: a pause is at least 1ms; none is written `none`",
            ),
            (
                JobTypeSection { backoff: pauses("1h..1s"), ..none() },
                "FM_JOBS__COPY__BACKOFF: the first pause is longer than the longest",
            ),
            (
                JobTypeSection { backoff: pauses("1s..367d"), ..none() },
                "FM_JOBS__COPY__BACKOFF: at most 366d",
            ),
        ] {
            assert_eq!(refusal("copy", set), said);
        }
        assert!(refusal("resize", none()).contains("FM_JOBS__RESIZE: there is no built-in type"));
        assert_eq!(
            refusal("account-export", none()),
            "FM_JOBS__ACCOUNT-EXPORT: the type is written account_export"
        );
    }
}
