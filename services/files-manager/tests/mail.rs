//! Mail through a real mail server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use support::{Installation, files_below};

struct MailServer(Child);

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_user_gets_one_welcome_mail() {
    let python =
        std::env::var_os("FM_TEST_SMTP_PYTHON").expect("`cargo xtask test` names a Python that has aiosmtpd");
    let mailbox = tempfile::tempdir().unwrap();
    let folder = mailbox.path().join("mail");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Command::new(python)
        .args(["-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Mailbox"])
        .arg(&folder)
        .args(["-l", &address.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let _server = MailServer(server);

    // the product starts before the mail server answers, and tries until it does
    let installation = Installation::fresh()
        .with("FM_MAIL__SMTP_HOST", "127.0.0.1")
        .with("FM_MAIL__SMTP_PORT", &address.port().to_string())
        .with("FM_MAIL__SMTP_TLS", "none")
        .with("FM_MAIL__FROM", "Files <files@example.org>");
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    e2e::jobs::all_ended(&product, &ada).await.unwrap();
    let mails = files_below(&folder.join("new"));
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = std::fs::read_to_string(&mails[0]).unwrap();
    assert!(
        mail.contains("To: ada@example.org") && mail.contains("From: Files <files@example.org>"),
        "{mail}"
    );
    assert!(
        files_below(&installation.data().join("mail")).is_empty(),
        "nothing is written where mail is sent"
    );
    let (_, log) = running.stop();
    assert!(!log.contains("ada@example.org"), "the log holds an address: {log}");
}
