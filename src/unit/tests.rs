use std::path::Path;

use super::*;
use crate::base::environment::{EnvName, Tier};

fn settings(env: &str) -> UnitSettings {
    let env: EnvName = env.parse().expect("a name");
    let tier = env.tier().unwrap_or(Tier::Prod);
    UnitSettings::of_profile(&env, tier, Path::new("/usr/local/bin/tetra"))
}

fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    super::values(text, key).collect()
}

#[test]
fn a_unit_says_what_the_documents_say() {
    let text = settings("dev").text();
    for (key, expected) in [
        ("Description", &["Tetra Service Manager Daemon (@dev environment)"][..]),
        ("Type", &["notify"]),
        ("User", &["root"]),
        ("WorkingDirectory", &["/root/tetra"]),
        (
            "Environment",
            &["TETRA_SRC=/root/src/devops/tetra", "TETRA_DIR=/root/tetra", "TETRA_ENV=dev", "TETRA_PORT=4444"],
        ),
        ("ExecStart", &["/usr/local/bin/tetra daemon run @dev"]),
        ("ExecStopPost", &["/usr/local/bin/tetra daemon sweep @dev"]),
        ("KillMode", &["process"]),
        ("Delegate", &["yes"]),
        ("MemoryMax", &["1G"]),
        ("PrivateTmp", &["yes"]),
        ("NoNewPrivileges", &["yes"]),
        ("SyslogIdentifier", &["tetra-dev"]),
    ] {
        assert_eq!(values(&text, key), expected, "{key}");
    }
    let prod = settings("production");
    assert_eq!((prod.name.as_str(), prod.identifier()), ("tetra.service", "tetra"));
    let text = prod.text();
    assert_eq!(values(&text, "StateDirectory"), ["tetra"]);
    assert_eq!(values(&text, "LimitNOFILE"), ["131072"]);
    assert_eq!(values(&text, "ProtectHome"), ["yes"]);
}

#[test]
fn an_edit_is_seen_and_an_added_variable_is_kept() {
    let text = settings("dev").text();
    assert_eq!(origin(&text), UnitOrigin::Intact);
    assert_eq!(origin(&text.replace("MemoryMax=1G", "MemoryMax=2G")), UnitOrigin::Edited);
    assert_eq!(origin(&text.replace("TETRA_PORT=4444", "TETRA_PORT=4445")), UnitOrigin::Edited);
    let added = text.replace("[Service]\n", "[Service]\nEnvironment=CUSTOM=1\nEnvironment=\"A=b c\" TETRA_X=1\n");
    assert_eq!(origin(&added), UnitOrigin::Intact);
    assert_eq!(kept_environment(&added), ["Environment=CUSTOM=1", "Environment=\"A=b c\" TETRA_X=1"]);
    let mut again = settings("dev");
    again.kept_environment = kept_environment(&added);
    assert_eq!(origin(&again.text()), UnitOrigin::Intact);
    assert_eq!(kept_environment(&again.text()), again.kept_environment);
    assert_eq!(kept_environment(&text), Vec::<String>::new());
}

#[test]
fn a_unit_of_the_guide_is_known_and_one_of_others_is_not() {
    let guide =
        "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/bash -c 'source /root/tetra/tetra.sh && tsm start tetra'\n";
    assert_eq!(origin(guide), UnitOrigin::Guide);
    assert_eq!(origin("[Service]\nExecStart=/usr/bin/other\n"), UnitOrigin::Foreign);
    assert_eq!(origin(""), UnitOrigin::Foreign);
    assert_eq!(origin("[Unit]\nExecStart=tsm start x\n"), UnitOrigin::Foreign);
}

#[test]
fn what_systemd_would_read_otherwise_is_quoted() {
    let mut odd = settings("staging");
    odd.home = "/srv/a b%c".into();
    odd.program = "/opt/x$y/tetra".into();
    let text = odd.text();
    assert_eq!(values(&text, "WorkingDirectory"), ["/srv/a b%%c"]);
    assert!(values(&text, "Environment").contains(&"\"TETRA_DIR=/srv/a b%%c\""), "{text}");
    assert!(values(&text, "ReadWritePaths").contains(&"\"/srv/a b%%c\""), "{text}");
    assert_eq!(values(&text, "ExecStart"), ["\"/opt/x$$y/tetra\" daemon run @staging"]);
}

#[test]
fn homes_stay_in_sight_where_something_is_in_one() {
    let mut dev = settings("dev");
    dev.hardening = Hardening::Strict;
    assert_eq!(values(&dev.text(), "ProtectHome"), Vec::<&str>::new());
    let mut prod = settings("prod");
    prod.program = "/home/ann/.cargo/bin/tetra".into();
    assert_eq!(values(&prod.text(), "ProtectHome"), Vec::<&str>::new());
}

#[test]
fn a_unit_of_a_user_has_no_user() {
    let mut own = settings("dev");
    own.owner = Owner::Session;
    let text = own.text();
    assert_eq!((values(&text, "User"), values(&text, "WantedBy")), (vec![], vec!["default.target"]));
    assert_eq!(own.highest_exposure(), None);
    own.owner = Owner::Instance;
    assert_eq!(values(&own.text(), "User"), ["%i"]);
}

#[test]
fn a_diff_has_the_fewest_lines() {
    use DiffLine::{Added, Removed, Same};
    assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), [Same("a"), Removed("b"), Added("x"), Same("c"), Added("d")]);
    assert_eq!(diff("", "a\n"), [Added("a")]);
    assert_eq!(diff("a\n", ""), [Removed("a")]);
}

#[test]
fn variables_are_read_as_they_were_written() {
    let mut odd = settings("staging");
    odd.home = "/srv/a b%c\"d\\e".into();
    let text = odd.text();
    assert_eq!(variable(&text, "TETRA_DIR").as_deref(), Some("/srv/a b%c\"d\\e"));
    assert_eq!(variable(&text, "TETRA_PORT").as_deref(), Some("4444"));
    assert_eq!(variable("[Service]\nEnvironment=A=1 'B=2 3'\nEnvironment = A=4\n", "A").as_deref(), Some("4"));
    assert_eq!(variable("Environment=A=1 'B=2 3'", "B").as_deref(), Some("2 3"));
    assert_eq!(variable(&text, "NONE"), None);
    odd.program = "/opt/x$y z/tetra".into();
    assert_eq!(program(&odd.text()).as_deref(), Some(Path::new("/opt/x$y z/tetra")));
}
