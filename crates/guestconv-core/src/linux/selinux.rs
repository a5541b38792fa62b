//! SELinux: whether the guest uses it, and which label a new file gets.
//!
//! `/etc/selinux/config` (selinux_config(5)) names mode and policy; the policy's `contexts/files/file_contexts` says the
//! labels. A file that is changed keeps its label, a new one gets its own from there: nothing is relabelled at boot, and
//! `/.autorelabel` is neither made nor removed. The compiled `.bin` files hold the same and are not read.

use crate::finding::Finding;
use crate::formats::file_contexts::{self, BadPattern, Spec};
use crate::formats::shell_vars;
use crate::linux::Probe;
use crate::path::{GuestPath, guest_path};
use crate::tree::{FileKind, GuestTree, ReadError};
use serde::{Deserialize, Serialize};

/// What is known of SELinux in a root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "SelinuxFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `enforcing` or `permissive`; `None` if it is disabled or not there.
    pub mode: Option<String>,
    /// The name of the policy: `targeted`.
    pub policy: Option<String>,
    /// Whether `/.autorelabel` asks for new labels at the next boot.
    pub relabels: bool,
}

const CONFIG: &str = "/etc/selinux/config";

/// Reads whether the guest uses SELinux.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let tree = probe.tree;
    let Some((mode, policy)) = config(tree)? else { return Ok(Facts::default()) };
    if !tree.exists(&contexts(&policy, ""))? {
        let text = format!(
            "SELinux is {mode}, and its policy {policy} has no file_contexts: new files get no label"
        );
        findings.push(Finding::warning("selinux-no-contexts", text).about(CONFIG));
    }
    let relabels = tree.exists(&guest_path("/.autorelabel"))?;
    Ok(Facts { mode: Some(mode), policy: Some(policy), relabels })
}

/// Returns mode and policy; `None` if SELinux is disabled or not there.
fn config(tree: &dyn GuestTree) -> Result<Option<(String, String)>, ReadError> {
    let Some(text) = tree.whole_text(&guest_path(CONFIG))? else { return Ok(None) };
    let value = |name: &str| shell_vars::value(&text, name).map(|value| value.trim().to_owned());
    let mode = value("SELINUX").map(|mode| mode.to_ascii_lowercase());
    let is_on = |mode: &String| mode == "enforcing" || mode == "permissive";
    let policy = value("SELINUXTYPE").filter(|policy| !policy.is_empty());
    Ok(mode.filter(is_on).map(|mode| (mode, policy.unwrap_or_else(|| "targeted".to_owned()))))
}

/// Returns where a policy keeps its labels.
fn contexts(policy: &str, suffix: &str) -> GuestPath {
    let policy = guest_path("/etc/selinux").join(policy);
    policy.join("contexts/files").join(&format!("file_contexts{suffix}"))
}

/// The labels that a guest's policy gives its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labeler {
    specs: Vec<Spec>,
    /// `file_contexts.subs`, and those of the distribution, which apply after them.
    substitutions: [Vec<(String, String)>; 2],
}

impl Labeler {
    /// Reads the labels of a guest's policy; `None` if it does not use SELinux or has no such file.
    ///
    /// # Errors
    /// [`ReadError`] if a file that is there cannot be read.
    pub fn of(tree: &dyn GuestTree) -> Result<Option<Self>, ReadError> {
        let Some((_, policy)) = config(tree)? else { return Ok(None) };
        let text = |suffix: &str| tree.whole_text(&contexts(&policy, suffix));
        let Some(base) = text("")? else { return Ok(None) };
        let mut specs = file_contexts::parse(&base);
        for suffix in [".homedirs", ".local"] {
            specs.extend(text(suffix)?.iter().flat_map(|text| file_contexts::parse(text)));
        }
        let pairs = |suffix: &str| -> Result<Vec<(String, String)>, ReadError> {
            Ok(text(suffix)?.map(|text| file_contexts::substitutions(&text)).unwrap_or_default())
        };
        Ok(Some(Self { specs, substitutions: [pairs(".subs")?, pairs(".subs_dist")?] }))
    }

    /// Returns the label of a file, without its NUL; `None` if the policy gives it none.
    ///
    /// # Errors
    /// [`BadPattern`] if a pattern of the policy that may be the one cannot be read.
    pub fn label(&self, path: &GuestPath, kind: FileKind) -> Result<Option<String>, BadPattern> {
        let mut path = path.as_str().to_owned();
        for pairs in &self.substitutions {
            path = file_contexts::substituted(pairs, &path).unwrap_or(path);
        }
        let spec = file_contexts::lookup(&self.specs, &path, kind)?;
        Ok(spec.and_then(|spec| spec.context.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::MemTree;
    use crate::layout::Layout;

    const FILES: &str = "/etc/selinux/targeted/contexts/files/file_contexts";

    #[test]
    fn the_config_says_whether_it_is_used() {
        let layout = Layout::default();
        for (config, files, mode, codes) in [
            (None, true, None, &[][..]),
            (Some("SELINUX=disabled\nSELINUXTYPE=targeted\n"), true, None, &[]),
            (Some("# c\nSELINUX=Enforcing\nSELINUXTYPE=targeted \n"), true, Some("enforcing"), &[]),
            (Some("SELINUX=permissive\n"), false, Some("permissive"), &["selinux-no-contexts"]),
        ] {
            let mut tree = MemTree::of(&[("/etc/hostname", "a")]);
            let mut put = |path: &str, text: &str| {
                tree.insert(path, crate::fixtures::Entry::File(text.as_bytes().to_vec()));
            };
            config.into_iter().for_each(|text| put(CONFIG, text));
            files.then(|| put(FILES, ""));
            let mut findings = Vec::new();
            let facts =
                facts(&Probe { tree: &tree, layout: &layout, mounts: &[], known: Some(&[]) }, &mut findings)
                    .unwrap();
            let policy = mode.map(|_| "targeted".to_owned());
            assert_eq!(facts, Facts { mode: mode.map(str::to_owned), policy, relabels: false }, "{config:?}");
            assert_eq!(findings.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), codes, "{config:?}");
            assert_eq!(Labeler::of(&tree).unwrap().is_some(), mode.is_some() && files, "{config:?}");
        }
    }

    #[test]
    fn local_lines_and_substitutions_decide() {
        let tree = MemTree::of(&[
            (CONFIG, "SELINUX=enforcing\nSELINUXTYPE=targeted\n"),
            (FILES, "/etc(/.*)? a:b:etc_t:s0\n/usr/lib(/.*)? a:b:lib_t:s0\n/srv(/.*)? a:b:srv_t:s0\n"),
            (&format!("{FILES}.local"), "/etc/mine a:b:mine_t:s0\n"),
            (&format!("{FILES}.homedirs"), "/home/[^/]+ -d a:b:home_t:s0\n"),
            (&format!("{FILES}.subs"), "/data /lib\n"),
            (&format!("{FILES}.subs_dist"), "/lib /usr/lib\n"),
        ]);
        let labeler = Labeler::of(&tree).unwrap().unwrap();
        for (path, kind, label) in [
            ("/etc/mine", FileKind::File, Some("a:b:mine_t:s0")),
            ("/etc/other", FileKind::File, Some("a:b:etc_t:s0")),
            ("/home/joe", FileKind::Directory, Some("a:b:home_t:s0")),
            ("/home/joe", FileKind::File, None),
            ("/lib/x", FileKind::File, Some("a:b:lib_t:s0")),
            ("/data/x", FileKind::File, Some("a:b:lib_t:s0")),
        ] {
            let path = GuestPath::new(path).unwrap();
            assert_eq!(labeler.label(&path, kind), Ok(label.map(str::to_owned)), "{path}");
        }
    }
}
