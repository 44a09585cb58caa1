//! The first deploy of all: to a host that was only added.

use std::fs;

use super::link::Link;
use super::{Host, NEXT, Ordering};
use crate::beds::skipped;
use crate::ports::free_port;
use crate::sshd::{self, Server};
use crate::world::World;

#[test]
fn a_first_session_ends_with_a_service_that_calls_tetra_on_a_fresh_host() {
    if let Some(why) = sshd::hindrance() {
        return skipped("a_first_session_ends_with_a_service_that_calls_tetra_on_a_fresh_host", why);
    }
    let dir = format!("tetra-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let server = Server::start_with("web-1", &format!("SetEnv TETRA_DIR=/root/{dir}"));
    // The operator's own `ssh` knows the server and has a key that it lets in.
    let path = format!("{}:{}", server.client().display(), std::env::var("PATH").unwrap_or_default());
    let mut world = World::with(&[("PATH", &path)]);
    world.run("org init acme").done();
    let local = world.home().join("tetra/org/acme/environments/local.toml");
    let text = fs::read_to_string(&local).expect("there");
    let text = text.replace("tetra = 4444", &format!("tetra = {}", free_port()));
    fs::write(&local, format!("{text}\n[overrides.dev]\n\"deployment.tetra_dir\" = \"/root/{dir}\"\n")).expect("ours");
    world.run("tkm init").done();
    world.run(&format!("tkm host add web-1 root@web-1 --env dev --fingerprint {}", server.fingerprint())).done();
    let link = Link::to(server.port());
    let host = Host { server, link, dir };
    let keys = || fs::read_to_string(host.server.root().join(".ssh/authorized_keys")).expect("there");

    // Without a terminal it is not done unasked, and a plan does not do it.
    let said = world.run("org deploy @dev").failed(18);
    assert!(
        said.contains("web-1 has no key of dev yet") && said.contains("`tkm bootstrap web-1`, or --bootstrap"),
        "{said}"
    );
    let plan = world.run("org deploy @dev --plan --exit-code");
    assert!(plan.code == 2 && plan.output.contains("bootstrap, deploy"), "{plan:?}");
    world.answers(&["n"]);
    let said = world.run("org deploy @dev").failed(4);
    assert!(said.contains("install the key of dev on web-1") && said.contains("nothing was deployed"), "{said}");
    assert!(!keys().contains("tetra") && !host.org().exists(), "{}", keys());

    world.answers(&["y"]);
    let done = world.run("org deploy @dev --min-healthy-time 1s");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("dev: 1 host runs"), "{done:?}");
    let at = |text: &str| done.stderr.find(text).unwrap_or_else(|| panic!("{text}: {done:?}"));
    assert!(at("web-1: installing the key of dev\n") < at("web-1: installed the key of dev\n"), "{done:?}");
    assert!(at("web-1: installed the key of dev\n") < at("web-1: connected\n"), "{done:?}");
    assert!(keys().contains(">>> tetra acme/dev >>>") && host.journal().last().is_some_and(|it| it == "COMMITTED"));
    let link = fs::read_link(host.tetra().join("bin/tetra")).expect("it is there by its name");
    assert!(link.to_str().is_some_and(|name| name.starts_with("tetra-")), "{link:?}");
    let processes = fs::read_dir(host.tetra().join("tsm/runtime/processes")).expect("one runs").flatten();
    let names: Vec<String> = processes.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    assert!(names.len() == 1 && names[0].starts_with("tetra"), "{names:?}");
    let again = world.run("org deploy @dev");
    assert!(again.code == 0 && again.stderr.contains("dev is deployed already"), "{again:?}");
}
