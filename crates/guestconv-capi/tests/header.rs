//! The header, which is written by hand for its readers, says what the library has: each function, with its types, and
//! nothing else. It is C99 and C++17.
#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

mod c;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a type of Rust is in C.
const TYPES: &[(&str, &str)] = &[
    ("*mut Handle", "guestconv_h *"),
    ("*const Handle", "const guestconv_h *"),
    ("*mut c_char", "char *"),
    ("*const c_char", "const char *"),
    ("*mut c_void", "void *"),
    ("c_int", "int"),
    ("c_uint", "unsigned int"),
    ("ProgressCallback", "guestconv_progress_callback"),
    ("LogCallback", "guestconv_log_callback"),
    ("()", "void"),
];

/// The version of the symbols.
const NODE: &str = "GUESTCONV_0.1";

#[test]
fn the_header_declares_what_the_code_defines() {
    let header = fs::read_to_string(c::package().join("include/guestconv.h")).unwrap();
    let mut defined = BTreeSet::new();
    defined_in(&c::package().join("src"), &mut defined);
    assert!(defined.len() > 10, "the code was found: {defined:?}");
    assert_eq!(declared(&header), defined);
}

#[test]
fn the_library_exports_what_the_header_declares_with_a_version_and_nothing_else() {
    let (Some(_), Some(mut nm)) = (c::tool("gcc"), c::tool("nm")) else { return };
    let directory = c::directory();
    let symbols = nm.args(["-D", "--defined-only", "--format=posix"]).arg(directory.path().join(c::SONAME));
    let symbols = String::from_utf8(symbols.output().unwrap().stdout).unwrap();
    let exported: BTreeSet<&str> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    let header = fs::read_to_string(c::package().join("include/guestconv.h")).unwrap();
    let declared = declared(&header);
    let name = |prototype: &'_ String| {
        let before = prototype.split_once('(').unwrap().0.to_owned();
        before.rsplit([' ', '*']).next().unwrap().to_owned()
    };
    // Every function is of the first release; the node itself is a symbol, too.
    let mut expected: BTreeSet<String> =
        declared.iter().map(|prototype| format!("{}@@{NODE}", name(prototype))).collect();
    expected.insert(NODE.to_owned());
    assert_eq!(exported, expected.iter().map(String::as_str).collect());
}

#[test]
fn the_header_is_c_and_c_plus_plus() {
    let header = c::package().join("include/guestconv.h");
    for (compiler, language, standard) in
        [("gcc", "c", "-std=c99"), ("gcc", "c", "-std=c17"), ("g++", "c++", "-std=c++17")]
    {
        let Some(mut compiler) = c::tool(compiler) else { continue };
        compiler.args([
            standard,
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            "-x",
            language,
        ]);
        let output = compiler.arg(&header).output().unwrap();
        assert!(output.status.success(), "{standard}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Returns the functions that the header declares, as `type name(type, type)`.
fn declared(header: &str) -> BTreeSet<String> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").unwrap().1;
    }
    code.push_str(rest);
    let is_code = |line: &&str| !line.starts_with('#') && !line.starts_with("extern \"C\"");
    let code: Vec<&str> = code.lines().filter(is_code).collect();
    let code = code.join(" ");
    let prototypes = code.split(';').map(str::trim).filter(|part| !part.starts_with("typedef"));
    prototypes.filter(|part| part.contains('(')).map(prototype).collect()
}

fn prototype(declaration: &str) -> String {
    let (head, parameters) = declaration.trim_end_matches(')').split_once('(').unwrap();
    let parameters = parameters.split(',').map(str::trim).map(|parameter| match parameter {
        "void" => "",
        _ => parameter.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').trim_end(),
    });
    format!("{}({})", head.trim(), parameters.collect::<Vec<_>>().join(", "))
}

/// Adds the functions that the code defines for C, as [`declared`] writes them.
fn defined_in(directory: &Path, defined: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            defined_in(&path, defined);
            continue;
        }
        let code = fs::read_to_string(path).unwrap();
        for definition in code.split("extern \"C\" fn ").skip(1) {
            let (signature, _) = definition.split_once('{').unwrap();
            let (name, rest) = signature.split_once('(').unwrap();
            let (parameters, returned) = rest.rsplit_once(')').unwrap();
            let types = parameters.split(',').filter_map(|parameter| parameter.split_once(':'));
            let types: Vec<&str> = types.map(|(_, rust)| in_c(rust.trim())).collect();
            let returned = in_c(returned.trim().strip_prefix("-> ").unwrap_or("()"));
            let space = if returned.ends_with('*') { "" } else { " " };
            defined.insert(format!("{returned}{space}{name}({})", types.join(", ")).replace(" (", "("));
        }
    }
}

fn in_c(rust: &str) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == rust).unwrap_or_else(|| panic!("{rust} is not known")).1
}
