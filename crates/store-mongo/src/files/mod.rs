//! The collections of file-service.
