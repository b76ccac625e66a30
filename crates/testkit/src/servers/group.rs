use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// A process with everything that it starts, killed on drop, and also when this process ends in any way.
pub struct Group {
    leader: Child,
    guard: Child,
}

impl Group {
    /// Starts `command` as the leader of a group of its own.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let program = command.get_program().display().to_string();
        let mut leader =
            command.process_group(0).spawn().with_context(|| format!("cannot start {program}"))?;
        // its standard input ends when we do: a test runner may kill us without letting anything be dropped
        let guard = Command::new("/bin/sh")
            .args(["-c", r#"read -r _; kill -KILL "-$1""#, "guard", &leader.id().to_string()])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match guard {
            Ok(guard) => Ok(Self { leader, guard }),
            Err(error) => {
                leader.kill()?;
                leader.wait()?;
                Err(error).context("cannot start /bin/sh")
            }
        }
    }

    /// The process that was started.
    pub fn leader(&mut self) -> &mut Child {
        &mut self.leader
    }

    /// Whether the leader has ended.
    pub(super) fn ended(&mut self) -> Result<bool> {
        Ok(self.leader.try_wait()?.is_some())
    }

    /// Returns when the leader has stopped: the signal alone is only on its way, and a thread of it may still answer something.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let leader = WaitId::Pid(Pid::from_child(&self.leader));
        // its end is left to be seen by the others who wait for it
        let _ = waitid(leader, WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // a group whose members have all ended cannot be signalled, and need not be
        let _ = kill_process_group(Pid::from_child(&self.leader), signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // the guard first: once the leader has been waited for, its number may belong to somebody else
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        self.signal(Signal::KILL);
        let _ = self.leader.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel closes our end of the guard's input when this process dies; here it is closed by hand.
    #[tokio::test]
    async fn the_guard_ends_the_group_when_its_input_ends() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & wait"]);
        let mut group = Group::spawn(command).unwrap();
        drop(group.guard.stdin.take());
        let ended = async {
            while !group.ended().unwrap() {
                tokio::time::sleep(super::super::ASK_AGAIN).await;
            }
        };
        tokio::time::timeout(super::super::START_DEADLINE, ended).await.expect("the guard kills it");
    }
}
