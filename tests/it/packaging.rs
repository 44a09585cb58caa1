//! What a release consists of: the script that installs one, and the versions that it names. The packages themselves are looked
//! into by `packaging/check`, in the gate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tetra::command::manual::{Page, pages};

use crate::program;
use crate::readme::page;

/// A place with releases, and a home directory to install one in.
struct Release {
    directory: TempDir,
}

impl Release {
    /// With an archive for this machine of a program that says `version`.
    fn new(version: &str) -> Self {
        let release = Self { directory: program::directory() };
        let name = format!("tetra-{version}-linux-{}", std::env::consts::ARCH);
        let tree = release.path(&name);
        for directory in [tree.clone(), release.path("home"), release.files()] {
            fs::create_dir_all(directory).expect("ours");
        }
        program::script(&tree.join("tetra"), &format!("#!/bin/sh\necho tetra {version}\n"));
        let files = release.files().display().to_string();
        let made = format!(
            "tar -czf {files}/{name}.tar.gz {name} && cd {files} && echo x > tetra-{version}-1.x86_64.rpm && \
             sha256sum *.rpm *.tar.gz > SHA256SUMS && mkdir -p ../../download && cp -r . ../../download/v{version}"
        );
        assert!(release.shell(&made).0, "the release is made");
        release
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn files(&self) -> PathBuf {
        self.path("releases/latest/download")
    }

    fn shell(&self, line: &str) -> (bool, String) {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec 2>&1; {line}")]).current_dir(self.directory.path()).stdin(Stdio::null());
        command
            .env("HOME", self.path("home"))
            .env("TETRA_RELEASES", format!("file://{}/releases", self.path("").display()));
        command.env_remove("TETRA_VERSION").env_remove("TETRA_BIN");
        let output = command.output().expect("sh is there");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn install(&self, before: &str) -> (bool, String) {
        self.shell(&format!("{before} sh {}/packaging/install.sh", env!("CARGO_MANIFEST_DIR")))
    }

    /// What there is in the directory for programs.
    fn installed(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("home/.local/bin")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn a_release_is_installed_and_replaced() {
    let release = Release::new("7.8.9");
    for _ in 0..2 {
        let (done, said) = release.install("");
        assert!(done && said.contains("installed tetra 7.8.9 in ") && said.contains("tetra setup"), "{said}");
        assert_eq!(release.installed(), ["tetra"], "nothing else is left");
    }
    let (done, said) = release.install("TETRA_VERSION=7.8.9 TETRA_BIN=$HOME/own");
    assert!(done && release.path("home/own/tetra").is_file(), "{said}");
}

#[test]
fn what_does_not_have_its_checksum_is_not_installed() {
    let release = Release::new("7.8.9");
    let (done, said) = release.shell("for it in releases/latest/download/*.tar.gz; do echo x >> $it; done");
    assert!(done, "{said}");
    let (done, said) = release.install("");
    assert!(
        !done && said.contains("the checksum of tetra-7.8.9-linux-") && said.contains("nothing was installed"),
        "{said}"
    );
    assert!(release.installed().is_empty());
}

#[test]
fn a_release_without_this_machine_or_without_a_list_is_said() {
    let release = Release::new("7.8.9");
    let (done, said) = release.install("TETRA_VERSION=0.0.1");
    assert!(!done && said.contains("failed to fetch file://") && said.contains("SHA256SUMS"), "{said}");
    for (change, complaint) in
        [("p;s/tetra-7[.]8[.]9/tetra-7.9.0/", "has several archives for"), ("s/linux/plan9/", "has no archive for")]
    {
        let (done, said) = release.shell(&format!("sed -i -e '{change}' releases/latest/download/SHA256SUMS"));
        assert!(done, "{said}");
        let (done, said) = release.install("");
        assert!(!done && said.contains(complaint), "{said}");
        assert!(release.installed().is_empty());
    }
}

#[test]
fn every_place_names_the_same_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(page("packaging/aur/PKGBUILD").contains(&format!("\npkgver={version}\n")), "PKGBUILD");
    for package in [format!("tetra_{version}-1_amd64.deb"), format!("tetra-{version}-1.x86_64.rpm")] {
        assert!(page("docs/install.md").contains(&package), "docs/install.md: {package}");
    }
    let heading = format!("## [{version}]");
    let changes = page("CHANGELOG.md");
    assert!(changes.contains("## [Unreleased]") || changes.contains(&heading), "CHANGELOG.md");
}

#[test]
fn every_page_and_completion_is_in_the_packages() {
    let contents = page("packaging/contents");
    for directory in ["docs", "completions"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        for file in fs::read_dir(&directory).expect("it is there").flatten() {
            let name = format!("{}/{}", directory.file_name().expect("named").display(), file.file_name().display());
            assert!(contents.contains(&format!("644 {name}")), "{name} is not in packaging/contents");
        }
    }
    let pages = pages().iter().map(Page::file).collect::<Vec<_>>();
    for page in pages.iter().map(String::as_str).chain(["reference.html"]) {
        assert!(contents.contains(&format!("644 {{manual}}/{page} ")), "{page} is not in packaging/contents");
    }
    assert_eq!(contents.matches("{manual}/man").count(), pages.len(), "packaging/contents lists pages that exist");
}
