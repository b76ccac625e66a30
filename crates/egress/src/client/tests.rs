//! Over real sockets: what listens on the loopback is reached only where that is allowed.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(20), whole: Duration::from_secs(20), body_bytes: 4096 };

/// Answers every connection with these bytes; what it was sent.
struct Listener {
    port: u16,
    connections: tokio::sync::mpsc::UnboundedReceiver<String>,
    _task: JoinSet<()>,
}

async fn listen(answer: &'static str) -> Listener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, connections) = tokio::sync::mpsc::unbounded_channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut some = [0; 4096];
            // the bodies of these tests end with an exclamation mark
            while !request.ends_with(b"!") {
                match stream.read(&mut some).await {
                    Ok(read @ 1..) => request.extend_from_slice(&some[..read]),
                    _ => break,
                }
            }
            sender.send(String::from_utf8(request).unwrap()).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Listener { port, connections, _task: task }
}

async fn post(networks: &str, limits: Limits, place: &str) -> Result<Answer, NoAnswer> {
    let egress = Egress::new(Allowed::parse(networks).unwrap(), limits).unwrap();
    egress.post(place, &[("webhook-id", "x".to_owned())], Bytes::from_static(b"hello!")).await
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn what_is_allowed_is_reached_by_address_and_by_name() {
    let mut listener = listen(OK).await;
    let answer = Ok(Answer { status: 200, retry_after: None });
    for (networks, host) in [("127.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8, ::1", "localhost")] {
        assert_eq!(post(networks, LIMITS, &format!("http://{host}:{}/a", listener.port)).await, answer);
        let request = listener.connections.recv().await.unwrap();
        assert!(request.starts_with("POST /a HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("webhook-id: x\r\n") && request.ends_with("\r\n\r\nhello!"), "{request}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_not_connected_to() {
    let mut listener = listen(OK).await;
    let place = |host: &str| format!("http://{host}:{}/", listener.port);
    let address = Err(NoAnswer::Place(InvalidPlace::Address));
    assert_eq!(post("", LIMITS, &place("127.0.0.1")).await, address);
    assert_eq!(post("", LIMITS, &place("[::ffff:127.0.0.1]")).await, address);
    for name in ["localhost", "LOCALHOST"] {
        assert_eq!(post("", LIMITS, &place(name)).await, Err(NoAnswer::Address), "{name}");
    }
    // an address of another network does not help
    assert_eq!(post("10.0.0.0/8", LIMITS, &place("localhost")).await, Err(NoAnswer::Address));
    assert!(listener.connections.try_recv().is_err(), "nobody came");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut target = listen(OK).await;
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n",
        target.port
    );
    let redirecting = listen(String::leak(answer)).await;
    let answer = post("127.0.0.1", LIMITS, &format!("http://127.0.0.1:{}/", redirecting.port)).await;
    assert_eq!(answer, Ok(Answer { status: 307, retry_after: None }));
    assert!(target.connections.try_recv().is_err(), "nobody came");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let limits = Limits { whole: Duration::from_millis(50), ..LIMITS };
    assert_eq!(post("127.0.0.1", limits, &place).await, Err(NoAnswer::Time));
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    let listener = listen(String::leak(format!("{head}{}", "x".repeat(5000)))).await;
    let answer = post("127.0.0.1", LIMITS, &format!("http://127.0.0.1:{}/", listener.port)).await;
    assert_eq!(answer, Ok(Answer { status: 200, retry_after: None }));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nobody = post("127.0.0.1", LIMITS, &format!("http://127.0.0.1:{free}/")).await;
    assert_eq!(nobody, Err(NoAnswer::Connection));
    let name = post("", LIMITS, "http://no-such-name.invalid/").await;
    assert!(matches!(name, Err(NoAnswer::Name)), "{name:?}");
    let rude = listen("hello").await;
    let answer = post("127.0.0.1", LIMITS, &format!("http://127.0.0.1:{}/", rude.port)).await;
    assert_eq!(answer, Err(NoAnswer::Answer));
}

#[tokio::test]
async fn an_answer_says_when_it_wants_to_be_asked_again() {
    let busy =
        listen("HTTP/1.1 503 Service Unavailable\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n").await;
    let answer = post("127.0.0.1", LIMITS, &format!("http://127.0.0.1:{}/", busy.port)).await;
    let retry_after = Some(RetryAfter::Delay(Duration::from_secs(120)));
    assert_eq!(answer, Ok(Answer { status: 503, retry_after }));
}

#[test]
fn both_forms_of_the_field_are_read_and_bounded() {
    let (now, most) = (Timestamp::from_millis(784_111_777_000 - 90_500), Duration::from_secs(3600));
    let wait = |field| RetryAfter::parse(field).map(|after| after.wait(now, most));
    assert_eq!(wait(" 30 "), Some(Duration::from_secs(30)));
    assert_eq!(wait("0"), Some(Duration::ZERO));
    assert_eq!(wait("99999999999999999999999"), Some(most));
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_millis(90_500)));
    assert_eq!(wait("Sun Nov  6 08:49:37 1994"), Some(Duration::from_millis(90_500)));
    assert_eq!(wait("Sat, 05 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO), "it has passed");
    assert_eq!(wait("Sat, 06 Nov 2094 08:49:37 GMT"), Some(most));
    for wrong in ["", "soon", "-5", "1.5", "+5"] {
        assert_eq!(wait(wrong), None, "{wrong}");
    }
}
