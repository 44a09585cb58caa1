//! Deploys by keys that are bound to the agent, and by certificates.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Host, Site};
use crate::tkm::Killer;
use crate::tkm::hindered::configure;
use crate::waiting::eventually;

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

/// Says in the words of the protocol what an agent of another version would say.
const OTHER_AGENT: &str = r#"#!/bin/sh
say() { printf 'tetra-agent VERSION %s %s\n%s\n' "$nonce" "${#1}" "$1"; }
while read -r _ _ nonce _ && read -r json; do
    case $json in
    '"session"') SESSION ;;
    *open*) say '{"deploy":null,"said":{"facts":{"version":"0.0.1","now_ms":1,"current":null,"previous":null,"content":null,"drift":[],"holder":null,"freeze":null,"last":null}}}' ;;
    *beat*) ;;
    *) echo "$json" >>/root/asked ;;
    esac
done
"#;

#[test]
fn an_agent_of_another_version_is_refused_before_anything_is_changed() {
    let test = "an_agent_of_another_version_is_refused_before_anything_is_changed";
    let Some(mut site) = Site::of(test, "prod", 1) else { return };
    site.carry();
    let file = site.hosts[0].server.authorized_keys();
    let whole = fs::read_to_string(&file).expect("there");
    let root = site.hosts[0].server.root();
    fs::write(&file, {
        let (before, after) = whole.split_once("command=\"").expect("it is bound");
        let (_, after) = after.split_once('"').expect("it ends");
        format!("{before}command=\"/root/other-agent\"{after}")
    })
    .expect("ours");
    let hello = r#"say '{"hello":{"version":"0.0.1","env":"acme/prod"}}'"#;
    let unknown = r#"say '{"error":{"kind":"malformed","message":"the request is not one that this version knows"}}'"#;
    let news = r#"say '{"hello":{"version":"9.0.0","env":"acme/prod"}}'; read -r _ _ _ _; read -r _; say '{"deploy":null,"said":{"news":{}}}'"#;
    let later = r#"nonce=-; say '{"error":{"kind":"version","message":"no"}}'; exit 1"#;
    for (version, session, why) in [
        ("1", hello, "its agent, tetra 0.0.1, takes no env files and secrets; nothing was changed"),
        ("1", unknown, "the request is not one that this version knows"),
        ("1", news, "its answer is not one that this version knows"),
        ("2", later, "the frame has the version 2, and this program knows 1"),
    ] {
        let script = OTHER_AGENT.replace("VERSION", version).replace("SESSION", session);
        fs::write(root.join("other-agent"), script).expect("ours");
        fs::set_permissions(root.join("other-agent"), fs::Permissions::from_mode(0o755)).expect("ours");
        let said = site.deploy("--yes").failed(13);
        assert!(said.contains("web-1") && said.contains(why), "{said}");
        assert!(said.contains("tkm bootstrap web-1"), "{said}");
        assert!(!root.join("asked").exists() && !site.hosts[0].org().exists(), "{said}");
    }
    // What is advised helps.
    let identity = site.hosts[0].server.identity();
    site.world.run(&format!("tkm bootstrap web-1 --yes --identity {}", identity.display())).done();
    site.deploy("--yes").done();
    site.hosts[0].runs("one");
}

/// Passes all on to the real agent but a word that it did not know yet.
const EARLIER_AGENT: &str = r#"#!/usr/bin/python3
import os, subprocess, sys, threading
agent = subprocess.Popen(['/root/bin/tetra', 'agent', 'acme/prod'], stdin=subprocess.PIPE)
while part := os.read(0, 1 << 16):
    agent.stdin.write(part.replace(b'stage-only', b'stage-0nly'))
    agent.stdin.flush()
agent.stdin.close()
sys.exit(agent.wait())
"#;

/// What an earlier build does not know is found out before anything is switched; what it knows, it does.
#[test]
fn a_bound_agent_of_an_earlier_build_deploys_what_it_knows() {
    let Some(mut site) = Site::of("a_bound_agent_of_an_earlier_build_deploys_what_it_knows", "prod", 1) else { return };
    let file = site.hosts[0].server.authorized_keys();
    let whole = fs::read_to_string(&file).expect("there");
    let (before, after) = whole.split_once("command=\"").expect("it is bound");
    let (own, after) = after.split_once('"').expect("it ends");
    fs::write(&file, format!("{before}command=\"/root/earlier-agent\"{after}")).expect("ours");
    crate::program::script(&site.hosts[0].server.root().join("earlier-agent"), EARLIER_AGENT);
    site.deploy("--yes").done();
    let old = site.hosts[0].current();
    site.mode("two");
    let said = site.world.run("tkm deploy service prod web --min-healthy-time 0s --yes").failed(13);
    assert!(said.contains("the request is not one that this version knows"), "{said}");
    assert!(said.contains("nothing was changed") && said.contains("tkm bootstrap web-1"), "{said}");
    assert_eq!((site.hosts[0].journal().last().map(String::as_str), site.hosts[0].current()), (Some("ABORTED"), old));
    site.hosts[0].runs("one");
    fs::write(&file, format!("{before}command=\"{own}\"{after}")).expect("ours");
    site.world.run("tkm deploy service prod web --min-healthy-time 0s --yes").done();
    site.hosts[0].runs("two");
}

/// Programs are told apart by their content: neither that of an earlier build nor a file that only has the name is called.
#[test]
fn the_program_of_an_earlier_build_is_replaced_where_a_key_is_not_bound() {
    let test = "the_program_of_an_earlier_build_is_replaced_where_a_key_is_not_bound";
    let Some(mut site) = Site::new(test, 1) else { return };
    let dir = site.hosts[0].server.root().join(".local/lib/tetra");
    let names = || -> Vec<String> {
        let all = fs::read_dir(&dir).expect("there").flatten().map(|it| it.file_name().into_string().expect("text"));
        all.collect()
    };
    let own = names().pop().expect("it was put there");
    let digest = |name: &str| tetra::sys::digest::sha256(&fs::read(dir.join(name)).expect("there"));
    let whole = digest(&own);
    // It is a second name of the program that is tested.
    fs::remove_file(dir.join(&own)).expect("ours");
    for name in [own.as_str(), "tetra-0123456789abcdef"] {
        crate::program::script(&dir.join(name), "#!/bin/sh\necho called >/root/called\nexit 1\n");
    }
    site.deploy("").done();
    site.hosts[0].runs("one");
    assert_eq!(digest(&own), whole);
    assert!(!site.hosts[0].server.root().join("called").exists(), "it was not called");
    assert!(names().contains(&"tetra-0123456789abcdef".to_owned()), "keys may be bound to it");
    site.mode("two");
    site.deploy("").done();
    site.hosts[0].runs("two");
}

/// The agent of a bound key is not below the home of the user; services find it by its name all the same.
#[test]
fn a_service_calls_tetra_where_the_key_is_bound() {
    let Some(mut site) = Site::of("a_service_calls_tetra_where_the_key_is_bound", "prod", 1) else { return };
    site.services(
        "[services.web]\ncommand = \"bash -c 'tetra --version >/root/version && exec sleep 1000'\"\n\
         [services.web.export]\nMODE = 'one'\n",
    );
    site.deploy("--yes").done();
    let host = &site.hosts[0];
    host.runs("one");
    let version = host.server.root().join("version");
    eventually("it says its version", || fs::read_to_string(&version).is_ok_and(|said| said.starts_with("tetra ")));
    let keys = fs::read_to_string(host.server.authorized_keys()).expect("there");
    let link = host.tetra().join("bin/tetra");
    let name = fs::read_link(&link).expect("it is there by its name");
    assert!(keys.contains(&format!("/{} agent acme/prod", name.display())), "{} in {keys}", name.display());
    assert!(link.exists(), "it leads somewhere");
}

impl Site {
    /// The public key of the environment, as its file and the lines of hosts have it.
    fn public_key(&self) -> String {
        let file = self.world.home().join(format!("tetra/tkm/keys/acme/{}/id_ed25519.pub", self.env));
        fs::read_to_string(file).expect("there").split_whitespace().nth(1).expect("a key").to_owned()
    }

    #[track_caller]
    fn brings(&mut self, mode: &str) {
        self.mode(mode);
        self.deploy("").done();
        for host in &self.hosts {
            host.runs(mode);
        }
    }
}

/// Killed before the host is written, before what was written is tried, and while the old key goes.
#[test]
fn hosts_are_deployed_to_while_a_rotation_was_killed() {
    let Some(mut site) = Site::new("hosts_are_deployed_to_while_a_rotation_was_killed", 1) else { return };
    let killer = Killer::new(&site.world);
    let file = site.hosts[0].server.authorized_keys();
    // A line without a key admits nothing.
    let lines = || -> Vec<String> {
        let text = fs::read_to_string(&file).expect("there");
        let is_key = |line: &&str| line.starts_with("restrict") && line.contains(" ssh-ed25519 AAAA");
        text.lines().filter(is_key).map(str::to_owned).collect()
    };
    for at in [3, 4, 7, 8] {
        let before = lines();
        let ended = killer.run(&site.world, "tkm rotate dev --now", &format!("{at} before"));
        assert!(!ended, "{at}");
        site.brings(&format!("killed-{at}"));
        if at == 4 {
            // The line of the new key is there, and was not tried yet.
            let new: Vec<String> = lines().into_iter().filter(|line| !before.contains(line)).collect();
            assert_eq!(new.len(), 1, "{new:?}");
            let key = new[0].split_whitespace().find(|word| word.starts_with("AAAA")).expect("a key");
            let bad: String = key.chars().rev().collect();
            let whole = fs::read_to_string(&file).expect("there");
            fs::write(&file, whole.replace(key, &bad)).expect("ours");
            site.brings("corrupted");
        }
        site.world.run("tkm rotate dev --resume --now").done();
        site.brings(&format!("ended-{at}"));
        assert_eq!(lines().len(), 1, "{at}: {:?}", lines());
    }
}

/// The list is the host's own. Where it is missing sshd admits no key; with the key on it, not that one.
#[test]
fn a_host_that_refuses_the_key_by_its_list_stops_a_deploy_before_it_begins() {
    let test = "a_host_that_refuses_the_key_by_its_list_stops_a_deploy_before_it_begins";
    let Some(mut site) = Site::new(test, 2) else { return };
    site.deploy("--max-parallel 2").done();
    let host = &site.hosts[1];
    let list = host.server.etc().join("tetra_revoked_keys");
    let lines = format!("SetEnv TETRA_DIR=/root/{}\nRevokedKeys /etc/ssh/tetra_revoked_keys", host.dir);
    configure(&host.server, &lines, "with-a-list");
    for (text, mode) in [(None, "two"), (Some(format!("ssh-ed25519 {}\n", site.public_key())), "three")] {
        if let Some(text) = &text {
            fs::write(&list, text).expect("ours");
        }
        site.mode(mode);
        let before: Vec<_> = site.hosts.iter().map(|host| (host.lines(), host.current(), host.web())).collect();
        let said = site.deploy("").failed(18);
        assert!(said.contains("web-2"), "{said}");
        let now = |host: &Host| (host.lines(), host.current(), host.web());
        assert_eq!(site.hosts.iter().map(now).collect::<Vec<_>>(), before);
        fs::write(&list, "").expect("ours");
        fs::set_permissions(&list, fs::Permissions::from_mode(0o644)).expect("ours");
        site.brings(mode);
    }
}
