//! The command `p2p` as a user meets it: real processes, each with its own home, on the loopback interface.

#![forbid(unsafe_code)]

mod documented;
mod errors;
mod output;
mod process;
mod story;
#[cfg(unix)]
mod walkthrough;
