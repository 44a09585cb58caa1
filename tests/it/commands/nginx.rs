//! Sites of nginx, checked and served by the real one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::ports::free_port;
use crate::sandbox::{ChildGuard, CommandOutput, Sandbox, assert_fits};
use crate::waiting::eventually;

/// The nginx of this machine. One that is not there is said aloud, and is a failure where `CI` is set.
fn program() -> Option<PathBuf> {
    let search = std::env::var("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&search).collect();
    directories.push("/usr/sbin".into());
    let found = directories.iter().map(|directory| directory.join("nginx")).find(|path| path.is_file());
    if found.is_none() {
        let text = "NOT TESTED: nginx is not on this machine, so no site was checked by it\n";
        assert!(std::env::var_os("CI").is_none(), "{text}");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    found
}

/// Directories as Debian has them, with a configuration that keeps everything inside.
fn make_config_dir(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.path("nginx");
    for name in ["sites-available", "sites-enabled", "tmp"] {
        fs::create_dir_all(directory.join(name)).expect("a directory");
    }
    let inside = directory.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|name| format!("{name}_temp_path {inside}/tmp/{name};\n")).collect();
    let text = format!(
        "daemon off;\npid {inside}/nginx.pid;\nerror_log {inside}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         include {inside}/sites-enabled/*;\n}}\n"
    );
    fs::write(directory.join("nginx.conf"), text).expect("a configuration");
    directory
}

struct NginxSandbox {
    sandbox: Sandbox,
    dir: PathBuf,
    program: PathBuf,
}

impl NginxSandbox {
    fn new() -> Option<Self> {
        let program = program()?;
        let sandbox = Sandbox::new();
        let directory = make_config_dir(&sandbox);
        Some(Self { sandbox, dir: directory, program })
    }

    fn run(&self, words: &[&str]) -> CommandOutput {
        let mut command = self.sandbox.command(words);
        command.env("TETRA_NGINX", &self.program).env("TETRA_NGINX_DIR", &self.dir);
        command.output().expect("tetra runs").into()
    }

    fn json(&self, words: &[&str], schema: &str) -> (serde_json::Value, i32) {
        let said = self.run(&[&["--json"], words].concat());
        let value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err));
        assert_fits(&value, schema);
        (value, said.code)
    }

    /// A process that answers on the port of its record.
    fn server(&self, name: &str) -> u16 {
        let port = free_port();
        let line = format!("echo hello > index.html; exec python3 -u -m http.server --bind 127.0.0.1 {port}");
        let mut meta = self.sandbox.record(0, name, &line);
        meta.port = Some(port);
        self.sandbox.start_record(&meta);
        eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        port
    }

    fn site(&self, name: &str) -> PathBuf {
        self.dir.join("sites-available").join(format!("tetra-{name}.conf"))
    }

    fn serve(&self) -> ChildGuard {
        let conf = self.dir.join("nginx.conf");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ChildGuard(command.spawn().expect("nginx runs"))
    }
}

/// What is answered to a request, with its head.
fn ask(port: u16) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).ok()?;
    stream.write_all(b"GET /index.html HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_site_is_checked_served_and_taken_away() {
    let Some(bed) = NginxSandbox::new() else { return };
    let port = bed.server("site");
    let listen = free_port();
    let listen_word = listen.to_string();
    let install = ["tsm", "nginx", "install", "site", "--domain", "site.test", "--listen", &listen_word];
    let (done, code) = bed.json(&install, "tsm-nginx-change");
    assert_eq!((&done["action"], &done["reloaded"], code), (&json!("installed"), &json!(false), 0));
    assert_eq!(bed.json(&install, "tsm-nginx-change").0["action"], json!("kept"));
    let (state, code) = bed.json(&["tsm", "nginx", "status", "site"], "tsm-nginx-status");
    assert_eq!((&state["status"], &state["port"], code), (&json!("in place"), &json!(port), 0), "{state:#}");
    let mut nginx = bed.serve();
    eventually("the site is served", || {
        ask(listen).is_some_and(|answer| answer.contains("hello") && answer.contains("X-Content-Type-Options: nosniff"))
    });
    let (gone, _) = bed.json(&["tsm", "nginx", "uninstall", "site"], "tsm-nginx-change");
    assert_eq!((&gone["action"], &gone["reloaded"]), (&json!("removed"), &json!(true)));
    eventually("nginx let it go", || ask(listen).is_none());
    assert!(!bed.site("site").exists() && fs::read_dir(bed.dir.join("sites-enabled")).is_ok_and(|it| it.count() == 0));
    let mut quit = Command::new(&bed.program);
    let _ = quit.arg("-c").arg(bed.dir.join("nginx.conf")).args(["-s", "quit"]).stderr(Stdio::null()).status();
    nginx.0.wait().expect("it ended");
    assert_eq!(bed.json(&["tsm", "nginx", "status", "site"], "tsm-nginx-status").1, 3);
    assert_eq!(bed.run(&["tsm", "nginx", "uninstall", "site"]).code, 5);
}

#[test]
fn a_site_is_for_one_process_or_for_the_instances_of_one() {
    let Some(bed) = NginxSandbox::new() else { return };
    let own = |id, name: &str, group: &str| {
        let mut meta = bed.sandbox.record(id, name, "exec sleep 1000");
        meta.port = Some(9001 + u16::try_from(id).expect("a small number"));
        meta.run.group = group.to_owned();
        bed.sandbox.start_record(&meta);
    };
    own(0, "web-1", "web");
    own(1, "web-2", "web");
    own(2, "other", "");
    let said = bed.run(&["tsm", "nginx", "install", "all"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(
        said.err.contains("`all` is more than one process: ") && said.err.contains("for all instances"),
        "{}",
        said.err
    );
    assert_eq!(bed.run(&["tsm", "nginx", "status", "all"]).code, 2);
    // An ordinary user may not listen on 80, and nginx tries that when it checks the site.
    let said = bed.run(&["tsm", "nginx", "install", "web", "--listen", &free_port().to_string()]);
    assert!(said.code == 0 && said.out.contains("proxying to port 9001, 9002 of web"), "{}{}", said.out, said.err);
    // It is that of the group, also where one of it is left.
    bed.run(&["tsm", "delete", "web-2", "-y"]);
    let (state, code) = bed.json(&["tsm", "nginx", "status", "web"], "tsm-nginx-status");
    assert_eq!((&state["status"], code), (&json!("proxies to another port"), 3), "{state:#}");
    assert_eq!(bed.run(&["tsm", "nginx", "uninstall", "web"]).code, 0);
    assert!(!bed.site("web").exists());
}

#[test]
fn what_nginx_rejects_leaves_everything_as_it_was() {
    let Some(bed) = NginxSandbox::new() else { return };
    bed.server("site");
    let listen = free_port().to_string();
    let install = ["tsm", "nginx", "install", "site", "--listen", &listen];
    let none = bed.sandbox.path("none.pem").display().to_string();
    let said = bed.run(&[&install[..], &["--certificate", &none, "--key", &none]].concat());
    assert!(said.code == 14 && said.err.contains("none.pem"), "{}", said.err);
    assert!(!bed.site("site").exists() && bed.dir.join("sites-enabled/tetra-site.conf").symlink_metadata().is_err());
    assert_eq!(bed.run(&install).code, 0);
    let before = fs::read_to_string(bed.site("site")).expect("a site");
    assert_eq!(bed.run(&[&install[..], &["--certificate", &none, "--key", &none]].concat()).code, 14);
    assert_eq!(fs::read_to_string(bed.site("site")).expect("a site"), before);
    fs::write(bed.dir.join("sites-enabled/other"), "nonsense;\n").expect("a site");
    let said = bed.run(&[&install[..], &["--domain", "x.test"]].concat());
    assert!(said.code == 1 && said.err.contains("already invalid without the site"), "{}", said.err);
}

#[test]
fn a_site_edited_by_hand_is_kept() {
    let Some(bed) = NginxSandbox::new() else { return };
    bed.server("site");
    let listen = free_port().to_string();
    let install = ["tsm", "nginx", "install", "site", "--listen", &listen];
    assert_eq!(bed.run(&install).code, 0);
    let edited = fs::read_to_string(bed.site("site")).expect("a site").replace("300s", "60s");
    fs::write(bed.site("site"), &edited).expect("edited");
    assert_eq!(bed.json(&["tsm", "nginx", "status", "site"], "tsm-nginx-status").0["edited"], json!(true));
    assert_eq!(bed.run(&install).code, 21);
    assert_eq!(bed.run(&["tsm", "nginx", "uninstall", "site"]).code, 21);
    assert_eq!(fs::read_to_string(bed.site("site")).expect("a site"), edited);
    assert_eq!(bed.run(&[&install[..], &["--force"]].concat()).code, 0);
    assert!(Path::new(&bed.site("site")).exists());
}

#[test]
fn a_certificate_makes_two_servers() {
    let Some(bed) = NginxSandbox::new() else { return };
    let port = bed.server("site");
    let said = bed.run(&["tsm", "nginx", "generate", "site", "--certificate", "/a.pem", "--key", "/a.key"]);
    for part in ["return 301 https://", "listen 443 ssl", "ssl_certificate_key /a.key;", &format!("127.0.0.1:{port}")] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert_eq!(bed.run(&["tsm", "nginx", "generate", "site", "--domain", "a;b"]).code, 2);
    assert_eq!(bed.run(&["tsm", "nginx", "generate", "nobody"]).code, 5);
    let text = bed.run(&["tsm", "nginx", "generate", "site", "--json"]).out;
    let shown: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(crate::schema::misfits(&shown, &crate::schema::schema("tsm-nginx-generate")), Vec::<String>::new());
}

#[test]
fn other_interfaces_get_every_action() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "exec sleep 600");
    let actions = sandbox.json_with_schema(&["tsm", "tview"], "tsm-tview");
    let all = actions.as_array().expect("an array");
    let stop = all.iter().find(|it| it["command"] == "tsm stop api").expect("it can be stopped");
    assert_eq!((&stop["group"], &stop["effect"]), (&json!("manage"), &json!("destroy")));
    assert!(all.iter().all(|it| it["effect"].is_string()), "{actions:#}");
    sandbox.ok(&["tsm", "stop", "api"]);
    let actions = sandbox.json_with_schema(&["tsm", "tview", "manage"], "tsm-tview");
    assert!(actions.as_array().expect("an array").iter().any(|it| it["command"] == "tsm start api"));
}
