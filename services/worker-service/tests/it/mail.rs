//! Mails into files and to a server.

use std::sync::Arc;
use std::time::Duration;

use common::auth::Address;
use common::auth::mail::{ACCOUNT_MAIL_LABEL, AccountMail, MailContent};
use common::jobs::{JobState, NewJob, types};
use common::{JobId, Timestamp, UserId};
use runtime::secrets::MasterKey;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use worker_service::mail::{
    self, Cause, Delivery, FileMailer, Mail, MailError, MailSender, Sender, SmtpMailer, SmtpSettings, SmtpTls,
};
use worker_service::{AccountMailHandler, Registry, WelcomeHandler};

use crate::files_double::Users;
use crate::support::World;

fn welcome(to: &str) -> Mail {
    let cause = Cause { job: JobId::from_bytes([1; 12]), at: Timestamp::from_millis(1_767_225_600_000) };
    mail::welcome(cause, &Address::parse(to).unwrap(), Some("https://files.example.org/"))
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_mail_is_written_once_though_its_job_runs_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mails = folder.path().join("mail");
    let mailer = FileMailer::new(&mails, Sender::default());
    let Delivery::Written(path) = mailer.send(&welcome("bob@dylan.com")).await.unwrap() else {
        panic!("not written")
    };
    let first = std::fs::read_to_string(&path).unwrap();
    // the boundary between its parts is random, so a second writing would show
    assert_eq!(mailer.send(&welcome("bob@dylan.com")).await.unwrap(), Delivery::Written(path.clone()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    assert_eq!(files(&mails), ["010101010101010101010101.eml"]);
    for line in [
        "To: bob@dylan.com\r\n",
        "Subject: Welcome to Files Manager\r\n",
        "Message-ID: <010101010101010101010101@localhost>\r\n",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Welcome bob@dylan.com!\r\n",
        "https://files.example.org/",
    ] {
        assert!(first.contains(line), "{line:?} is not in {first}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("mail");
    std::fs::write(&taken, "a file").unwrap();
    let error = FileMailer::new(&taken, Sender::default()).send(&welcome("bob@dylan.com")).await.unwrap_err();
    assert!(matches!(error, MailError::Unavailable(_)), "{error:?}");
}

#[test]
fn a_sender_is_a_mailbox() {
    assert!("Files <files@example.org>".parse::<Sender>().is_ok());
    assert!("files".parse::<Sender>().is_err());
}

/// A mail server that says what it is told to.
struct SmtpSink {
    port: u16,
    server: JoinSet<Vec<String>>,
}

impl SmtpSink {
    /// Answers one conversation; `to_recipient` answers `RCPT TO`.
    async fn start(to_recipient: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            converse(stream, to_recipient).await
        });
        Self { port, server }
    }

    fn mailer(&self) -> SmtpMailer {
        SmtpMailer::new(SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: SmtpTls::None,
            login: None,
            sender: "Files <files@example.org>".parse().unwrap(),
        })
        .unwrap()
    }

    /// What the client said.
    async fn heard(mut self) -> Vec<String> {
        self.server.join_next().await.unwrap().unwrap()
    }
}

async fn converse(stream: TcpStream, to_recipient: &str) -> Vec<String> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut heard = Vec::new();
    let mut in_data = false;
    write.write_all(b"220 sink\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match &*verb {
            _ if in_data && line != "." => None,
            "." => {
                in_data = false;
                Some("250 kept")
            }
            "EHLO" => Some("250 sink"),
            "RCPT" => Some(to_recipient),
            "DATA" => {
                in_data = true;
                Some("354 go on")
            }
            "QUIT" => Some("221 bye"),
            _ => Some("250 fine"),
        };
        heard.push(line);
        if let Some(answer) = answer {
            write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
        if verb == "QUIT" && !in_data {
            break;
        }
    }
    heard
}

#[tokio::test]
async fn a_mail_reaches_a_server() {
    let sink = SmtpSink::start("250 fine").await;
    let mailer = sink.mailer();
    assert_eq!(mailer.send(&welcome("bob@dylan.com")).await.unwrap(), Delivery::Sent);
    drop(mailer);
    let heard = sink.heard().await;
    for line in [
        "MAIL FROM:<files@example.org>",
        "RCPT TO:<bob@dylan.com>",
        "To: bob@dylan.com",
        "Welcome bob@dylan.com!",
    ] {
        assert!(heard.iter().any(|heard| heard.trim_end() == line), "{line} is not in {heard:?}");
    }
}

#[tokio::test]
async fn a_refused_mailbox_is_told_from_a_server_that_is_busy() {
    for (answer, refused) in
        [("550 no such user", true), ("450 try later", false), ("535 who are you", false)]
    {
        let sink = SmtpSink::start(answer).await;
        let error = sink.mailer().send(&welcome("bob@dylan.com")).await.unwrap_err();
        assert_eq!(matches!(error, MailError::Refused(_)), refused, "{answer}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let sink = SmtpSink { port, server: JoinSet::new() };
    let error = sink.mailer().send(&welcome("bob@dylan.com")).await.unwrap_err();
    assert!(matches!(error, MailError::Unavailable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_is_welcomed_once_and_the_log_says_so() {
    let world = World::new();
    let user = UserId::from_bytes([9; 12]);
    let users = Users::start(&[(user, "bob@dylan.com")]).await;
    let mails = world.folder.path().join("mail");
    let mailer = Arc::new(FileMailer::new(&mails, Sender::default()));
    let handler = WelcomeHandler::new(users.client(), mailer, None, 2);
    let running = world.run(Registry::default().with(Arc::new(handler)));
    let job = types::welcome_mail(world.ids.next(), user, Timestamp::from_millis(1));
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "mail": "written" })));
    assert_eq!(world.log(job.id).await, ["Welcome bob@dylan.com!"]);
    assert_eq!(files(&mails), [format!("{}.eml", job.id)]);
    for (data, error) in [
        (json!({}), "Missing userId"),
        (json!({ "userId": "" }), "Missing userId"),
        (json!({ "userId": "x" }), "User not found"),
        (json!({ "userId": UserId::from_bytes([8; 12]) }), "User not found"),
    ] {
        let job = NewJob { data, ..world.new_job(types::WELCOME_MAIL) };
        world.submit(std::slice::from_ref(&job)).await;
        assert_eq!(world.until_state(job.id, JobState::Failed).await.error.as_deref(), Some(error));
    }
    running.stop().await;
    users.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_stay_out_of_the_log_when_mail_is_sent() {
    let world = World::new();
    let (bob, odd) = (UserId::from_bytes([9; 12]), UserId::from_bytes([8; 12]));
    let users = Users::start(&[(bob, "bob@dylan.com"), (odd, "no mailbox")]).await;
    let sink = SmtpSink::start("250 fine").await;
    let handler = WelcomeHandler::new(users.client(), Arc::new(sink.mailer()), None, 2);
    let running = world.run(Registry::default().with(Arc::new(handler)));
    let job = types::welcome_mail(world.ids.next(), bob, Timestamp::from_millis(1));
    world.submit(std::slice::from_ref(&job)).await;
    world.until_state(job.id, JobState::Complete).await;
    assert_eq!(world.log(job.id).await, ["Welcome b***@d***!"]);
    // the classic sign-up takes any text; there is nobody to write to
    let job = types::welcome_mail(world.ids.next(), odd, Timestamp::from_millis(1));
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "mail": "no mailbox" })));
    assert_eq!(world.log(job.id).await, ["Welcome n***!"]);
    running.stop().await;
    users.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_down_delays_the_mail() {
    let world = World::new();
    let user = UserId::from_bytes([9; 12]);
    let users = Users::start(&[(user, "bob@dylan.com")]).await;
    let sink = SmtpSink::start("421 closing").await;
    let handler = WelcomeHandler::new(users.client(), Arc::new(sink.mailer()), None, 1);
    let running = world.run(Registry::default().with(Arc::new(handler)));
    let job = types::welcome_mail(world.ids.next(), user, Timestamp::from_millis(1));
    world.submit(std::slice::from_ref(&job)).await;
    let delayed = world.until_state(job.id, JobState::Delayed).await;
    assert_eq!(delayed.error.as_deref(), Some("mail cannot be sent now"));
    world.clock.advance(Duration::from_secs(1));
    running.stop().await;
    users.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_mail_is_opened_for_its_reader_alone() {
    let world = World::new();
    let mails = world.folder.path().join("mail");
    let mailer = Arc::new(FileMailer::new(&mails, Sender::default()));
    let key = Arc::new(MasterKey::parse(&"07".repeat(32), None).unwrap());
    let handler = AccountMailHandler::new(Arc::clone(&key), mailer, None, 2);
    let running = world.run(Registry::default().with(Arc::new(handler)));
    let job = |decoy: bool, label: &str| {
        let content = MailContent::ResetPassword { code: "ABCDE-12345".to_owned() };
        let mail = AccountMail { to: "bob@dylan.com".to_owned(), decoy, content };
        let sealed = key.seal(label, &serde_json::to_vec(&mail).unwrap());
        // kept, to be looked at
        let job = types::account_mail(world.ids.next(), sealed, Timestamp::from_millis(1));
        NewJob { remove_on_complete: false, ..job }
    };
    let (real, decoy, foreign) =
        (job(false, ACCOUNT_MAIL_LABEL), job(true, ACCOUNT_MAIL_LABEL), job(false, "totp"));
    world.submit(&[real.clone(), decoy.clone(), foreign.clone()]).await;
    for id in [real.id, decoy.id] {
        let done = world.until_state(id, JobState::Complete).await;
        assert_eq!(
            done.result,
            Some(json!({ "mail": "done" })),
            "the job does not tell whether there is an account"
        );
        assert!(world.log(id).await.is_empty());
    }
    let failed = world.until_state(foreign.id, JobState::Failed).await;
    assert_eq!(failed.error.as_deref(), Some("The mail cannot be opened"));
    assert_eq!(files(&mails), [format!("{}.eml", real.id)]);
    let text = std::fs::read_to_string(mails.join(format!("{}.eml", real.id))).unwrap();
    assert!(text.contains("To: bob@dylan.com") && text.contains("ABCDE-12345"), "{text}");
    running.stop().await;
}
