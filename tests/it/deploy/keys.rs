//! Deploys by keys that are bound to the agent, and by certificates.

use std::fs;

use super::Site;

#[test]
fn a_bound_key_deploys_by_the_agent() {
    let Some(mut site) = Site::of("a_bound_key_deploys_by_the_agent", "prod", 2) else { return };
    for host in &site.hosts {
        let keys = fs::read_to_string(host.server.authorized_keys()).expect("there");
        assert!(keys.contains("command=\"") && keys.contains("agent acme/prod\""), "{keys}");
    }
    site.deploy("--yes").done();
    site.mode("two");
    site.deploy("--yes").done();
    site.mode("sick");
    site.deploy("--yes").failed(14);
    for host in &site.hosts {
        host.runs("two");
    }
    site.world.run("org deploy rollback --env @prod --min-healthy-time 0s --yes").done();
    for host in &site.hosts {
        host.runs("one");
    }
}

#[test]
fn a_certificate_deploys_where_nothing_else_is_let_in() {
    for env in ["dev", "staging"] {
        let Some(mut site) = Site::of("a_certificate_deploys_where_nothing_else_is_let_in", env, 1) else { return };
        site.world.run(&format!("tkm ca init {env} --yes")).done();
        site.world.run(&format!("tkm ca sign {env} --yes")).done();
        // The line of the key itself goes.
        let file = site.hosts[0].server.authorized_keys();
        let identity = site.hosts[0].server.identity();
        site.world.run(&format!("tkm revoke @{env} --yes --identity {}", identity.display())).done();
        let own = fs::read_to_string(&file).expect("there");
        assert_eq!(own.lines().filter(|line| line.starts_with("restrict")).count(), 1, "{own}");
        site.deploy("--yes").done();
        site.mode("two");
        site.deploy("--yes").done();
        site.hosts[0].runs("two");
    }
}
