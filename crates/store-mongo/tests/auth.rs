//! The contract of the auth store, over MongoDB.
