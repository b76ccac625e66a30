//! The contract of the file store, over MongoDB.
