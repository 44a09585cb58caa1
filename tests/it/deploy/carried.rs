//! Env files and secrets that go with a release: written, compared, put back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::secrecy::write_private;
use super::{Host, Site, ended};
use crate::sandbox::{self, kill_hard};
use crate::waiting::eventually;

/// Two services: one that cannot live with some values and has an env file of its own, and one that has only the secrets.
const SERVICES: &str = "[services.web]\n\
                        command = \"bash -c 'test $API_KEY != sick && test $COLOR != sick && exec sleep 1000'\"\n\
                        env_file = ['web.env', '-env/dev.env']\n[services.web.export]\nMODE = 'one'\n\
                        [services.other]\ncommand = 'sleep 1000'\nenv_file = '-none.env'\n";

impl Site {
    pub(super) fn secret(&self, value: &str) {
        let path = self.world.home().join(format!("tetra/org/acme/secrets/{}.env", self.env));
        write_private(&path, &format!("API_KEY={value}\n"));
    }

    /// In `web.env`.
    pub(super) fn color(&self, value: &str) {
        write_private(&self.world.home().join("tetra/web.env"), &format!("COLOR={value}\n"));
    }

    pub(super) fn with_services(test: &str, env: &'static str) -> Option<Self> {
        let site = Self::of(test, env, 1)?;
        site.services(SERVICES);
        site.carry();
        Some(site)
    }

    /// Has the service read `web.env`, and makes that and the secrets.
    pub(super) fn carry(&self) {
        let whole = fs::read_to_string(self.local()).expect("there");
        let overrides =
            format!("\n[overrides.{}]\n\"services.web.env_file\" = ['web.env', '-env/dev.env']\n", self.env);
        fs::write(self.local(), whole + &overrides).expect("ours");
        self.secret("one");
        self.color("red");
    }
}

impl Host {
    /// The pid of a service and one of its variables.
    pub(super) fn variable(&self, service: &str, name: &str) -> Option<(u32, String)> {
        let path = self.tetra().join(format!("tsm/runtime/processes/{service}/meta.json"));
        let meta: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        let pid = u32::try_from(meta["pid"].as_u64()?).ok().filter(|pid| *pid != 0)?;
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let prefix = format!("{name}=");
        let found = environ.split(|byte| *byte == 0).find_map(|it| it.strip_prefix(prefix.as_bytes()))?;
        Some((pid, String::from_utf8_lossy(found).into_owned()))
    }

    #[track_caller]
    pub(super) fn has(&self, key: &str, color: &str) {
        eventually("it runs with these", || {
            let found = |name| self.variable("web", name).map(|it| it.1);
            found("API_KEY").as_deref() == Some(key) && found("COLOR").as_deref() == Some(color)
        });
        let text = |path: &Path| fs::read_to_string(path).expect("there");
        assert_eq!(text(&self.secrets("dev.env")), format!("API_KEY={key}\n"));
        assert_eq!(text(&self.tetra().join("web.env")), format!("COLOR={color}\n"));
        eventually("nothing is kept", || {
            let mut kept = fs::read_dir(self.org().join("deploy/tx")).expect("there").flatten();
            kept.all(|it| it.path().extension().is_none_or(|it| it != "kept"))
        });
    }

    pub(super) fn secrets(&self, name: &str) -> std::path::PathBuf {
        self.org().join("secrets").join(name)
    }
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn a_changed_secret_alone_is_a_change_and_what_did_not_change_is_left_alone() {
    let Some(mut site) = Site::with_services("a_changed_secret_alone_is_a_change", "dev") else { return };
    let plan = site.deploy("--plan");
    assert!(plan.stderr.contains("web-1: secrets/dev.env is new: API_KEY"), "{plan:?}");
    assert!(plan.stderr.contains("web-1: web.env is new: COLOR"), "{plan:?}");
    site.deploy("").done();
    site.hosts[0].has("one", "red");
    let host = &site.hosts[0];
    assert_eq!((mode(&host.secrets("dev.env")), mode(&host.tetra().join("web.env"))), (0o600, 0o600));
    assert_eq!(mode(&host.org().join("secrets")), 0o700);
    let again = site.deploy("--plan --exit-code");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(site.deploy("").stderr.contains("dev is deployed already"));

    // An env file concerns the service that names it.
    let other = site.hosts[0].variable("other", "API_KEY");
    let web = site.hosts[0].variable("web", "COLOR").expect("runs").0;
    site.color("blue");
    let plan = site.deploy("--plan --exit-code").failed(2);
    assert!(plan.contains("web-1: web.env changes COLOR") && !plan.contains("blue"), "{plan}");
    let done = site.deploy("");
    assert!(done.output.contains("restarts web (env file contents)"), "{done:?}");
    site.hosts[0].has("one", "blue");
    assert_eq!(site.hosts[0].variable("other", "API_KEY"), other);
    assert_ne!(site.hosts[0].variable("web", "COLOR").expect("runs").0, web);

    // The secrets concern all.
    site.secret("two");
    let done = site.deploy("");
    assert!(done.stderr.contains("secrets/dev.env changes API_KEY"), "{done:?}");
    site.hosts[0].has("two", "blue");
    assert_ne!(site.hosts[0].variable("other", "API_KEY"), other);

    // What is changed there is seen, and replaced.
    write_private(&site.hosts[0].secrets("dev.env"), "API_KEY=by-hand\nMORE=1\n");
    let plan = site.deploy("--plan");
    assert!(plan.stderr.contains("web-1: secrets/dev.env was changed there since it was deployed"), "{plan:?}");
    assert!(plan.stderr.contains("secrets/dev.env changes API_KEY; removes MORE"), "{plan:?}");
    let status = site.world.run("org deploy status @dev --json").done();
    assert!(status.contains("\"drift\": 1"), "{status}");
    site.deploy("").done();
    site.hosts[0].has("two", "blue");

    // A rollback leaves them.
    site.secret("three");
    site.services(&SERVICES.replace("'one'", "'two'"));
    site.deploy("").done();
    let back = site.world.run("org deploy rollback --env @dev --min-healthy-time 0s");
    assert!(back.code == 0 && back.stderr.contains("env files and secrets stay as they are"), "{back:?}");
    site.hosts[0].runs("one");
    site.hosts[0].has("three", "blue");
}

#[test]
fn every_way_of_reverting_puts_them_back() {
    let Some(mut site) = Site::with_services("every_way_of_reverting_puts_them_back", "dev") else { return };
    site.deploy("").done();
    site.hosts[0].has("one", "red");

    // The release does not live with them.
    site.secret("sick");
    let said = site.deploy("").failed(14);
    assert!(said.contains("web-1 was reverted to"), "{said}");
    site.hosts[0].has("one", "red");
    site.secret("one");
    site.color("sick");
    site.deploy("").failed(14);
    site.hosts[0].has("one", "red");

    // The deployer is killed.
    site.secret("two");
    site.color("blue");
    let deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    kill_hard(deployer.0.id());
    site.hosts[0].reaches("REVERTED");
    site.hosts[0].has("one", "red");

    // The agent is killed.
    let mut deployer = site.start("--min-healthy-time 600s", Stdio::piped());
    site.hosts[0].reaches("APPLIED");
    let dir = site.hosts[0].dir.clone();
    let agents = sandbox::running(|words| {
        let has = |text: &str| words.iter().any(|word| word == text.as_bytes());
        has("agent") && has("acme/dev")
    });
    let of_host = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(dir.len()).any(|part| part == dir.as_bytes())
    };
    let agents: Vec<u32> = agents.into_iter().filter(of_host).collect();
    assert!(!agents.is_empty());
    agents.into_iter().for_each(kill_hard);
    assert_eq!(ended(&mut deployer.0).0, 14);
    site.hosts[0].reaches("REVERTED");
    site.hosts[0].has("one", "red");

    // The operator does not want it.
    let mut deployer = site.start("--min-healthy-time 600s", Stdio::piped());
    site.hosts[0].reaches("APPLIED");
    sandbox::signal(deployer.0.id(), nix::sys::signal::Signal::SIGINT);
    assert_eq!(ended(&mut deployer.0).0, 14);
    site.hosts[0].has("one", "red");

    // And then it stays.
    site.deploy("").done();
    site.hosts[0].has("two", "blue");
}

#[test]
fn what_is_not_of_a_deploy_is_not_replaced_unseen_in_prod() {
    let Some(mut site) = Site::with_services("what_is_not_of_a_deploy_is_not_replaced_unseen", "prod") else { return };
    write_private(&site.hosts[0].secrets("prod.env"), "API_KEY=by-hand\n");
    let said = site.deploy("--yes").failed(23);
    assert!(said.contains("web-1: secrets/prod.env there is not as a deploy left it"), "{said}");
    assert_eq!(site.hosts[0].current(), None);
    let done = site.deploy("--yes --accept-drift");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("replaces what no deploy put there"), "{done:?}");
}

#[test]
fn what_cannot_be_carried_is_refused_before_a_host_is_asked() {
    let Some(mut site) = Site::with_services("what_cannot_be_carried_is_refused", "dev") else { return };
    let secrets = site.world.home().join("tetra/org/acme/secrets");
    fs::write(secrets.join("dev.env"), "API_KEY='hunter2\n").expect("ours");
    let said = site.deploy("").failed(1);
    assert!(said.contains("is not a valid env file") && !said.contains("hunter2"), "{said}");
    site.secret("one");
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o755)).expect("ours");
    fs::set_permissions(secrets.join("dev.env"), fs::Permissions::from_mode(0o644)).expect("ours");
    site.deploy("").failed(24);
    site.secret("one");
    // What a service would not read is not put there.
    fs::create_dir_all(site.hosts[0].server.root().join("elsewhere")).expect("ours");
    write_private(&site.hosts[0].server.root().join("elsewhere/web.env"), "COLOR=there\n");
    site.services(&SERVICES.replace("command = \"bash", "cwd = '/root/elsewhere'\ncommand = \"bash"));
    let said = site.deploy("").failed(13);
    assert!(said.contains("web reads `/root/elsewhere/web.env` there, and not the `web.env`"), "{said}");
    assert_eq!(site.hosts[0].current(), None);
}

#[test]
fn an_env_file_that_leads_out_is_refused_in_the_plan_with_its_place() {
    let Some(mut site) = Site::with_services("an_env_file_that_leads_out_is_refused_in_the_plan", "dev") else {
        return;
    };
    write_private(&site.world.home().join("shop.env"), "COLOR=out\n");
    let services = fs::read_to_string(site.local()).expect("there");
    let line = services.lines().position(|line| line.contains("\"services.web.env_file\"")).expect("an override") + 1;
    for name in ["../shop.env", "env/../web.env", "-env/../web.env"] {
        let text = services.replace("env_file\" = ['web.env'", &format!("env_file\" = ['web.env', '{name}'"));
        fs::write(site.local(), text).expect("ours");
        for options in ["--plan", ""] {
            let said = site.deploy(options).failed(1);
            let what = format!("`services.web.env_file` names the env file `{name}`, which cannot be deployed");
            assert!(said.contains(&what) && said.contains(&format!("local.toml:{line}:")), "{said}");
            assert!(said.contains("leads out of the directory") && said.contains("nothing was changed"), "{said}");
        }
        assert_eq!((site.hosts[0].journal().len(), site.hosts[0].current()), (0, None));
    }
    // Where it may be missing, it is what the host has: nothing is brought there.
    let there = site.hosts[0].server.root().join("shop.env");
    fs::write(site.local(), services.replace("['web.env', '-env", "['web.env', '-../shop.env', '-env")).expect("ours");
    let done = site.deploy("");
    assert_eq!(done.code, 0, "{done:?}");
    let note =
        "web reads `../shop.env` of the host, if there is one: a name that leads out of TETRA_DIR is not deployed";
    assert!(done.stderr.contains(note), "{done:?}");
    site.hosts[0].has("one", "red");
    assert!(!there.exists());
    write_private(&there, "SHAPE=round\n");
    site.color("blue");
    site.deploy("").done();
    site.hosts[0].has("one", "blue");
    assert_eq!(site.hosts[0].variable("web", "SHAPE").map(|it| it.1).as_deref(), Some("round"));
    site.color("red");
    // Without a way out it is another way to write the same name.
    fs::write(site.local(), services.replace("['web.env', '-env", "['./web.env', '-env")).expect("ours");
    site.deploy("").done();
    site.hosts[0].has("one", "red");
}

/// A service with a directory that is named from the root: what it names from there is the host's own, as if it were named from the
/// root itself.
#[test]
fn a_way_out_of_a_directory_of_the_host_leads_to_a_file_of_the_host() {
    let test = "a_way_out_of_a_directory_of_the_host_leads_to_a_file_of_the_host";
    let Some(mut site) = Site::with_services(test, "dev") else { return };
    write_private(&site.world.home().join("shop.env"), "SHAPE=ours\n");
    site.services(&SERVICES.replacen("command = ", "cwd = '/root/elsewhere/web'\ncommand = ", 1));
    let whole = fs::read_to_string(site.local()).expect("there");
    fs::write(site.local(), whole.replace("['web.env', '-env", "['web.env', '../shop.env', '-env")).expect("ours");
    let root = site.hosts[0].server.root();
    fs::create_dir_all(root.join("elsewhere/web")).expect("ours");
    let said = site.deploy("").failed(13);
    let why = "web names the env file `/root/elsewhere/web/../shop.env`, which does not exist there";
    assert!(said.contains(why) && said.contains("nothing was changed"), "{said}");
    write_private(&root.join("elsewhere/shop.env"), "SHAPE=round\n");
    site.deploy("").done();
    site.hosts[0].has("one", "red");
    assert_eq!(site.hosts[0].variable("web", "SHAPE").map(|it| it.1).as_deref(), Some("round"));
    let text = fs::read_to_string(root.join("elsewhere/shop.env")).expect("there");
    assert_eq!(text, "SHAPE=round\n");
}

#[test]
fn sealed_secrets_are_sealed_on_the_host_too() {
    let Some(mut site) = Site::with_services("sealed_secrets_are_sealed_on_the_host_too", "dev") else { return };
    site.deploy("").done();
    site.hosts[0].has("one", "red");
    let keygen = |path: &Path| {
        fs::create_dir_all(path.parent().expect("one")).expect("ours");
        let done = Command::new("age-keygen").arg("-o").arg(path).output().expect("age-keygen is there");
        assert!(done.status.success(), "{done:?}");
        let text = fs::read_to_string(path).expect("made");
        text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("it has one").to_owned()
    };
    let own = keygen(&site.world.home().join("config/age.key"));
    let of_host = keygen(&site.hosts[0].server.root().join(".config/tetra/age.key"));
    let manifest = site.world.home().join("tetra/org/acme/manifest.toml");
    let before = fs::read_to_string(&manifest).expect("there");
    fs::write(&manifest, format!("{before}\n[secrets.recipients]\nann = \"{own}\"\n")).expect("ours");
    // The host is not among them.
    let said = site.deploy("").failed(13);
    assert!(said.contains("`secrets/dev.env` is sealed: ") && said.contains("nothing was changed"), "{said}");
    site.hosts[0].has("one", "red");

    fs::write(&manifest, format!("{before}\n[secrets.recipients]\nann = \"{own}\"\nweb-1 = \"{of_host}\"\n"))
        .expect("ours");
    site.deploy("").done();
    let host = &site.hosts[0];
    assert!(!host.secrets("dev.env").exists());
    let sealed = fs::read_to_string(host.secrets("dev.env.age")).expect("there");
    assert!(sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    assert_eq!(host.variable("web", "API_KEY").map(|it| it.1).as_deref(), Some("one"));
    // Sealed anew each time, and the same.
    assert!(site.deploy("").stderr.contains("dev is deployed already"));

    // As a file that only its recipients open.
    site.world.run("secrets seal dev").done();
    site.deploy("").done();
    let before = fs::read_to_string(site.hosts[0].secrets("dev.env.age")).expect("there");
    site.secret("sick");
    let said = site.deploy("--plan").failed(3);
    assert!(said.contains("does not say the same as the file beside it"), "{said}");
    site.world.run("secrets seal dev").done();
    let plan = site.deploy("--plan");
    assert!(plan.stderr.contains("secrets/dev.env changes API_KEY"), "{plan:?}");
    site.deploy("").failed(14);
    let host = &site.hosts[0];
    assert_eq!(fs::read_to_string(host.secrets("dev.env.age")).expect("there"), before);
    eventually("it runs as before", || host.variable("web", "API_KEY").is_some_and(|it| it.1 == "one"));
    site.secret("two");
    site.world.run("secrets seal dev").done();
    site.deploy("").done();
    let host = &site.hosts[0];
    assert!(!host.secrets("dev.env").exists());
    eventually("it has the new one", || host.variable("web", "API_KEY").is_some_and(|it| it.1 == "two"));
}

#[test]
fn one_service_alone_changes_or_nothing_does() {
    let Some(mut site) = Site::with_services("one_service_alone_changes_or_nothing_does", "dev") else { return };
    site.deploy("").done();
    let other = site.hosts[0].variable("other", "API_KEY").expect("it runs").0;
    let service =
        |site: &mut Site, name: &str| site.world.run(&format!("tkm deploy service dev {name} --min-healthy-time 0s"));
    let said = service(&mut site, "wbe").failed(5);
    assert!(said.contains("`wbe` is not a service of dev") && said.contains("its services are: web, other"), "{said}");

    site.color("blue");
    site.services(&SERVICES.replace("'one'", "'two'"));
    let said = service(&mut site, "other").failed(13);
    assert!(said.contains("not only other would change: web: changed, restarts web"), "{said}");
    site.hosts[0].runs("one");
    site.hosts[0].has("one", "red");
    service(&mut site, "web").done();
    site.hosts[0].runs("two");
    site.hosts[0].has("one", "blue");

    // All of them have the secrets.
    site.secret("two");
    let said = service(&mut site, "web").failed(13);
    assert!(said.contains("not only web would change: other: unchanged, restarts other (secrets)"), "{said}");
    assert_eq!(site.hosts[0].variable("other", "API_KEY"), Some((other, "one".to_owned())));

    // What changed env files or secrets alone is not what a rollback is for.
    service(&mut site, "").done();
    site.hosts[0].has("two", "blue");
    site.world.run("org deploy rollback --env @dev --min-healthy-time 0s").done();
    site.hosts[0].runs("one");
    site.hosts[0].has("two", "blue");
}
