//! Leaves the symbols out of the program in every profile, and says when a release build is not what `.cargo/config.toml` makes
//! of it: static, and not position independent. cargo reads that file in the sources only, not for `cargo install --git`, a
//! package of a registry, or a build that sets `RUSTFLAGS`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Tests put the program on hosts, by hundreds: 37 MB instead of 95 without optimisation. What has the library in itself, as
    // they do, keeps its symbols.
    println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    let is = |name: &str, wanted: &str| env::var(name).is_ok_and(|value| value == wanted);
    let has = |name: &str, wanted: &str, between: char| {
        env::var(name).is_ok_and(|value| value.split(between).any(|it| it.ends_with(wanted)))
    };
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let mut faults = Vec::new();
    // musl is linked statically by itself, and cargo does not say so.
    if !is("CARGO_CFG_TARGET_ENV", "musl") && !has("CARGO_CFG_TARGET_FEATURE", "crt-static", ',') {
        faults.push("linked dynamically");
    }
    if !has("CARGO_ENCODED_RUSTFLAGS", "relocation-model=static", '\u{1f}') {
        faults.push("position independent");
    }
    if !faults.is_empty() {
        let target = env::var("TARGET").unwrap_or_default();
        println!(
            "cargo::warning=tetra is {}: each supervisor of a process then takes more than twice the memory. \
             Build with RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static' and --target {target}, see \
             docs/install.md",
            faults.join(" and ")
        );
    }
}
