//! What administrators do with all that an installation holds. Everything goes over traits that the programs' wiring implements; no adapter is named here.

pub mod backup;
