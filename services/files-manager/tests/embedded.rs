//! Every end-to-end case, each on a fresh all-in-one.

mod support;

e2e::all_cases!(crate::support::fresh);
