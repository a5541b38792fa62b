//! Campaigns of `cargo xtask`, tried on the installed program.

use crate::installed;
use std::path::Path;
use std::process::Command;

/// Runs a task of the house with `--program` after `arguments`, then `names`; the host needs these programs. Nothing is tried
/// where they or the tree are missing, after saying so.
///
/// # Panics
/// If the task fails; then with all that it said.
pub fn campaign(arguments: &[&str], names: &[&str], programs: &[&str]) {
    let Some(tree) = installed(programs) else { return };
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(checkout)
        .args(["run", "--quiet", "--locked", "--package", "xtask", "--"])
        .args(arguments)
        .arg("--program")
        .arg(tree.path().join("bin/guestconv"))
        .args(names)
        .env("GUESTCONV_APPLIANCE", tree.path().join("libexec/guestconv"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
