//! What prompts show of a deploy: on the machine of its deployer, and on the host.

use nix::sys::signal::Signal;

use super::Site;
use crate::pty::Terminal;
use crate::repl::{leave, run};
use crate::sandbox;

#[test]
fn prompts_show_a_deploy_and_say_how_it_ended() {
    let Some(mut site) = Site::new("prompts_show_a_deploy_and_say_how_it_ended", 1) else { return };
    let mut here = Terminal::start(site.at_terminal());
    here.wait_line("acme/local>");
    site.deploy("").done();
    here.wait_for("notice: deploy of acme/dev ended: 1 host runs");
    let mut there = Terminal::start(site.at_terminal_of(&site.hosts[0]));
    there.wait_line("1↑ acme/dev>");

    // While a line is typed.
    here.send("tsm li");
    there.send("tsm li");
    site.mode("two");
    let mut deployer = site.begin();
    here.wait_line("acme/local deploying dev> tsm li");
    there.wait_line("acme/dev deploying> tsm li");
    site.hosts[0].reaches("APPLIED");
    sandbox::signal(deployer.0.id(), Signal::SIGINT);
    assert_eq!(deployer.0.wait().expect("ours").code(), Some(14));
    here.wait_for("notice: deploy of acme/dev ended: web-1 was reverted to");
    there.wait_for("notice: acme/dev was put back by a deploy");
    here.wait_line("acme/local> tsm li");
    there.wait_line("1↑ acme/dev> tsm li");

    there.send("\x15");
    run(&mut there, "set notices off", "1↑ acme/dev>");
    site.deploy("").done();
    here.wait_written("notice: deploy of acme/dev ended: 1 host runs", 2);
    site.world.run("org deploy freeze 'the database moves' @dev --yes").done();
    there.wait_line("acme/dev frozen>");
    site.world.run("org deploy unfreeze @dev --yes").done();
    there.wait_line("acme/dev>");
    assert!(!there.bytes().contains("was deployed"), "{}", there.contents());

    // A deployer that is killed: its lock ends with it, which is seen at the next prompt.
    site.mode("three");
    let mut deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    sandbox::kill_hard(deployer.0.id());
    deployer.0.wait().expect("ours");
    here.send("\x15");
    run(&mut here, "use @dev", "acme/dev>");
    here.wait_for("notice: deploy of acme/dev was killed");
    leave(here);
    leave(there);
}
