//! A server of its own for a test: a real sshd on a port of the loopback, with its own host key and its own `/root`.
//!
//! It runs as the user of the test, who has to be root: `/root` of the server is a directory of the test, in a mount namespace
//! that no other program sees. The client's `ssh` and `scp` are the real ones, called with a configuration that knows the server by
//! a name and its key, and nothing of the tester's own.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::ports::free_port;
use crate::world::PROGRAM;
use crate::{program, sandbox};

/// How long a server may take to answer. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

const SSHD: &str = "/usr/sbin/sshd";

/// A server and the means to reach it.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
}

/// Why there can be no server on this machine; none if there can be one.
pub(crate) fn hindrance() -> Option<&'static str> {
    if !Path::new(SSHD).is_file() {
        return Some("there is no /usr/sbin/sshd");
    }
    let mut namespace = Command::new("unshare");
    namespace.args(["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/run"]);
    let possible = namespace.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    (!possible).then_some("a server with a /root of its own needs a mount namespace, which only root can make")
}

impl Server {
    /// Starts one that clients know as `name`. `tetra` is `/root/bin/tetra` there, and is not set up.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    /// The same with further lines of `sshd_config`, which are stronger than its own.
    pub(crate) fn start_with(name: &str, config: &str) -> Self {
        let directory = program::directory();
        let (root, bin) = (directory.path().join("root"), directory.path().join("bin"));
        for path in [&root.join(".ssh"), &root.join("bin"), &bin] {
            fs::create_dir_all(path).expect("ours");
        }
        program::place(&root.join("bin/tetra"));
        key(&root.join(".ssh/host_key"));
        key(&directory.path().join("key"));
        fs::copy(directory.path().join("key.pub"), root.join(".ssh/authorized_keys")).expect("ours");
        for program in ["ssh", "scp"] {
            let config = directory.path().join("ssh_config");
            let text = format!("#!/bin/sh\nexec /usr/bin/{program} -F '{}' \"$@\"\n", config.display());
            program::script(&bin.join(program), &text);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let port = free_port();
            let mut child = spawn(&root, port, config);
            if answers(&mut child, port, until) {
                let server = Self { dir: directory, child, port };
                server.introduce(name, port);
                return server;
            }
            // Another process took the port meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            assert!(Instant::now() < until, "no sshd answered");
        }
    }

    /// Puts the program where it is sent to otherwise, as after an earlier command. Each login compares its digest: where there is
    /// `openssl`, that does it, for the program without optimisation is large, and many a `sha256sum` takes four times as long.
    pub(crate) fn has_program(&self) {
        static NAME: LazyLock<String> = LazyLock::new(|| {
            let digest = tetra::sys::digest::sha256(&fs::read(PROGRAM).expect("it is there"));
            format!("tetra-{}", &digest[..16])
        });
        let dir = self.root().join(".local/lib/tetra");
        fs::create_dir_all(&dir).expect("ours");
        program::place(&dir.join(&*NAME));
        program::script(&self.root().join(".ssh/sha256sum"), "#!/bin/sh\nexec openssl dgst -sha256 -r\n");
        self.inside("! command -v openssl >/dev/null || mount --bind /root/.ssh/sha256sum \"$(command -v sha256sum)\"");
    }

    /// The directory with `ssh` and `scp`; tetra and its other names are there too.
    pub(crate) fn client(&self) -> PathBuf {
        let bin = self.dir.path().join("bin");
        if !bin.join("tetra").exists() {
            program::place(&bin.join("tetra"));
            for name in ["tsm", "tkm", "org"] {
                symlink("tetra", bin.join(name)).expect("ours");
            }
        }
        bin
    }

    /// `/root` of the server.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// The same as its processes see it, with what was mounted there.
    pub(crate) fn seen(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/root", self.child.id()))
    }

    /// The port on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `/etc/ssh` of the server.
    pub(crate) fn etc(&self) -> PathBuf {
        self.root().join(".ssh/etc")
    }

    /// A private key that it lets in.
    pub(crate) fn identity(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    /// The fingerprint of its key.
    pub(crate) fn fingerprint(&self) -> String {
        let mut keygen = Command::new("ssh-keygen");
        let output =
            keygen.arg("-lf").arg(self.root().join(".ssh/host_key.pub")).output().expect("ssh-keygen is there");
        let text = String::from_utf8(output.stdout).expect("a line");
        text.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// The file of keys of its root.
    pub(crate) fn authorized_keys(&self) -> PathBuf {
        self.root().join(".ssh/authorized_keys")
    }

    /// Runs a line of `sh` where its mounts are; what it printed.
    #[track_caller]
    pub(crate) fn inside(&self, line: &str) -> String {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.child.id())).args(["sh", "-c", line]);
        let done = command.output().expect("nsenter is there");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The pids of all that run where its mounts are.
    pub(crate) fn processes(&self) -> Vec<u32> {
        beside(self.child.id())
    }

    /// Ends all of these at once but one, which keeps the mounts.
    pub(crate) fn cut_power(&mut self, keeper: u32) {
        loop {
            let mut all = beside(keeper);
            all.retain(|pid| *pid != keeper && sandbox::is_running(*pid));
            if all.is_empty() {
                break;
            }
            // First none can act any more, as where the power is cut.
            all.iter().for_each(|pid| sandbox::signal(*pid, Signal::SIGSTOP));
            all.iter().for_each(|pid| sandbox::kill_hard(*pid));
        }
        let _ = self.child.wait();
    }

    /// Starts it again where the mounts of that process are, on the same port.
    pub(crate) fn boot(&mut self, keeper: u32) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{keeper}/ns/mnt")).args([SSHD, "-D", "-q", "-E", "/root/.ssh/log"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
        self.child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("nsenter is there");
        assert!(answers(&mut self.child, self.port, Instant::now() + PATIENCE), "it answers again");
    }

    /// Ends it; nothing answers on its port.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same port.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.root(), self.port, "");
        assert!(answers(&mut self.child, self.port, Instant::now() + PATIENCE), "it answers again");
    }

    /// Gives it another host key, on the same port.
    pub(crate) fn rekey(&mut self) {
        self.stop();
        let path = self.root().join(".ssh/host_key");
        fs::remove_file(&path).expect("ours");
        fs::remove_file(path.with_extension("pub")).expect("ours");
        key(&path);
        self.restart();
    }

    /// Tells the client how to reach it.
    fn introduce(&self, name: &str, port: u16) {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let public = fs::read_to_string(self.root().join(".ssh/host_key.pub")).expect("made");
        fs::write(path("known_hosts"), format!("{name} {public}")).expect("ours");
        let config = format!(
            "Host {name}\n  HostName 127.0.0.1\n  HostKeyAlias {name}\n  Port {port}\n  User root\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 20\n  ControlPath none\n",
            path("key"),
            path("known_hosts"),
        );
        fs::write(path("ssh_config"), config).expect("ours");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pids of all that run where the mounts of a process are.
fn beside(pid: u32) -> Vec<u32> {
    let own = fs::read_link(format!("/proc/{pid}/ns/mnt")).expect("it runs");
    let entries = fs::read_dir("/proc").expect("processes are seen").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|its| its == own)).collect()
}

fn key(path: &Path) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path);
    assert!(keygen.status().expect("ssh-keygen is there").success());
}

fn spawn(root: &Path, port: u16, first: &str) -> Child {
    // Without the first exchange of keys that older versions of OpenSSH propose: it takes both sides 0.1 s of processor time, a
    // third of what a deploy of a test takes.
    let config = format!(
        "{first}\nListenAddress 127.0.0.1\nPort {port}\nHostKey /root/.ssh/host_key\nPidFile none\nStrictModes no\nUsePAM no\n\
         KexAlgorithms -sntrup761x25519*\nAuthorizedKeysFile /root/.ssh/authorized_keys\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\nSubsystem sftp internal-sftp\n"
    );
    fs::create_dir_all(root.join(".ssh/etc")).expect("ours");
    fs::write(root.join(".ssh/etc/sshd_config"), config).expect("ours");
    // sshd keeps its unprivileged half in /run/sshd; a /run of its own leaves nothing behind.
    let line = format!(
        "mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount --bind \"$0\" /root && mount --bind \
         /root/.ssh/etc /etc/ssh && exec {SSHD} -D -E /root/.ssh/log"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &line]).arg(root);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("unshare is there")
}

/// What a server says first; nothing if it does not within five seconds. A connection to one that begins anew may stay without an answer.
pub(crate) fn greeting(port: u16) -> String {
    let mut hello = [0; 100];
    let count = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.read(&mut hello)
    });
    String::from_utf8_lossy(&hello[..count.unwrap_or(0)]).into_owned()
}

/// Waits until it says that it is an sshd; false if it ended.
fn answers(child: &mut Child, port: u16, until: Instant) -> bool {
    while Instant::now() < until {
        if child.try_wait().expect("it is ours").is_some() {
            return false;
        }
        if greeting(port).starts_with("SSH-") {
            return true;
        }
        crate::waiting::pause();
    }
    false
}
