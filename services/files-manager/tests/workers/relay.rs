//! A way to the product on which connections break.

use std::io::{Read as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// An address that leads to `target`, where each connection breaks after so many bytes of answers. It is there as long as the test's process.
pub(crate) fn cutting(target: &str, bytes: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let target = target.trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&target).unwrap();
            let (mut asks, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = copy(&mut asks, &mut asked);
                let _ = asked.shutdown(Shutdown::Write);
            });
            thread::spawn(move || {
                let _ = copy(&mut (&server).take(bytes), &mut &client);
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    address
}
