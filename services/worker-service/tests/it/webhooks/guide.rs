//! The examples of the guide, on a message that was really sent.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::*;

/// The first block of this language.
fn block(language: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/webhooks.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let (_, rest) = text.split_once(&format!("\n```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

async fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    said.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_check_what_was_sent() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (_, secret) = scene.webhook("bob", &receiver.url, Value::Null).await;
    scene.job("good", bob()).await;
    let sent = receiver.until_received(1).await.remove(0);
    let fields = json!({
        "webhook-id": sent.field("webhook-id"),
        "webhook-timestamp": sent.field("webhook-timestamp"),
        "webhook-signature": format!("v1,AAAA {}", sent.field("webhook-signature")),
    });
    let call = "\nimport json, sys\nprint(verify(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3].encode(), float(sys.argv[4])))";
    let python = format!("{}{call}", block("python"));
    let now = scene.world.clock.now().seconds();
    let genuine = sent.text().to_owned();
    let forged = genuine.replace("good", "evil");
    for (body, now, good) in
        [(&genuine, now, "True"), (&forged, now, "False"), (&genuine, now + 301, "False")]
    {
        let mut command = Command::new("python3");
        command.args(["-W", "error", "-c", &python, &secret, &fields.to_string(), body, &now.to_string()]);
        assert_eq!(said(&mut command).await, good, "{body}");
    }
    let shell = block("sh");
    for (body, good) in [(&genuine, "genuine"), (&forged, "forged")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("body"), body).unwrap();
        let mut command = Command::new("sh");
        command.args(["-euc", &shell]).current_dir(&folder).env("SECRET", &secret);
        for (name, field) in
            [("ID", "webhook-id"), ("STAMP", "webhook-timestamp"), ("SIGNATURE", "webhook-signature")]
        {
            command.env(name, fields[field].as_str().unwrap());
        }
        assert_eq!(said(&mut command).await, good);
    }
    scene.stop().await;
    receiver.stop().await;
}
