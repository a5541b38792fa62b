//! The core of guestconv decides and does no I/O: it sees a guest only through [`tree::GuestTree`] and values.
//!
//! The line: inspect → [`facts::Facts`] → describe → [`description::Description`] → (caller edits) → plan →
//! [`plan::Plan`] → apply → [`report::Outcome`] → verify → [`report::Report`]. Nothing flows backwards.

pub mod change;
pub mod describe;
pub mod description;
pub mod facts;
pub mod finding;
pub mod formats;
pub mod hardware;
pub mod inspect;
pub mod knowledge;
pub mod lay_out;
pub mod layout;
pub mod linux;
pub mod path;
pub mod plan;
pub mod protocol;
pub mod record;
pub mod report;
pub mod secret;
pub mod text;
pub mod tools;
pub mod tree;
mod xml;

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
