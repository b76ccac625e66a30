//! A child for the tests of the pool: the real one, but for pictures that start with a word of command.
#![allow(clippy::print_stdout, reason = "one of the misdeeds")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use thumbnails::{Options, Pool, PoolConfig};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "--parent") {
        let picture = arguments.next().expect("a path follows");
        let width = arguments.next().and_then(|width| width.to_str()?.parse().ok()).expect("a width follows");
        return be_a_parent(File::open(picture).expect("the picture can be opened"), width);
    }
    match word().as_slice() {
        b"HANG" => hang(),
        b"DIES" => std::process::abort(),
        b"EXIT" => std::process::exit(3),
        b"TALK" => println!("hello"),
        b"FLOD" => while io::stdout().write_all(&[b'x'; 1 << 16]).is_ok() {},
        _ => thumbnails::run_child_if_asked(),
    }
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

/// The first four bytes of the picture, without moving in it.
fn word() -> Vec<u8> {
    let mut word = vec![0; 4];
    let stdin = io::stdin().as_fd().try_clone_to_owned().expect("standard input is open");
    match File::from(stdin).read_exact_at(&mut word, 0) {
        Ok(()) => word,
        Err(_) => Vec::new(),
    }
}

/// A service that has the picture made by a pool of its own.
fn be_a_parent(picture: File, width: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pool = Pool::new(PoolConfig::default()).expect("a pool");
    let result = runtime.block_on(pool.make(picture, &Options { widths: vec![width] }));
    println!("{result:?}");
}
