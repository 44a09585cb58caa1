//! An agent that is locked, or ends, in the middle of a rotation: the host can be entered, and another call ends it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::agents::Agent;
use super::{bootstrap, has_servers, own_lines, tkm_dir};
use crate::program::script;
use crate::sshd::Server;
use crate::world::{PROGRAM, World};

/// What becomes of the agent before a call of ssh.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    Locked,
    Ended,
}

struct Bed {
    server: Server,
    world: World,
    agent: Agent,
    dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let server = Server::start("dev");
        let dir = tempfile::tempdir().expect("a directory");
        let (answers, confirms) = (dir.path().join("answers"), dir.path().join("confirms"));
        script(&answers, "#!/bin/sh\necho secret\n");
        script(&confirms, "#!/bin/sh\nexit 1\n");
        let agent = Agent::start(dir.path(), &confirms, &answers);
        let mut world = World::with(&[("SSH_AUTH_SOCK", &agent.socket.display().to_string())]);
        world.run("tkm init").done();
        let (port, fingerprint) = (server.port(), server.fingerprint());
        world.run(&format!("tkm host add dev root@127.0.0.1:{port} --fingerprint {fingerprint}")).done();
        world.run(&bootstrap(&server)).done();
        // It counts the calls, and does `loss` before one of them.
        script(
            &dir.path().join("ssh"),
            "#!/bin/sh\n[ \"$1\" = -G ] && exec /usr/bin/ssh \"$@\"\nd=${0%/*}; n=$(($(cat \"$d/count\") + 1)); echo $n > \"$d/count\"\n\
             [ $n = $(cat \"$d/at\") ] && \"$d/loss\" > /dev/null 2>&1 < /dev/null\nexec /usr/bin/ssh \"$@\"\n",
        );
        Self { server, world, agent, dir }
    }

    fn keys(&self) -> Vec<String> {
        let dir = tkm_dir(&self.world).join("keys/_/dev");
        let names = fs::read_dir(dir).expect("there").flatten().map(|entry| entry.path());
        names.filter(|path| path.extension().is_none()).map(|path| path.display().to_string()).collect()
    }

    /// Gives each key of dev a passphrase that only the agent knows.
    fn hand_over(&self) {
        for key in self.keys() {
            // One that has it already stays as it is.
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-p", "-P", "", "-N", "secret", "-f", &key]).output().expect("ssh-keygen is there");
            self.agent.add(&["-q", &key]);
        }
    }

    /// Begins a rotation that has done nothing on the host, with both keys in the agent.
    fn begin(&mut self) {
        self.hand_over();
        self.agent.add(&["-x"]);
        self.world.run("tkm rotate dev --now").failed(18);
        self.agent.add(&["-X"]);
        self.hand_over();
    }

    /// Goes on with it, and takes the agent away before a call of ssh; its code, and what was said.
    fn resume(&self, at: usize, loss: Loss) -> (Option<i32>, String) {
        let path = |name: &str| self.dir.path().join(name);
        let line = match loss {
            Loss::Ended => format!("kill -9 {}", self.agent.child.id()),
            Loss::Locked => format!(
                "SSH_AUTH_SOCK='{}' SSH_ASKPASS='{}' SSH_ASKPASS_REQUIRE=force ssh-add -x",
                self.agent.socket.display(),
                path("answers").display()
            ),
        };
        script(&path("loss"), &format!("#!/bin/sh\n{line}\n"));
        fs::write(path("count"), "0").expect("ours");
        fs::write(path("at"), at.to_string()).expect("ours");
        let mut program = self.world.program(PROGRAM);
        let search = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").expect("there"));
        let done = program.args(["-c", "tkm rotate dev --resume --now"]).env("PATH", search).output().expect("it runs");
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.dir.path().join("count")).expect("there").trim().parse().expect("a number")
    }

    /// Brings the agent back with what it held.
    fn mend(&mut self, loss: Loss) {
        match loss {
            Loss::Locked => self.agent.add(&["-X"]),
            Loss::Ended => {
                let (answers, confirms) = (self.dir.path().join("answers"), self.dir.path().join("confirms"));
                self.agent.child.wait().expect("ours");
                let _ = fs::remove_file(&self.agent.socket);
                self.agent = Agent::start(self.dir.path(), &confirms, &answers);
            }
        }
        self.hand_over();
    }
}

fn lines(server: &Server) -> usize {
    own_lines(server).len()
}

fn left_over(dir: &Path) -> bool {
    fs::read_dir(dir).expect("there").flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(".tetra-"))
}

#[test]
fn a_rotation_whose_agent_is_lost_locks_no_one_out_and_is_ended_by_another() {
    if !has_servers("a_rotation_whose_agent_is_lost_locks_no_one_out_and_is_ended_by_another") {
        return;
    }
    let mut bed = Bed::new();
    let mut wrong = Vec::new();
    // The three calls that log in, and two that use a login: those need no agent.
    let points = [1, 2, 4, 7, 9].into_iter().map(|at| (at, Loss::Locked));
    for (at, loss) in points.chain([1, 4, 9].map(|at| (at, Loss::Ended))) {
        bed.begin();
        let before = fs::read(bed.server.authorized_keys()).expect("there");
        let (code, said) = bed.resume(at, loss);
        assert!(bed.calls() >= at, "{at} {loss:?}: {said}");
        let after = fs::read(bed.server.authorized_keys()).expect("there");
        if code != Some(18)
            || !said.contains("your agent did not sign with")
            || !said.contains("tkm rotate @dev --resume")
        {
            wrong.push(format!("{at} {loss:?}: {code:?}: {said}"));
        }
        if at < 5 && before != after {
            wrong.push(format!("{at} {loss:?}: something was changed"));
        }
        bed.mend(loss);
        bed.world.run("tkm test dev").done();
        if bed.world.run("tkm list").done().contains("grace") {
            bed.world.run("tkm rotate dev --resume --now").done();
        }
        bed.world.run("tkm test dev").done();
        if lines(&bed.server) != 1 || left_over(&bed.server.root().join(".ssh")) {
            wrong.push(format!("{at} {loss:?}: something is left over"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
