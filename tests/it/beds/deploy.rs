//! Deploys to a machine with systemd: where what they start is, and what is left of one when its session ends and when the power fails.

use super::Bed;

/// The operator is ann, and the host is another user of the same machine. The end of a login ends all that is in it.
struct Site {
    bed: Bed,
    /// Who runs what is deployed.
    user: &'static str,
    /// The `TETRA_DIR` of that user.
    dir: String,
}

/// One that lives, with a health check, so that it has a sidecar.
const SERVICE: &str = "[services.web]\\ncommand = \"node /srv/web.js\"\\n\
                       health = \"http://127.0.0.1:7431/\"\\n[services.web.export]\\nMODE = \"one\"\\n\\n[resources]";

const INSTANT: &str = "org deploy @dev --yes --min-healthy-time 0s";

impl Site {
    fn new(test: &str, user: &'static str) -> Option<Self> {
        let bed = Bed::start(test)?;
        bed.root("mkdir -p /etc/systemd/logind.conf.d").ok();
        bed.root("printf '[Login]\\nKillUserProcesses=yes\\nKillExcludeUsers=\\n' >/etc/systemd/logind.conf.d/k.conf")
            .ok();
        bed.root("systemctl restart systemd-logind && ssh-keygen -A && systemctl enable --now ssh").ok();
        bed.root(&format!("id {user} || useradd -m -s /bin/bash {user}")).ok();
        bed.root("echo \"require('http').createServer((_, answer) => answer.end()).listen(7431)\" >/srv/web.js").ok();
        bed.user("ann", "ssh-keygen -q -t ed25519 -N '' -f ~/own").ok();
        bed.root(&format!(
            "install -d -m 700 -o {user} ~{user}/.ssh && install -o {user} -m 600 ~ann/own.pub ~{user}/.ssh/authorized_keys"
        ))
        .ok();
        let add = format!(
            "tkm host add web {user}@127.0.0.1 --env dev --fingerprint \
             $(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2)"
        );
        bed.user("ann", &format!("cd && org init acme && tkm init && {add} && tkm bootstrap web --identity ~/own"))
            .ok();
        let local = "~/tetra/org/acme/environments/local.toml";
        bed.user("ann", &format!("sed -i '/^\\[services/,/^$/d; s|^\\[resources\\]|{SERVICE}|' {local}")).ok();
        bed.user(
            "ann",
            &format!("printf '\n[overrides.dev]\ndeployment.user = \"{user}\"\ndaemon.scope = \"system\"\n' >>{local}"),
        )
        .ok();
        let dir = bed.root(&format!("echo ~{user}/tetra")).ok().trim().to_owned();
        Some(Self { bed, user, dir })
    }

    fn mode(&self, mode: &str) {
        let line = format!("sed -i 's/^MODE = .*/MODE = \"{mode}\"/' ~/tetra/org/acme/environments/local.toml");
        self.bed.user("ann", &line).ok();
    }

    /// Begins a deploy that looks at what it deployed for ten minutes.
    fn begin(&self, mode: &str) {
        self.mode(mode);
        let unit = "systemd-run --quiet --collect --unit=deployer --uid=ann -p WorkingDirectory=/home/ann --setenv=HOME=/home/ann";
        let line = format!("{unit} /usr/local/bin/tetra -y -c 'org deploy @dev --min-healthy-time 600s'");
        self.bed.root(&line).ok();
        self.reaches("APPLIED");
        self.runs(mode);
    }

    #[track_caller]
    fn reaches(&self, state: &str) {
        let journal = format!("{}/org/acme/deploy/journal.jsonl", self.dir);
        self.bed.eventually(state, &format!("tail -n 1 {journal} | grep -F '\"to\":\"{state}\"'"));
    }

    /// A word of the shell for the pid of the service.
    fn pid(&self) -> String {
        let meta = format!("{}/tsm/runtime/processes/web/meta.json", self.dir);
        format!("$(grep -Eo '\"pid\": ?[0-9]+' {meta} | head -n 1 | tr -dc 0-9)")
    }

    #[track_caller]
    fn runs(&self, mode: &str) {
        let line = format!("tr '\\0' '\\n' </proc/{}/environ | grep -x MODE={mode}", self.pid());
        self.bed.eventually(&format!("web runs with {mode}"), &line);
    }

    /// The units of the service, its supervisor and its sidecar.
    fn units(&self) -> Vec<String> {
        let dir = format!("{}/tsm/runtime/processes/web", self.dir);
        let pids = format!("{} $(pgrep -f -- '--(supervise|attend) {dir}')", self.pid());
        let line = format!("for p in {pids}; do grep -aE 'name=systemd:|^0::/.' /proc/$p/cgroup | head -n 1; done");
        let said = self.bed.root(&line).ok();
        assert!(said.lines().count() >= 3, "the service, its supervisor and its sidecar: {said}");
        let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
        said.lines().map(|line| line.rsplit('/').find(is_unit).unwrap_or(line).to_owned()).collect()
    }

    /// It is where `tsm start` puts what has to outlive its login: in scopes of its own.
    #[track_caller]
    fn has_own_scopes(&self) {
        let units = self.units();
        let is_own = |unit: &String| unit.starts_with("tetra-web-") && unit.ends_with(".scope");
        assert!(units.iter().all(is_own), "{units:?}");
    }

    /// Ends every login of the user, with all that is in it.
    fn end_logins(&self) {
        let line = format!("loginctl list-sessions --no-legend | awk '$3 == \"{}\" {{print $1}}'", self.user);
        self.bed.root(&format!("for s in $({line}); do loginctl terminate-session $s; done")).ok();
        self.bed.eventually("no login is left", &format!("! {line} | grep ."));
    }

    /// The login of the deploy ends, and the watcher puts `mode` back.
    fn is_put_back(&self, mode: &str) {
        self.end_logins();
        self.reaches("REVERTED");
        self.runs(mode);
        self.bed.root("systemctl stop deployer; true").ok();
        let manager = if self.user == "root" { String::new() } else { format!("--user -M {}@ ", self.user) };
        let line = format!("! systemctl {manager}list-units --no-legend 'tetra*TZ*' 'tetra*revert*' | grep -F .scope");
        self.bed.eventually("no scope of a watcher is left", &line);
        self.runs(mode);
    }
}

#[test]
fn what_a_deploy_starts_outlives_its_login_and_its_watcher() {
    let Some(site) = Site::new("deploy", "root") else { return };
    site.bed.user("ann", INSTANT).ok();
    site.runs("one");
    site.has_own_scopes();
    site.end_logins();
    site.runs("one");
    site.begin("two");
    site.is_put_back("one");
    site.has_own_scopes();

    // The deployer is killed.
    site.begin("three");
    site.bed.root("systemctl kill -s KILL deployer").ok();
    site.reaches("REVERTED");
    site.runs("one");
    site.bed.root("systemctl stop deployer; true").ok();

    // Where a daemon runs, all of it is the daemon's.
    site.bed.root("tsm daemon install @dev && tsm daemon enable && tsm daemon start").ok();
    site.bed.user("ann", INSTANT).ok();
    site.runs("three");
    let of_daemon = |units: Vec<String>| assert!(units.iter().all(|unit| unit == "tetra-dev.service"), "{units:?}");
    of_daemon(site.units());

    // Its unit is that of a release as soon as that stays, and not before.
    let limit = |megabytes: u32| {
        let local = "~/tetra/org/acme/environments/local.toml";
        let line = format!("sed -i '/memory_max/d' {local}; printf 'resources.memory_max = {megabytes}\n' >>{local}");
        site.bed.user("ann", &line).ok();
    };
    let has = |megabytes: u64| {
        let said = site.bed.root("systemctl show -p MemoryMax -p NeedDaemonReload tetra-dev").ok();
        assert!(said.contains(&format!("MemoryMax={}\n", megabytes << 20)), "{said}");
        assert!(said.contains("NeedDaemonReload=no"), "{said}");
    };
    limit(777);
    let said = site.bed.user("ann", INSTANT).ok();
    assert!(said.contains("tetra-dev.service: changed (MemoryMax)"), "{said}");
    has(777);
    limit(888);
    site.begin("four");
    has(777);
    site.is_put_back("three");
    of_daemon(site.units());

    // The power fails; the daemon puts the old release back before it starts it.
    site.begin("five");
    site.bed.root("sync").ok();
    site.bed.power_cut();
    site.reaches("REVERTED");
    site.runs("three");
    let said = site
        .bed
        .root(&format!("grep -F '\"to\":\"REVERTING' {}/org/acme/deploy/journal.jsonl | tail -n 1", site.dir))
        .ok();
    assert!(said.contains("the host was started before it was committed"), "{said}");
}

#[test]
fn a_host_whose_watcher_would_end_with_the_login_is_not_switched() {
    let Some(site) = Site::new("deploy-linger", "bob") else { return };
    let refused = site.bed.user("ann", INSTANT).code(13);
    assert!(refused.contains("loginctl enable-linger bob"), "{refused}");
    assert!(refused.contains("nothing was changed"), "{refused}");
    site.bed.root("loginctl enable-linger bob").ok();
    site.bed.user("ann", INSTANT).ok();
    site.runs("one");
    site.has_own_scopes();
    site.begin("two");
    site.is_put_back("one");
    site.has_own_scopes();
}
