//! The command `p2p` as a user meets it: real processes, each with its own home, on the loopback interface.

#![forbid(unsafe_code)]

mod admin;
#[cfg(unix)]
mod beside;
mod documented;
mod errors;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod identities;
mod output;
mod passwords;
mod process;
#[cfg(unix)]
mod qr;
mod story;
#[cfg(unix)]
mod walkthrough;
