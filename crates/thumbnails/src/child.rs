//! The child process: takes limits on itself, makes the thumbnails of one picture, answers, ends.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit, Signal};

use crate::error::Error;
use crate::limits::Limits;
use crate::protocol::{Request, encode_reply};
use crate::render::render;

/// First argument of a program that shall be a child.
pub(crate) const CHILD_ARGUMENT: &str = "__thumbnail-child";

/// How much the child steps back behind the service's own work. At 10 it gets a tenth of a busy core.
const NICE: i32 = 10;

/// Whom the kernel takes first when the machine runs out of memory, -1,000 (never) to 1,000.
const OOM_SCORE: &str = "900";

/// Standard streams, the picture, and some for the libraries.
const MAX_OPEN_FILES: u64 = 16;

/// Turns the program into a thumbnail child if it was started as one, and then does not return.
///
/// Call it first in `main`, before threads, logs or settings: the pool starts the running program again, with an
/// empty environment, and expects that nothing but the child's answer is written.
pub fn run_child_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() == Some(OsStr::new(CHILD_ARGUMENT)) {
        let request = arguments.next().and_then(|request| serde_json::from_str(request.to_str()?).ok());
        std::process::exit(match request {
            Some(request) => answer(&request),
            None => 2,
        });
    }
}

/// Returns the exit code.
fn answer(request: &Request) -> i32 {
    // A panic of a decoder is an answer, not a message.
    std::panic::set_hook(Box::new(|_| {}));
    let result = confine(request.parent, &request.limits)
        .and_then(|()| Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
        .map_err(|error| Error::io(&error))
        .and_then(|picture| render(picture, &request.options, &request.limits));
    let mut stdout = io::stdout().lock();
    let sent = encode_reply(&result)
        .map_err(io::Error::other)
        .and_then(|reply| stdout.write_all(&reply))
        .and_then(|()| stdout.flush());
    i32::from(sent.is_err())
}

/// Gives up whatever decoding does not need.
fn confine(parent: u32, limits: &Limits) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the call above.
    let alive =
        rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get() == parent.cast_signed());
    if !alive {
        return Err(io::Error::other("the parent is gone"));
    }
    rustix::process::nice(NICE)?;
    // Not all systems have it, and a container may forbid it.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);

    // Where the kernel does not tell, the program itself gets a guess.
    const USUAL_PROGRAM: u64 = 256 << 20;
    let program = address_space().unwrap_or(USUAL_PROGRAM);
    limit(Resource::As, program.saturating_add(limits.child_memory_bytes))?;
    limit(Resource::Cpu, limits.cpu_seconds)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, MAX_OPEN_FILES)
}

/// Lowers a limit for good; one that is lower already stays.
fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let maximum = rustix::process::getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    // Over the soft limit of processor time a signal says why the child ended; the hard one would be a plain
    // kill, so it is one second later.
    let hard = if resource == Resource::Cpu { maximum.saturating_add(1) } else { maximum };
    Ok(rustix::process::setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(hard) })?)
}

/// Bytes of address space that this process has now.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_the_address_space() {
        assert!(address_space().unwrap() > 1 << 20);
    }
}
