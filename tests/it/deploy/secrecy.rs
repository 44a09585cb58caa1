//! What a deploy does not carry: secrets and env files stay where they are, and units are left to `org apply`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tetra::sys::process;

use super::Site;

/// A secret on the operator's machine, and one in an env file of the host.
const CANARIES: [&str; 2] = ["k4n4ri-0f-the-0perator-71c3", "k4n4ri-0f-the-h0st-92ba"];

/// The files below a directory that hold one of the canaries.
fn found_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(found_in(&path));
        } else if fs::symlink_metadata(&path).is_ok_and(|it| it.is_file())
            && CANARIES.iter().any(|canary| contains(&fs::read(&path).unwrap_or_default(), canary))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn write_private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("one")).expect("ours");
    fs::set_permissions(path.parent().expect("one"), fs::Permissions::from_mode(0o700)).expect("ours");
    fs::write(path, text).expect("ours");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
}

#[test]
fn no_secret_is_in_releases_records_journals_output_or_arguments() {
    let Some(mut site) = Site::new("no_secret_is_in_releases_records_journals_output_or_arguments", 1) else { return };
    let [own, of_host] = CANARIES;
    let secrets = site.world.home().join("tetra/org/acme/secrets/dev.env");
    write_private(&secrets, &format!("API_KEY={own}\n"));
    write_private(&site.hosts[0].tetra().join("env/dev.env"), &format!("HOST_KEY={of_host}\n"));
    let is_over = AtomicBool::new(false);
    let (mut said, mut seen) = (String::new(), Vec::new());
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let lines = process::all_pids().into_iter().filter_map(process::command_line);
                seen.extend(lines.filter(|line| CANARIES.iter().any(|canary| line.contains(canary))));
                crate::waiting::pause();
            }
            seen
        });
        for mode in ["one", "two", "sick"] {
            site.mode(mode);
            let result = site.deploy("");
            assert_eq!(result.code, if mode == "sick" { 14 } else { 0 }, "{result:?}");
            said += &(result.output + &result.stderr);
        }
        said += &site.world.run("org deploy logs --env @dev --json").done();
        is_over.store(true, Ordering::Relaxed);
        seen = watching.join().expect("it only looks");
    });
    assert_eq!(seen, Vec::<String>::new(), "arguments");
    assert!(CANARIES.iter().all(|canary| !said.contains(canary)), "{said}");
    // The host has its own where it was put, and nowhere else; the operator's is not there.
    let host = &site.hosts[0];
    assert_eq!(found_in(&host.tetra()), [host.tetra().join("env/dev.env").display().to_string()]);
    assert_eq!(found_in(&site.world.home().join("tetra")), [secrets.display().to_string()]);
    // The process has it.
    let pid = host.runs("two");
    assert!(contains(&fs::read(format!("/proc/{pid}/environ")).expect("it runs"), of_host));
}

#[test]
fn an_env_file_that_the_environment_names_itself_has_to_be_there() {
    let Some(mut site) = Site::new("an_env_file_that_the_environment_names_itself_has_to_be_there", 1) else { return };
    // That of the profile may be missing.
    site.deploy("").done();
    let local = fs::read_to_string(site.local()).expect("there");
    fs::write(site.local(), format!("{local}\n[overrides.dev]\n\"services.web.env_file\" = \"web.env\"\n"))
        .expect("ours");
    let said = site.deploy("").failed(13);
    assert!(
        said.contains("web names the env file `") && said.contains("web.env`, which does not exist there"),
        "{said}"
    );
    site.hosts[0].runs("one");
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("ABORTED"));
    let whole = fs::read_to_string(site.local()).expect("there");
    fs::write(site.local(), whole.replace("\"web.env\"", "\"-web.env\"")).expect("ours");
    site.deploy("").done();
    fs::write(site.local(), whole).expect("ours");
    write_private(&site.hosts[0].tetra().join("web.env"), "MODE_OF_FILE=1\n");
    site.deploy("").done();
}

#[test]
fn a_unit_is_left_alone_and_named_where_it_would_be_another_one() {
    let Some(mut site) = Site::new("a_unit_is_left_alone_and_named", 1) else { return };
    site.deploy("").done();
    let unit = site.hosts[0].server.root().join(".config/systemd/user/tetra-dev.service");
    fs::create_dir_all(unit.parent().expect("one")).expect("ours");
    let text = "[Service]\nEnvironment=TETRA_ENV=dev\nExecStart=/opt/tetra/bin/tetra daemon run @dev\n";
    fs::write(&unit, text).expect("ours");
    site.mode("two");
    let same = site.deploy("").done();
    assert!(!same.contains("stays as it is"), "{same}");
    let local = fs::read_to_string(site.local()).expect("there");
    fs::write(site.local(), format!("{local}\n[overrides.dev]\n\"resources.memory_max\" = 777\n")).expect("ours");
    let said = site.deploy("").done();
    assert!(said.contains("tetra-dev.service stays as it is: `tsm org apply @dev` on the host"), "{said}");
    assert_eq!(fs::read_to_string(&unit).expect("there"), text);
}
