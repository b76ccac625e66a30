//! Every example of the guides runs.

use std::fs;

use rustix::process::Signal;

use crate::scene::{Program, Scene, folder};
use crate::support;

/// What a guide shows: programs in Python, and commands.
struct Examples {
    python: Vec<String>,
    commands: String,
}

impl Examples {
    /// Blocks marked `python` and `sh`, and commands within tables, which begin with `api`.
    fn of(guide: &str) -> Self {
        let text = fs::read_to_string(folder().join("../../docs").join(guide)).unwrap();
        let mut examples = Self { python: Vec::new(), commands: "set -eu\n".to_owned() };
        let mut block: Option<(&str, String)> = None;
        for line in text.lines() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(language)) => block = Some((language, String::new())),
                (Some(_), Some(_)) => match block.take() {
                    Some(("python", code)) => examples.python.push(code),
                    Some(("sh", commands)) => examples.commands.push_str(&commands),
                    _ => {}
                },
                (Some((_, code)), None) => {
                    code.push_str(line);
                    code.push('\n');
                }
                (None, None) if line.starts_with('|') => {
                    let commands = line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("api "));
                    for command in commands {
                        examples.commands.push_str(command);
                        examples.commands.push('\n');
                    }
                }
                (None, None) => {}
            }
        }
        examples
    }
}

/// Runs all examples of a guide; what its commands said.
async fn examples_run(guide: &str) {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let file = scene.product.upload(&scene.admin, "root", "text.txt", "some words").await.unwrap();
    let examples = Examples::of(guide);
    assert!(examples.commands.lines().count() > 10 && !examples.python.is_empty());
    let workers: Vec<Program> = examples
        .python
        .iter()
        .map(|code| scene.start("python3", &["-W", "error", "-c", code], &[]))
        .collect();
    let address = format!("{}/api/v1", scene.product.address);
    let named = [
        ("A", &*address),
        ("TOKEN", &*scene.admin.token),
        ("FILE", file["id"].as_str().unwrap()),
        ("ME", &*scene.admin.id),
    ];
    let commands = scene.start("sh", &["-xc", &examples.commands], &named);
    let said = commands.ended().await.unwrap();
    // in the middle of a pipe a failure does not end the script
    for sign in ["curl: (22)", "\"code\":\"", "jq: "] {
        assert!(!said.contains(sign), "not all went well: {said}");
    }
    for worker in workers {
        worker.signal(Signal::TERM);
        worker.ended().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_guide_run() {
    examples_run("jobs.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_for_users_of_kue_run() {
    examples_run("from-kue.md").await;
}
