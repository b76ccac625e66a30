//! The program that decodes pictures in this crate's tests, where the running program is the test itself.

fn main() {
    thumbnails::run_child_if_asked();
}
