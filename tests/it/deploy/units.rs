//! The unit of an environment on a host: written anew when a deploy is committed, and not touched before.

use std::fs;

use super::Site;

#[test]
fn the_unit_of_a_host_is_that_of_the_release_once_it_is_committed() {
    let Some(mut site) = Site::new("the_unit_of_a_host_is_that_of_the_release", 1) else { return };
    site.deploy("").done();
    let unit = site.hosts[0].server.root().join(".config/systemd/user/tetra-dev.service");
    fs::create_dir_all(unit.parent().expect("one")).expect("ours");
    let said = site.hosts[0].server.inside(&format!(
        "HOME=/root /root/bin/tetra --dir /root/{} -c 'daemon install @dev --user --dry-run --json' 2>/dev/null",
        site.hosts[0].dir
    ));
    let planned: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    fs::write(&unit, planned["text"].as_str().expect("a text")).expect("ours");
    let text = || fs::read_to_string(&unit).expect("there");
    let whole = fs::read_to_string(site.local()).expect("there");
    let limit = |site: &Site, mode: &str, megabytes: u32| {
        let more = format!("\n[overrides.dev]\n\"resources.memory_max\" = {megabytes}\n");
        fs::write(site.local(), whole.replace("'one'", &format!("'{mode}'")) + &more).expect("ours");
    };

    // A drop-in is the host's own: it stays, and is named where it decides what the release changes.
    let drop_ins = unit.with_extension("service.d");
    fs::create_dir(&drop_ins).expect("ours");
    let (memory, other) = (drop_ins.join("memory.conf"), drop_ins.join("nice.conf"));
    fs::write(&memory, "[Service]\nMemoryMax=64M\n").expect("ours");
    fs::write(&other, "[Service]\nNice=5\n").expect("ours");
    limit(&site, "two", 777);
    let said = site.deploy("").done();
    assert!(said.contains("tetra-dev.service: changed (MemoryMax)"), "{said}");
    assert!(said.contains("memory.conf` sets MemoryMax too, and stays as it is"), "{said}");
    assert!(!said.contains("nice.conf"), "{said}");
    assert_eq!(fs::read_to_string(&memory).expect("there"), "[Service]\nMemoryMax=64M\n");
    assert!(said.contains("`tsm daemon restart @dev` on the host makes all of it count"), "{said}");
    let written = text();
    assert!(written.contains("MemoryMax=777M"), "{written}");

    // What does not stay has not touched it.
    limit(&site, "sick", 888);
    site.deploy("").failed(14);
    assert_eq!(text(), written);

    // Another service alone is not all that would change.
    limit(&site, "two", 888);
    let said = site.world.run("tkm deploy service dev web --yes").failed(13);
    assert!(said.contains("not only web would change: tetra-dev.service: changed (MemoryMax)"), "{said}");

    // An edit is the operator's.
    fs::write(&unit, written.replace("MemoryMax=777M", "MemoryMax=1G")).expect("ours");
    let said = site.deploy("").done();
    assert!(said.contains("tetra-dev.service was left as it is:") && said.contains("edited by hand"), "{said}");
    assert!(text().contains("MemoryMax=1G"));

    // What needs more than a text is left to who installs it.
    fs::write(&unit, written.replace("WorkingDirectory=", "WorkingDirectory=/elsewhere")).expect("ours");
    let other = fs::read_to_string(&unit).expect("there");
    let body = other.split_once("\n[").map(|(_, body)| format!("[{body}")).expect("a section");
    fs::write(&unit, body).expect("ours");
    limit(&site, "three", 999);
    let said = site.deploy("").done();
    assert!(said.contains("WorkingDirectory changes, and `tsm daemon install @dev` makes what that needs"), "{said}");
    assert!(text().contains("/elsewhere"));
}
