//! Who may do what to whom, shown with the real program: root in the directory of a user, one user in that of another, links and
//! pipes in the place of files. `SECURITY.md` names these tests, one for each of its lines.
//!
//! Only root can become another user. Where we are not root, each test shows what one user alone can show, and says so.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program;
use crate::sandbox::CommandOutput;
use crate::world::PROGRAM;

const ANN: u32 = 64_021;
const BOB: u32 = 64_022;

/// A machine with homes of several users, everything in them ended at the end.
struct UserSandbox {
    root: TempDir,
    program: PathBuf,
}

/// Who runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    /// The user who runs the tests.
    Current,
    Ann,
    Bob,
}

impl User {
    fn uid(self) -> u32 {
        match self {
            Self::Current => nix::unistd::geteuid().as_raw(),
            Self::Ann => ANN,
            Self::Bob => BOB,
        }
    }
}

/// Two other users; none, which is said, where we cannot become them.
fn others(part: &str) -> Option<[User; 2]> {
    if nix::unistd::geteuid().is_root() {
        return Some([User::Ann, User::Bob]);
    }
    let _ = writeln!(std::io::stderr(), "not root: shown for one user only: {part}");
    None
}

impl UserSandbox {
    fn new() -> Self {
        let root = tempfile::Builder::new().prefix("tetra-town-").tempdir().expect("a directory");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("open to others");
        let copy = root.path().join("program");
        program::copy(Path::new(PROGRAM), &copy);
        let sandbox = Self { root, program: copy };
        let users: &[User] =
            if User::Current.uid() == 0 { &[User::Current, User::Ann, User::Bob] } else { &[User::Current] };
        for user in users {
            fs::create_dir(sandbox.home(*user)).expect("a home");
            sandbox.give(&sandbox.home(*user), *user);
        }
        sandbox
    }

    fn home(&self, user: User) -> PathBuf {
        self.root.path().join(format!("{user:?}").to_lowercase())
    }

    /// `$TETRA_DIR` of a user.
    fn tetra(&self, user: User) -> PathBuf {
        self.home(user).join("tetra")
    }

    fn give(&self, path: &Path, user: User) {
        if User::Current.uid() == 0 {
            chown(path, Some(user.uid()), Some(user.uid())).expect("root may");
        }
    }

    /// Runs a command as `user` in the home of `other`, as `sudo` does that keeps HOME. One that hangs ends with 124.
    fn run(&self, user: User, other: User, words: &[&str]) -> CommandOutput {
        let id = user.uid().to_string();
        let mut command = Command::new("timeout");
        command.args(["-k", "5", "120"]);
        if user != User::Current {
            command.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
        }
        command.arg(&self.program).args(words).current_dir(self.home(user)).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var("PATH").expect("a PATH")).env("HOME", self.home(other));
        let output = CommandOutput::from(command.output().expect("tetra runs"));
        assert_ne!(output.code, 124, "{words:?} hangs");
        output
    }

    fn ok(&self, user: User, words: &[&str]) -> String {
        let said = self.run(user, user, words);
        assert_eq!(said.code, 0, "{user:?} {words:?}: {said:?}");
        said.out
    }

    /// Everything below a home that is not its user's.
    fn foreign_files(&self, user: User) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.home(user)];
        while let Some(path) = open.pop() {
            let here = fs::symlink_metadata(&path).expect("it is there");
            if here.uid() != user.uid() {
                found.push(path.clone());
            }
            if here.is_dir() {
                open.extend(fs::read_dir(&path).expect("listed").map(|entry| entry.expect("an entry").path()));
            }
        }
        found
    }

    /// A file of ours that no other user may read or change.
    fn secret(&self) -> PathBuf {
        let path = self.home(User::Current).join("secret");
        fs::write(&path, "TOP_SECRET=1\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        path
    }
}

impl Drop for UserSandbox {
    fn drop(&mut self) {
        for user in [User::Current, User::Ann, User::Bob] {
            if self.tetra(user).exists() {
                self.run(user, user, &["tsm", "delete", "*", "--yes"]);
            }
        }
    }
}

#[test]
fn root_starts_nothing_in_the_home_of_a_user_and_leaves_nothing_of_root_there() {
    let sandbox = UserSandbox::new();
    if let Some([ann, _]) = others("that root starts nothing in the home of a user") {
        for words in [
            &["tsm", "start", "--name", "x", "--", "sleep", "1000"][..],
            &["tsm", "startup"],
            &["tsm", "list"],
            &["tsm", "save", "y", "--", "sleep", "1000"],
            &["org", "init", "acme"],
            &["org", "use", "acme"],
            &["setup"],
        ] {
            let said = sandbox.run(User::Current, ann, words);
            assert!(!words.contains(&"start") || said.code == 4 && said.err.contains("sudo -u"), "{words:?}: {said:?}");
        }
        assert_eq!(sandbox.foreign_files(ann), Vec::<PathBuf>::new(), "what root leaves is the user's");
        sandbox.ok(ann, &["tsm", "start", "--name", "z", "--", "sleep", "1000"]);
        sandbox.ok(ann, &["tsm", "enable", "y"]);
        assert_ne!(sandbox.run(User::Current, ann, &["tsm", "startup"]).code, 0);
        assert_ne!(sandbox.run(User::Current, ann, &["tsm", "start", "y"]).code, 0);
        // A restart begins by a definition of the user, as a start does: what runs goes on as it is.
        assert_eq!(sandbox.run(User::Current, ann, &["tsm", "restart", "z"]).code, 4);
        let rows: serde_json::Value =
            serde_json::from_str(&sandbox.ok(ann, &["tsm", "list", "--json"])).expect("a list");
        let pid = rows[0]["pid"].as_u64().expect("it runs");
        assert_eq!(fs::metadata(format!("/proc/{pid}")).expect("it lives").uid(), ANN);
        sandbox.ok(ann, &["tsm", "stop", "z"]);
        assert_ne!(sandbox.run(User::Current, ann, &["tsm", "restart", "z"]).code, 0);
        assert_eq!(sandbox.foreign_files(ann), Vec::<PathBuf>::new());
    }
    sandbox.ok(User::Current, &["tsm", "start", "--name", "own", "--", "sleep", "1000"]);
    assert_eq!(sandbox.foreign_files(User::Current), Vec::<PathBuf>::new());
}

#[test]
fn root_sees_and_ends_the_processes_of_a_user_as_that_user() {
    let sandbox = UserSandbox::new();
    let user = others("that root acts as the user").map_or(User::Current, |[ann, _]| ann);
    for name in ["a", "b"] {
        sandbox.ok(user, &["tsm", "start", "--name", name, "--", "sleep", "1000"]);
    }
    let listed = sandbox.run(User::Current, user, &["tsm", "list", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&listed.out).expect("a list");
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{listed:?}");
    assert!(listed.err.is_empty(), "{listed:?}");
    let stopped = sandbox.run(User::Current, user, &["tsm", "stop", "a"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(stopped.err.contains("acting as"), user != User::Current, "{stopped:?}");
    assert_eq!(sandbox.run(User::Current, user, &["tsm", "delete", "a", "b"]).code, 0);
    let audit = fs::read_to_string(sandbox.tetra(user).join("logs/tetra.jsonl")).expect("the log of changes");
    let last: serde_json::Value = serde_json::from_str(audit.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["who"].as_str(), Some(tetra::sys::net::user_name(User::Current.uid()).as_str()), "{last}");
    assert_eq!(sandbox.foreign_files(user), Vec::<PathBuf>::new());
}

#[test]
fn no_link_in_the_place_of_a_file_of_the_program_is_followed() {
    let sandbox = UserSandbox::new();
    let secret = sandbox.secret();
    let before = fs::read(&secret).expect("read");
    let other = others("that links of a user do not lead root").map(|[ann, _]| ann);
    for user in other.into_iter().chain([User::Current]) {
        sandbox.ok(user, &["tsm", "start", "--name", "p", "--", "sh", "-c", "echo hello; exec sleep 1000"]);
        let dir = sandbox.tetra(user).join("tsm/runtime/processes/p");
        let files =
            ["logs/tetra.jsonl", "tsm/ports", "tsm/runtime/.id_allocation_lock"].map(|it| sandbox.tetra(user).join(it));
        for file in files.iter().cloned().chain([dir.join("current.out"), dir.join("current.err")]) {
            let _ = fs::remove_file(&file);
            symlink(&secret, &file).expect("a link");
            std::os::unix::fs::lchown(&file, Some(user.uid()), None).expect("given");
        }
        for words in [
            &["tsm", "logs", "p"][..],
            &["tsm", "info", "p"],
            &["tsm", "why", "p"],
            &["tsm", "ports"],
            &["tsm", "start", "--name", "q", "--port", "1", "--", "sleep", "1000"],
            &["tsm", "doctor"],
            &["tsm", "flush", "p"],
            &["tsm", "delete", "p"],
        ] {
            let said = sandbox.run(User::Current, user, words);
            assert!(!said.out.contains("TOP_SECRET") && !said.err.contains("TOP_SECRET"), "{words:?}: {said:?}");
            assert_eq!(fs::read(&secret).expect("read"), before, "{words:?}: {said:?}");
        }
        assert_eq!(secret.metadata().expect("there").mode() & 0o7777, 0o600);
        for file in files {
            let _ = fs::remove_file(file);
        }
    }
}

#[test]
fn a_directory_that_became_a_link_of_another_user_is_not_entered() {
    let sandbox = UserSandbox::new();
    let secret = sandbox.secret();
    let user = others("that links to directories of others are not entered").map_or(User::Current, |[ann, _]| ann);
    sandbox.ok(user, &["tsm", "start", "--name", "p", "--", "sleep", "1000"]);
    sandbox.ok(user, &["tsm", "delete", "p"]);
    let real = sandbox.home(User::Current).join("real");
    fs::create_dir_all(real.join("p")).expect("a directory");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).expect("closed");
    fs::copy(&secret, real.join("tetra.jsonl")).expect("copied");
    fs::write(real.join("p/current.out"), "TOP_SECRET=2\n").expect("a log");
    for name in ["logs", "tsm/runtime/processes"] {
        let directory = sandbox.tetra(user).join(name);
        fs::remove_dir_all(&directory).expect("removed");
        symlink(&real, &directory).expect("a link");
        std::os::unix::fs::lchown(&directory, Some(user.uid()), None).expect("given");
    }
    if user == User::Current {
        // One's own link to one's own directory is a way to use another disk.
        sandbox.ok(user, &["tsm", "start", "--name", "q", "--", "sleep", "1000"]);
        assert!(real.join("q/meta.json").exists());
        sandbox.ok(user, &["tsm", "delete", "q"]);
        return;
    }
    for words in [&["tsm", "list", "all"][..], &["tsm", "logs", "p"], &["tsm", "stop", "p"], &["tsm", "delete", "p"]] {
        let said = sandbox.run(User::Current, user, words);
        assert!(!said.out.contains("TOP_SECRET") && !said.err.contains("TOP_SECRET"), "{words:?}: {said:?}");
    }
    assert_eq!(fs::read(real.join("tetra.jsonl")).expect("read"), fs::read(&secret).expect("read"));
    assert!(real.join("p/current.out").exists(), "nothing was removed");
}

#[test]
fn a_definition_is_run_only_if_no_other_user_can_write_it() {
    let sandbox = UserSandbox::new();
    sandbox.ok(User::Current, &["tsm", "save", "api", "--", "sleep", "1000"]);
    sandbox.ok(User::Current, &["tsm", "enable", "api"]);
    let directory = sandbox.tetra(User::Current).join("tsm/services-available");
    let file = directory.join("api.tsm");
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    for (path, open, closed) in [(&file, 0o666, 0o644), (&directory, 0o777, 0o755)] {
        set(path, open);
        let said = sandbox.run(User::Current, User::Current, &["tsm", "start", "api"]);
        assert_eq!(said.code, 4, "{said:?}");
        assert!(said.err.contains("is writable by other users") && said.err.contains("chmod"), "{said:?}");
        assert_ne!(sandbox.run(User::Current, User::Current, &["tsm", "startup"]).code, 0);
        assert!(sandbox.ok(User::Current, &["tsm", "list", "--json"]).trim() == "[]", "nothing runs");
        set(path, closed);
    }
    sandbox.ok(User::Current, &["tsm", "start", "api"]);
    let Some([ann, bob]) = others("that definitions of other users are not run") else { return };
    sandbox.ok(ann, &["tsm", "save", "hers", "--", "sleep", "1000"]);
    let hers = sandbox.tetra(ann).join("tsm/services-available/hers.tsm");
    for user in [User::Current, bob] {
        let said = sandbox.run(user, user, &["tsm", "start", hers.to_str().expect("a path")]);
        assert_eq!(said.code, 4, "{said:?}");
        assert!(said.err.contains("belongs to another user"), "{said:?}");
    }
    // Root's own directory with a definition that was given away, and one in a directory that was.
    sandbox.give(&file, ann);
    assert_eq!(sandbox.run(User::Current, User::Current, &["tsm", "start", "api"]).code, 4);
    sandbox.give(&file, User::Current);
    sandbox.give(&directory, ann);
    assert_eq!(sandbox.run(User::Current, User::Current, &["tsm", "start", "api"]).code, 4);
    sandbox.give(&directory, User::Current);
    // What root wrote, a user may run.
    sandbox.give(&hers, User::Current);
    sandbox.ok(ann, &["tsm", "start", "hers"]);
}

#[test]
fn a_user_changes_nothing_in_the_directory_of_another() {
    let sandbox = UserSandbox::new();
    let Some([ann, bob]) = others("that a user changes nothing in the directory of another") else {
        sandbox.ok(User::Current, &["tsm", "start", "--name", "own", "--", "sleep", "1000"]);
        return;
    };
    sandbox.ok(ann, &["tsm", "start", "--name", "hers", "--", "sleep", "1000"]);
    // Even where ann let everybody write.
    for name in ["", "logs", "tsm", "tsm/runtime"] {
        fs::set_permissions(sandbox.tetra(ann).join(name), fs::Permissions::from_mode(0o777)).expect("root may");
    }
    for words in [
        &["tsm", "start", "--name", "x", "--", "sleep", "1000"][..],
        &["tsm", "stop", "hers"],
        &["tsm", "delete", "hers"],
        &["tsm", "save", "x", "--", "sleep", "1000"],
        &["tsm", "startup"],
    ] {
        let said = sandbox.run(bob, ann, words);
        assert!(said.code == 4 && said.err.contains("belongs to"), "{words:?}: {said:?}");
    }
    assert_eq!(sandbox.foreign_files(ann), Vec::<PathBuf>::new());
    assert!(sandbox.ok(ann, &["tsm", "list"]).contains("hers"));
}

#[test]
fn lines_that_run_at_the_prompt_are_those_of_its_user() {
    let sandbox = UserSandbox::new();
    let user = others("that the lines of another user are not run").map_or(User::Current, |[ann, _]| ann);
    let config = sandbox.home(user).join(".config/tetra");
    fs::create_dir_all(&config).expect("a directory");
    fs::write(config.join("config.toml"), "[aliases]\nhello = \"tsm list\"\n").expect("written");
    for path in [sandbox.home(user).join(".config"), config.clone(), config.join("config.toml")] {
        sandbox.give(&path, user);
    }
    assert_eq!(sandbox.run(user, user, &["-c", "alias"]).code, 0);
    // Root with its own `$TETRA_DIR` and the HOME of a user.
    let mut command = Command::new(&sandbox.program);
    command
        .args(["-c", "alias"])
        .env_clear()
        .env("HOME", sandbox.home(user))
        .env("TETRA_DIR", sandbox.tetra(User::Current));
    let output = command.current_dir(sandbox.home(User::Current)).stdin(Stdio::null()).output().expect("tetra runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(user == User::Current || !out.contains("hello"), "an alias of another user holds for root: {out}");
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_an_error_at_once() {
    let sandbox = UserSandbox::new();
    let we = User::Current;
    sandbox.ok(we, &["org", "init", "acme"]);
    sandbox.ok(we, &["tsm", "save", "api", "--", "sleep", "1000"]);
    let home = sandbox.tetra(we);
    let pipe = |path: PathBuf| {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let _ = fs::remove_file(&path);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        path
    };
    for (path, lines) in [
        (home.join("org/acme/secrets/staging.env"), &["secrets list staging", "secrets doctor", "secrets scan"][..]),
        (home.join("tsm/services-available/api.tsm"), &["tsm start api", "tsm show api", "tsm services", "tsm doctor"]),
        (sandbox.home(we).join("dev.env"), &["tsm start --env dev sleep 1000", "tsm start sleep 1000"]),
        (sandbox.home(we).join("package.json"), &["tsm start --name n --dry-run -- npm start"]),
        (sandbox.home(we).join("tetra.toml"), &["env validate dev", "env list", "env init dev"]),
        (sandbox.home(we).join(".config/tetra/context"), &["org list"]),
        (sandbox.home(we).join(".config/tetra/config.toml"), &["tsm list"]),
        (home.join("org/acme/environments/local.toml"), &["org env validate local", "org promote @dev", "org list"]),
        (home.join("org/acme/manifest.toml"), &["org list", "org status"]),
        (home.join("tsm/config/triggers.conf"), &["tsm triggers"]),
        (home.join("tsm/ports"), &["tsm ports", "tsm start --name o --port 65001 --no-wait -- sleep 1000"]),
        (home.join("logs/tetra.jsonl"), &["tsm save other -- sleep 1", "tsm why other"]),
        (sandbox.home(we).join("Procfile"), &["tsm import Procfile"]),
        (sandbox.home(we).join("value"), &["secrets set dev KEY --file value"]),
    ] {
        let made = pipe(path);
        for line in lines {
            sandbox.run(we, we, &["-c", line]);
        }
        fs::remove_file(made).expect("still a pipe, or a file");
    }
}

#[test]
fn links_that_are_meant_are_followed() {
    let sandbox = UserSandbox::new();
    let we = User::Current;
    let real = sandbox.home(we).join("elsewhere");
    fs::create_dir(&real).expect("a directory");
    symlink(&real, sandbox.tetra(we)).expect("a link");
    let project = sandbox.home(we).join("project.tsm");
    fs::write(&project, "TSM_COMMAND=\"sleep 1000\"\n").expect("a definition");
    sandbox.ok(we, &["tsm", "save", "api", "--", "sleep", "1000"]);
    sandbox.ok(we, &["tsm", "enable", "api"]);
    assert!(fs::symlink_metadata(real.join("tsm/services-enabled/api.tsm")).expect("there").is_symlink());
    symlink(&project, real.join("tsm/services-available/project.tsm")).expect("a link");
    sandbox.ok(we, &["tsm", "startup"]);
    sandbox.ok(we, &["tsm", "start", "project"]);
    let rows: serde_json::Value = serde_json::from_str(&sandbox.ok(we, &["tsm", "list", "--json"])).expect("a list");
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    sandbox.ok(we, &["tsm", "logs", "api"]);
}

#[test]
fn a_name_of_a_socket_cannot_be_taken_before() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let sandbox = UserSandbox::new();
    let path = sandbox.tetra(User::Current).join("tsm/runtime/processes/n/notify");
    let name = SocketAddr::from_abstract_name(path.display().to_string()).expect("a name");
    let taken = UnixDatagram::bind_addr(&name).expect("it is free");
    let ready = "python3 -c 'import os, socket, time; a = os.environ[\"NOTIFY_SOCKET\"]; \
        a = \"\\0\" + a[1:] if a[0] == \"@\" else a; \
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"READY=1\", a); time.sleep(1000)'";
    let line = format!("exec {ready}");
    let mut words = vec!["tsm", "start", "--name", "n", "--notify"];
    if others("that the socket of a process of another user has a name that cannot be known").is_some() {
        words.extend(["--user", "nobody"]);
    }
    words.extend(["--cwd", "/", "--", "sh", "-c", &line]);
    let said = sandbox.ok(User::Current, &words);
    let record = fs::read_to_string(path.with_file_name("meta.json")).expect("a record");
    assert!(!record.contains(&format!("@{}", path.display())), "{said}");
    assert!(sandbox.ok(User::Current, &["tsm", "info", "n"]).contains("healthy"));
    drop(taken);
}

#[test]
fn the_places_for_large_pipes_cannot_be_taken_by_another_user() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    use std::os::unix::net::{SocketAddr, UnixListener};

    let sandbox = UserSandbox::new();
    let user = others("that floods have large pipes").map_or(User::Current, |[ann, _]| ann);
    let name = |place: usize| format!("tetra-large-pipe-{}-{place}", user.uid());
    let taken: Vec<UnixListener> = (0..64)
        .filter_map(|place| UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(place)).ok()?).ok())
        .collect();
    let flood = ["tsm", "start", "--log-size", "1M", "--log-keep", "1", "--name", "f", "--", "cat", "/dev/zero"];
    sandbox.ok(user, &flood);
    let record = sandbox.tetra(user).join("tsm/runtime/processes/f/meta.json");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(record).expect("a record")).expect("JSON");
    let guard = record["life"]["guard_pid"].as_u64().expect("a pid");
    let is_large = |entry: fs::DirEntry| {
        let pipe = fs::metadata(entry.path()).is_ok_and(|found| found.file_type().is_fifo());
        let mut options = fs::OpenOptions::new();
        let opened = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(entry.path()).ok();
        pipe && opened.and_then(|it| rustix::pipe::fcntl_getpipe_size(it).ok()).is_some_and(|size| size >= 1 << 20)
    };
    crate::waiting::eventually("a flood has a large pipe", || {
        fs::read_dir(format!("/proc/{guard}/fd")).expect("its descriptors").flatten().any(is_large)
    });
    drop(taken);
}

#[test]
fn without_proc_the_reason_is_reported() {
    let sandbox = UserSandbox::new();
    let line = format!(
        "mount -t tmpfs none /proc && HOME={} {} tsm list",
        sandbox.home(User::Current).display(),
        sandbox.program.display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &line]).stdin(Stdio::null());
    let output = command.output().expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("unshare:") || said.contains("mount:") {
        let _ = writeln!(std::io::stderr(), "/proc cannot be taken away here: {said}");
        return;
    }
    assert!(output.status.code() == Some(1) && said.contains("/proc") && said.contains("mount -t proc"), "{said}");
}

#[test]
fn who_waits_for_datagrams_is_not_waited_for() {
    let sandbox = UserSandbox::new();
    let port = crate::ports::free_port().to_string();
    let line = format!(
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
         s.bind((\"127.0.0.1\", {port})); time.sleep(1000)"
    );
    let said = sandbox.run(
        User::Current,
        User::Current,
        &["tsm", "start", "--json", "--name", "u", "--port", &port, "--", "python3", "-c", &line],
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.replace(' ', "").contains("\"listening\":true"), "{said:?}");
}
