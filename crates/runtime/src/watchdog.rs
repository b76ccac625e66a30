//! Tells the service manager that the process is alive, so that one that hangs is ended and started again: the part of systemd's `sd_notify` protocol that
//! `WatchdogSec=` asks for.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Says so for as long as it is kept, by the runtime that serves requests: when that stands still, nothing is said.
#[derive(Debug)]
pub struct Watchdog {
    _saying: JoinSet<()>,
}

/// Where it is said, and how often.
struct Asked {
    socket: UnixDatagram,
    address: SocketAddr,
    every: Duration,
}

impl Watchdog {
    /// Begins, where the service manager asked this process for it; does nothing elsewhere. Needs a Tokio runtime.
    pub fn start() -> Self {
        let value = |name: &str| std::env::var_os(name);
        let mut saying = JoinSet::new();
        match asked(
            value("NOTIFY_SOCKET").as_deref(),
            value("WATCHDOG_USEC").as_deref(),
            value("WATCHDOG_PID").as_deref(),
        ) {
            Ok(Some(asked)) => drop(saying.spawn(asked.say())),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the service manager's watchdog cannot be told anything"),
        }
        Self { _saying: saying }
    }
}

fn asked(
    socket: Option<&OsStr>,
    microseconds: Option<&OsStr>,
    process: Option<&OsStr>,
) -> io::Result<Option<Asked>> {
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse::<u64>().ok());
    let (Some(place), Some(period)) = (socket, microseconds.and_then(number)) else { return Ok(None) };
    // a child inherits the variables, and is not meant
    if process.and_then(number).is_some_and(|process| process != u64::from(std::process::id())) {
        return Ok(None);
    }
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    // so that one that comes late is no death
    let every = Duration::from_micros(period.max(3)) / 3;
    Ok(Some(Asked { socket, address, every }))
}

impl Asked {
    async fn say(self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // a manager that takes nothing now is told again in time
            let _ = self.socket.send_to_addr(b"WATCHDOG=1", &self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_service_manager_hears_again_and_again_that_the_process_is_alive() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("notify");
        let manager = tokio::net::UnixDatagram::bind(&place).unwrap();
        let process = std::process::id().to_string();
        let period = Some(OsStr::new("30000"));
        let asked = asked(Some(place.as_os_str()), period, Some(OsStr::new(&process))).unwrap().unwrap();
        assert_eq!(asked.every, Duration::from_millis(10));
        let mut saying = JoinSet::new();
        saying.spawn(asked.say());
        for _ in 0..3 {
            let mut said = [0; 64];
            let length = testkit::wait::soon(manager.recv(&mut said)).await.unwrap();
            assert_eq!(&said[..length], b"WATCHDOG=1");
        }
    }

    #[test]
    fn nobody_is_told_where_nobody_asked_or_another_process_is_meant() {
        let (socket, period) = (Some(OsStr::new("@manager")), Some(OsStr::new("30000000")));
        assert!(asked(None, period, None).unwrap().is_none());
        assert!(asked(socket, None, None).unwrap().is_none());
        assert!(asked(socket, Some(OsStr::new("soon")), None).unwrap().is_none());
        assert!(asked(socket, period, Some(OsStr::new("1"))).unwrap().is_none());
        assert_eq!(asked(socket, period, None).unwrap().unwrap().every, Duration::from_secs(10));
    }
}
