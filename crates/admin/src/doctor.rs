//! Looks whether an installation can work, and says of each thing that is wrong what to do. Changes nothing but a file of its own, which it removes.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use common::Timestamp;
use serde::Serialize;

/// How to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Doctor {
    /// Tell it as JSON
    #[arg(long)]
    pub json: bool,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// It works, but not well, or not for long.
    Warning,
    /// It does not work.
    Wrong,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub text: String,
    /// What to do about it; none if it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn good(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Good, text: text.into(), advice: None }
    }

    /// It works, but not well.
    pub fn warning(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, state: State::Warning, text: text.into(), advice: Some(advice.into()) }
    }

    /// It does not work.
    pub fn wrong(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, state: State::Wrong, text: text.into(), advice: Some(advice.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Nothing is wrong; there may be warnings.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.state != State::Wrong)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { check, state, text, advice } in &self.findings {
            let state = match state {
                State::Good => "good   ",
                State::Warning => "warning",
                State::Wrong => "WRONG  ",
            };
            writeln!(f, "{state} {check}: {text}")?;
            if let Some(advice) = advice {
                writeln!(f, "        {advice}")?;
            }
        }
        Ok(())
    }
}

/// How much the test of a disk writes: more than a sector, less than anybody notices.
const PROBE_BYTES: usize = 256 * 1024;
/// A sync that takes longer makes every upload slow.
const SLOW_SYNC: Duration = Duration::from_millis(250);

/// Whether a folder keeps what is written into it: writes a file, syncs it, reads it, removes it.
pub fn disk(folder: &Path) -> Finding {
    const CHECK: &str = "disk";
    match probe(folder) {
        Ok(took) if took > SLOW_SYNC => Finding::warning(
            CHECK,
            format!("{} keeps what is written, but a sync took {} ms", folder.display(), took.as_millis()),
            "every upload waits for one: use a disk of its own, or a faster one; network file systems are not meant for the data folder",
        ),
        Ok(took) => Finding::good(
            CHECK,
            format!("{} keeps what is written; a sync took {} ms", folder.display(), took.as_millis()),
        ),
        Err(error) => Finding::wrong(
            CHECK,
            format!("{}: a file cannot be written, synced, read and removed: {error}", folder.display()),
            "let the account that runs the product own the folder, mounted for writing, on a file system with room and free inodes",
        ),
    }
}

fn probe(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!("doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    let mut work = || {
        let written: Vec<u8> = (0..PROBE_BYTES).map(|at| (at % 251) as u8).collect();
        file.write_all(&written)?;
        let begun = Instant::now();
        file.sync_all()?;
        let took = begun.elapsed();
        file.seek(SeekFrom::Start(0))?;
        let mut read = Vec::new();
        file.read_to_end(&mut read)?;
        if read == written {
            Ok(took)
        } else {
            Err(io::Error::other("what was read is not what was written"))
        }
    };
    let worked = work();
    let removed = fs::remove_file(&path);
    let took = worked?;
    removed?;
    Ok(took)
}

/// Whether a folder is its owner's alone: it holds keys and other people's files.
pub fn ownership(folder: &Path) -> Finding {
    const CHECK: &str = "data folder";
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => {
            let advice = "set FM_DATA_DIR to a folder that the product may use";
            return Finding::wrong(CHECK, format!("{}: {error}", folder.display()), advice);
        }
    };
    let (mode, own) = (metadata.mode() & 0o777, rustix::process::geteuid().as_raw());
    if metadata.uid() != own {
        return Finding::wrong(
            CHECK,
            format!("{} belongs to the account {}, and this is {own}", folder.display(), metadata.uid()),
            "run this, and the product, as the account that the folder belongs to",
        );
    }
    if mode & 0o077 != 0 {
        return Finding::warning(
            CHECK,
            format!("{} may be entered by others (mode {mode:03o})", folder.display()),
            format!("chmod 700 {}", folder.display()),
        );
    }
    Finding::good(CHECK, format!("{} is its owner's alone", folder.display()))
}

/// Whether this process is root, and the folder another account's, to which all would be closed that root made there. Of a folder that is not there yet the
/// nearest one above it counts.
pub fn is_root_in_anothers(folder: &Path) -> bool {
    let own = rustix::process::geteuid();
    let owner = folder.ancestors().find_map(|above| fs::metadata(above).ok()).map(|facts| facts.uid());
    own.is_root() && owner.is_some_and(|owner| owner != own.as_raw())
}

/// Room that is little, in bytes.
const LITTLE_ROOM: u64 = 1024 * 1024 * 1024;

/// How much room a folder has, beyond what uploads leave free.
pub fn room(folder: &Path, keep_free_bytes: u64) -> Finding {
    const CHECK: &str = "room";
    let stat = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat,
        Err(error) => {
            return Finding::wrong(
                CHECK,
                format!("{}: {error}", folder.display()),
                "look at the file system",
            );
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{}: {} MiB are free", folder.display(), free / (1024 * 1024));
    let advice =
        "make room, or move the data folder to a larger disk: without room uploads are refused (507)";
    // file systems without a fixed number of inodes say that they have none
    if free <= keep_free_bytes || (stat.f_files > 0 && stat.f_favail == 0) {
        let kept = keep_free_bytes / (1024 * 1024);
        Finding::wrong(
            CHECK,
            format!("{text}, of which FM_FILES__KEEP_FREE keeps {kept}; inodes: {}", stat.f_favail),
            advice,
        )
    } else if free - keep_free_bytes < LITTLE_ROOM {
        Finding::warning(CHECK, text, advice)
    } else {
        Finding::good(CHECK, text)
    }
}

/// When this was written: no clock that is right shows an earlier time.
const EARLIEST: &str = "2026-01-01T00:00:00Z";
/// How far two clocks may be apart.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Whether the clock may be right: it stands neither before this program nor before what is in the data folder.
pub fn clock(now: Timestamp, newest_file: Option<Timestamp>) -> Finding {
    const CHECK: &str = "clock";
    let advice = "set the clock, and let it be kept right (NTP): tokens, leases and the trash go by it";
    let earliest = Timestamp::parse(EARLIEST).expect("it is a time");
    if now < earliest {
        return Finding::wrong(CHECK, format!("it shows {now}, which is before this program"), advice);
    }
    if let Some(newest) = newest_file.filter(|newest| *newest > now + TOLERANCE) {
        return Finding::wrong(
            CHECK,
            format!("it shows {now}, and the database was written at {newest}"),
            advice,
        );
    }
    Finding::good(CHECK, format!("it shows {now}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_keeps_things_is_told_from_one_that_does_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_ne!(disk(folder.path()).state, State::Wrong);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        assert_eq!(disk(&folder.path().join("none")).state, State::Wrong);
        // no file can be made there by anybody
        assert_eq!(disk(Path::new("/proc")).state, State::Wrong);
    }

    #[test]
    fn room_is_counted_beyond_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(room(folder.path(), u64::MAX).state, State::Wrong);
        assert_eq!(room(&folder.path().join("none"), 0).state, State::Wrong);
        let stat = rustix::fs::statvfs(folder.path()).unwrap();
        let free = stat.f_bavail * stat.f_frsize;
        assert_eq!(room(folder.path(), free.saturating_sub(LITTLE_ROOM / 2)).state, State::Warning);
    }

    #[test]
    fn a_clock_before_its_files_is_wrong() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let now = at("2027-03-01T00:00:00Z");
        assert_eq!(clock(now, None).state, State::Good);
        assert_eq!(clock(now, Some(at("2027-03-01T00:00:59Z"))).state, State::Good);
        assert_eq!(clock(now, Some(at("2027-03-01T00:02:00Z"))).state, State::Wrong);
        assert_eq!(clock(at("1970-01-01T00:00:00Z"), None).state, State::Wrong);
    }

    #[test]
    fn a_folder_that_others_may_enter_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        set(0o755);
        let finding = ownership(folder.path());
        assert_eq!(finding.state, State::Warning);
        assert!(finding.advice.unwrap().starts_with("chmod 700"));
        set(0o700);
        assert_eq!(ownership(folder.path()).state, State::Good);
        assert_eq!(ownership(&folder.path().join("none")).state, State::Wrong);
    }
}
