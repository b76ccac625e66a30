//! What a server and its children cost, read from `/proc`.

use std::collections::HashMap;
use std::fs;

/// Kernel ticks in a second, as `/proc` counts them on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds of a process and of all that it started, running or waited for.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let parents = parents();
    tree(pid, &parents).into_iter().filter_map(ticks).sum::<f64>() / TICKS
}

/// CPU seconds of all programs that this process has started and waited for.
pub(crate) fn waited_cpu_seconds() -> f64 {
    let Some(fields) = fields(std::process::id()) else { return 0.0 };
    // cutime, cstime
    fields[13..15].iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// CPU seconds of this process alone.
#[cfg(feature = "distributed")]
pub(crate) fn own_cpu_seconds() -> f64 {
    let Some(fields) = fields(std::process::id()) else { return 0.0 };
    // utime, stime
    fields[11..13].iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// Peak of resident memory in MiB since [`reset_peak`], summed over the tree.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    let parents = parents();
    tree(pid, &parents).into_iter().filter_map(|pid| status_kib(pid, "VmHWM:")).sum::<f64>() / 1024.0
}

/// Resident memory in MiB now, summed over the tree.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let parents = parents();
    tree(pid, &parents).into_iter().filter_map(|pid| status_kib(pid, "VmRSS:")).sum::<f64>() / 1024.0
}

/// Begins to count the peak anew.
pub(crate) fn reset_peak(pid: u32) {
    for pid in tree(pid, &parents()) {
        // a process that has just ended has no peak
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}

fn parents() -> HashMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, fields(pid)?.get(1)?.parse().ok()?)))
        .collect()
}

fn tree(root: u32, parents: &HashMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// The fields of `/proc/<pid>/stat` behind the name, which may hold anything: state, parent, …
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn ticks(pid: u32) -> Option<f64> {
    let fields = fields(pid)?;
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), counted from 1, two of which stand before the cut
    fields.get(11..15)?.iter().map(|field| field.parse::<f64>().ok()).sum()
}

fn status_kib(pid: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The processes that this one has started, and that still run.
#[cfg(feature = "distributed")]
pub(crate) fn children() -> std::collections::BTreeSet<u32> {
    let me = std::process::id();
    parents().into_iter().filter(|(_, parent)| *parent == me).map(|(pid, _)| pid).collect()
}

/// The names of a process and of all that it started, as the kernel cuts them.
#[cfg(feature = "distributed")]
pub(crate) fn commands(pid: u32) -> Vec<String> {
    let name = |pid| Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned());
    tree(pid, &parents()).into_iter().filter_map(name).collect()
}
