//! The program `guestconv`; all of it is in the library of this crate, where the manual pages are made from, too.

fn main() -> std::process::ExitCode {
    guestconv_cli::run(std::env::args_os())
}
