//! Bad input: each has its own code, message and exit status, and nothing is changed or left behind.
//!
//! What can be told without a look into the disks is told where there is no appliance. The rest needs one, which
//! `GUESTCONV_APPLIANCE` names; without it that part is skipped and says so, or fails if `GUESTCONV_REQUIRE_GUESTS` is set.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

mod appliances;
mod case;
mod disks;
mod images;
mod systems;
mod wishes;
