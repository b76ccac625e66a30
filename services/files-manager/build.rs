//! Builds the web page and makes a table of its files, so that the program carries it.
//!
//! `FILES_MANAGER_WEB_DIST` names a finished page instead (as a container build does); then neither Node nor `web/` is needed.

#[path = "build/page.rs"]
mod page;
#[path = "build/table.rs"]
mod table;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-env-changed=FILES_MANAGER_WEB_DIST");
    let dist = match std::env::var_os("FILES_MANAGER_WEB_DIST") {
        Some(folder) => {
            println!("cargo:rerun-if-changed={}", PathBuf::from(&folder).display());
            PathBuf::from(folder)
        }
        None => page::build()?,
    };
    table::write(&dist, &PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?))
}
