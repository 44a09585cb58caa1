//! Secrets are where services read them and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tetra::sys::process;

use super::Site;

/// Secrets of the operator, one before and one after a change; one in an env file of the operator, and one of the host.
const CANARIES: [&str; 4] = [
    "k4n4ri-0f-the-0perator-71c3",
    "k4n4ri-0f-the-next-0ne-5d18",
    "k4n4ri-0f-the-file-0e44",
    "k4n4ri-0f-the-h0st-92ba",
];

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

pub(super) fn write_private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("one")).expect("ours");
    fs::set_permissions(path.parent().expect("one"), fs::Permissions::from_mode(0o700)).expect("ours");
    fs::write(path, text).expect("ours");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
}

#[test]
fn no_secret_is_in_releases_records_journals_output_or_arguments() {
    let Some(mut site) = Site::new("no_secret_is_in_releases_records_journals_output_or_arguments", 1) else { return };
    let [own, next, of_file, of_host] = CANARIES;
    let secrets = site.world.home().join("tetra/org/acme/secrets/dev.env");
    write_private(&secrets, &format!("API_KEY={own}\n"));
    write_private(&site.world.home().join("tetra/web.env"), &format!("FILE_KEY={of_file}\n"));
    let local = fs::read_to_string(site.local()).expect("there");
    let overrides = "\n[overrides.dev]\n\"services.web.env_file\" = ['web.env', '-env/dev.env']\n";
    fs::write(site.local(), local + overrides).expect("ours");
    write_private(&site.hosts[0].tetra().join("env/dev.env"), &format!("HOST_KEY={of_host}\n"));
    let is_over = AtomicBool::new(false);
    let (mut said, mut seen) = (String::new(), Vec::new());
    std::thread::scope(|scope| {
        // The processes of both sides are those of this machine.
        let watching = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let lines = process::all_pids().into_iter().filter_map(process::command_line);
                seen.extend(lines.filter(|line| CANARIES.iter().any(|canary| line.contains(canary))));
                crate::waiting::pause();
            }
            seen
        });
        for mode in ["one", "two", "sick", "two"] {
            site.mode(mode);
            let value = if mode == "one" { own } else { next };
            write_private(&secrets, &format!("API_KEY={value}\n"));
            for options in ["--plan", "--plan --json", "--plan-out plan.json", "", "--json"] {
                let result = site.deploy(options);
                let is_sick = mode == "sick" && !options.contains("plan");
                assert_eq!(result.code, if is_sick { 14 } else { 0 }, "{result:?}");
                said += &(result.output + &result.stderr);
            }
        }
        for line in ["org deploy logs --env @dev --json", "org deploy status @dev --json", "org history @dev --json"] {
            said += &site.world.run(line).done();
        }
        is_over.store(true, Ordering::Relaxed);
        seen = watching.join().expect("it only looks");
    });
    assert_eq!(seen, Vec::<String>::new(), "arguments");
    said += &fs::read_to_string(site.world.work().join("plan.json")).expect("written");
    assert!(CANARIES.iter().all(|canary| !said.contains(canary)), "{said}");
    assert!(said.contains("secrets/dev.env changes API_KEY"), "{said}");
    // A host has them where services read them, and nowhere else: not in releases, records, journals or what was kept meanwhile.
    let host = &site.hosts[0];
    let all = |dir: &Path, names: &[&str]| {
        let mut found = found_in(dir);
        found.sort();
        assert_eq!(found, names.iter().map(|it| dir.join(it).display().to_string()).collect::<Vec<_>>());
    };
    all(&host.tetra(), &["env/dev.env", "org/acme/secrets/dev.env", "web.env"]);
    all(&site.world.home().join("tetra"), &["org/acme/secrets/dev.env", "web.env"]);
    // The process has them.
    let pid = host.runs("two");
    let environ = fs::read(format!("/proc/{pid}/environ")).expect("it runs");
    assert!([next, of_file, of_host].iter().all(|canary| contains(&environ, canary)) && !contains(&environ, own));
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
