//! The layering of ARCHITECTURE.md, read from the manifests.

use std::fs;
use std::path::{Path, PathBuf};

/// Each crate with the crates of ours that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("wire", &["base"]),
    ("gate", &["base", "wire"]),
    ("session", &["base", "wire"]),
    ("sieve", &["base", "wire"]),
    ("screen", &["base", "wire", "gate", "trust"]),
    ("store", &["base", "wire", "gate"]),
    ("moving", &["base", "wire"]),
    ("net", &["base", "wire", "session"]),
    ("server", &["base", "wire", "gate", "session", "sieve", "screen", "store", "net", "moving"]),
    ("testkit", &["base", "wire", "gate", "session"]),
];

/// Libraries that belong to certain crates only.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("tokio", &["net", "server"]),
    ("tokio-rustls", &["net"]),
    ("rustls", &["net"]),
    ("hickory-resolver", &["net"]),
    ("rusqlite", &["store"]),
    ("serde", &["server"]),
    ("clap", &["server"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names under `[dependencies]` of a crate.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    let section = after.split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().trim().to_owned();
    section.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).map(name).collect()
}

fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let all = crates();
    for name in &all {
        let Some((_, allowed)) = MAY_USE.iter().find(|(n, _)| n == name) else {
            panic!("{name} has no layer")
        };
        for used in dependencies(name).iter().filter(|used| all.contains(used)) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn heavy_libraries_stay_in_their_crates() {
    for name in crates() {
        for used in dependencies(&name) {
            if let Some((library, allowed)) = ONLY_IN.iter().find(|(library, _)| *library == used) {
                assert!(allowed.contains(&name.as_str()), "{library} belongs to {allowed:?}, not to {name}");
            }
        }
    }
}
