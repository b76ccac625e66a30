//! Looks whether what is stored hangs together: contents against what is known of them, counters against what they count, files against their folders.
//!
//! All but the last is done by the tasks that maintenance runs by itself ([`Checked::step`]); here they are run to their end at once, and tell.

use async_trait::async_trait;
use common::files::Counter;
use common::files::internal::{Finding, StepDone};
use common::{BlobKey, FileId, PortResult};

use crate::report::Report;

/// How to look, and whether to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Check {
    /// Read every content and hold it against its hash; without this only what stands in the database is read, and of the rest the size
    #[arg(long)]
    pub deep: bool,
    /// Put right what can be: counters, files without a folder, contents that belong to no file
    #[arg(long)]
    pub repair: bool,
}

/// What is looked at.
#[async_trait]
pub trait Checked: Send + Sync {
    /// Some files and folders whose folder is not there, by ascending ids after `after`, with their names; none at the end.
    async fn loose_nodes(&self, after: Option<FileId>) -> PortResult<Vec<(FileId, String)>>;

    /// Files with contents of which nothing is known.
    async fn loose_contents(&self) -> PortResult<Vec<(FileId, BlobKey)>>;

    /// Puts a file or folder whose folder is not there into the root of its space; the name that it got. None if it has no space either.
    async fn adopt_node(&self, id: FileId) -> PortResult<Option<String>>;

    /// A step of a task of maintenance.
    async fn step(&self, task: &'static str, cursor: Option<String>) -> PortResult<StepDone>;
}

/// What it looks at, for whoever waits, and how much of that is done in percent.
pub type Progress<'a> = &'a (dyn Fn(&str, u8) + Send + Sync);

/// The empty report of a check.
pub fn report() -> Report {
    Report::titled(["put right", "wrong"], false)
}

/// Looks at everything; the report is true whenever it ends. Without `repair`, `checked` is to be a copy of the database: there, too, some of what is wrong is put right, so that the rest is found.
///
/// # Errors
/// Those of the stores.
pub async fn check(
    asked: Check,
    checked: &dyn Checked,
    report: &mut Report,
    progress: Progress<'_>,
) -> PortResult<()> {
    let mut checking = Checking { asked, checked, progress, report };
    // what is put into a folder is counted after that
    checking.nodes().await?;
    checking.contents_without_rows().await?;
    checking.counters().await?;
    checking.strays().await?;
    checking.contents().await
}

struct Checking<'a> {
    asked: Check,
    checked: &'a dyn Checked,
    progress: Progress<'a>,
    report: &'a mut Report,
}

impl Checking<'_> {
    async fn nodes(&mut self) -> PortResult<()> {
        let mut after = None;
        loop {
            let loose = self.checked.loose_nodes(after).await?;
            let Some((last, _)) = loose.last() else { return Ok(()) };
            after = Some(*last);
            for (id, name) in loose {
                let wrong = format!("“{name}” ({id}) has no folder: no way leads to it");
                // in a copy as well: the recount wants to find the way to everything
                match self.checked.adopt_node(id).await? {
                    Some(called) if self.asked.repair => {
                        self.report.changed(format!("{wrong}; it is “{called}” in the root now"))
                    }
                    _ => self.report.left(wrong),
                }
            }
        }
    }

    async fn contents_without_rows(&mut self) -> PortResult<()> {
        for (file, blob) in self.checked.loose_contents().await? {
            self.report.left(format!(
                "the file {file} has the content {blob}, of which nothing is known: restore the database from a backup"
            ));
        }
        Ok(())
    }

    async fn counters(&mut self) -> PortResult<()> {
        for finding in self.run("recount-usage", "counters").await? {
            let Finding::Miscount(wrong) = finding else { continue };
            let of = if wrong.of.is_empty() { "all spaces" } else { &wrong.of };
            let what = counted(wrong.counter);
            let text = format!("{what} of {of}: {} stood there, {} are there", wrong.stored, wrong.counted);
            if self.asked.repair { self.report.changed(text) } else { self.report.left(text) }
        }
        Ok(())
    }

    async fn strays(&mut self) -> PortResult<()> {
        let strays = self.run("find-strays", "contents of no file").await?;
        if self.asked.repair && !strays.is_empty() {
            self.run("sweep-strays", "contents of no file").await?;
        }
        for finding in strays {
            let Finding::Stray { blob, size } = finding else { continue };
            let text = format!("the content {blob} ({size} bytes) belongs to no file");
            if self.asked.repair {
                self.report.changed(format!("{text}; it is deleted"));
            } else {
                self.report.left(text);
            }
        }
        Ok(())
    }

    async fn contents(&mut self) -> PortResult<()> {
        let task = if self.asked.deep { "scrub-blobs" } else { "compare-blobs" };
        for finding in self.run(task, "contents").await? {
            let Finding::DamagedBlob { blob, problem, files } = finding else { continue };
            let files: Vec<String> = files.iter().map(FileId::to_string).collect();
            let of = if files.is_empty() { "no file any more".to_owned() } else { files.join(", ") };
            self.report.left(format!("the content {blob} of {of}: {problem}; restore it from a backup"));
        }
        Ok(())
    }

    /// Runs a task to its end; what it found.
    async fn run(&mut self, task: &'static str, what: &str) -> PortResult<Vec<Finding>> {
        let (mut cursor, mut found) = (None, Vec::new());
        loop {
            let step = self.checked.step(task, cursor).await?;
            found.extend(step.findings);
            (self.progress)(what, step.percent.unwrap_or_default());
            if step.done {
                return Ok(found);
            }
            cursor = step.cursor;
        }
    }
}

fn counted(counter: Counter) -> &'static str {
    match counter {
        Counter::ChildFolders => "folders in the folder",
        Counter::ChildFiles => "files in the folder",
        Counter::UsedBytes => "bytes used in the space",
        Counter::ReservedBytes => "bytes set aside in the space",
        Counter::Nodes => "files and folders in the space",
        Counter::Trashed => "things in the trash in the space",
        Counter::AllNodes => "files and folders",
        Counter::References => "references to the content",
        Counter::Condemned => "waiting for its end (1 is yes): the content",
    }
}
