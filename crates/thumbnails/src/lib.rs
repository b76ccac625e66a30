//! Thumbnails of strangers' pictures, made in child processes under limits.
//!
//! [`Pool::make`] takes an open file and gives back small pictures that are upright, in sRGB and without
//! metadata, beside a few facts about the original. A hostile picture can end a child, never the service. The
//! child is the running program itself: its `main` first calls [`run_child_if_asked`].
//!
//! - **In**: JPEG, PNG, GIF, WebP, BMP, TIFF, ICO ([`supports`]), told apart by content.
//! - **Out**: the format of the original, but JPEG or PNG for BMP, TIFF and ICO, and JPEG for wide opaque
//!   thumbnails of WebP ([`OutputFormat`]).
//! - **Size**: the width asked for, the height in proportion, never enlarged, at least 1 pixel, at most twelve
//!   times as high as the width asked for.
//! - **Colour**: an ICC profile is applied. CMYK without one is converted as browsers do. PNG's `gAMA` and `cHRM`
//!   are not looked at.
//! - **Limits**: [`Limits`], checked on the header before anything is allocated, and once more by the kernel.
//! - **Damage**: a JPEG that is cut off gives a thumbnail of what is there (the rest is gray); other damaged
//!   pictures give an error.
//!
//! Linux only: the limits and the children's bond to their parent are the kernel's.

mod child;
mod colour;
mod container;
mod decode;
mod encode;
mod error;
mod facts;
mod format;
mod geometry;
mod limits;
mod pool;
mod protocol;
mod raster;
mod render;
mod shrink;

pub use child::run_child_if_asked;
pub use error::{Error, Limit};
pub use facts::{Facts, TakenAt};
pub use format::{OutputFormat, SourceFormat, supports};
pub use limits::Limits;
pub use pool::{Pool, PoolConfig};
pub use render::{Made, Options, Thumbnail, WIDTHS, render};
