//! What a deploy leaves on a terminal: a row for each host, drawn again in place, and a whole screen at every end.

use super::interrupts::hold;
use super::{Site, WAY};
use crate::pty::Terminal;
use crate::waiting::eventually;

const CTRL_C: &str = "\x03";
const QUESTION: &str = "revert now (y) or keep waiting (n)?";

/// The lines of a screen, without blanks at their ends.
fn lines(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
}

/// The rows of hosts on it, each of which has a name and where the host is.
fn rows(screen: &vt100::Screen) -> Vec<String> {
    lines(screen).into_iter().filter(|line| is_row(line)).collect()
}

/// A note has a colon behind the name.
fn is_row(line: &str) -> bool {
    line.strip_prefix("web-")
        .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("  "))
}

/// A deploy in a terminal of this size, after two lines of something else.
fn deploy(site: &Site, options: &str, (height, width): (u16, u16)) -> Terminal {
    let line = format!(
        "trap : INT; echo first; read word; echo second; \"$0\" {options}; code=$?; echo \"ended with $code\"; exit $code"
    );
    let mut command = site.at_terminal_by(&["sh", "-c", &line]);
    command.arg(crate::world::PROGRAM);
    let mut terminal = Terminal::start(command);
    terminal.wait_for("first");
    terminal.resize(height, width);
    terminal.send("\r");
    terminal
}

/// Every host has one row, one below the other, and what was there before is above them.
#[track_caller]
fn has_three_rows(terminal: &Terminal, state: &str) {
    terminal.wait(&format!("three rows, {state}"), |screen| {
        let all = lines(screen);
        let at = all.iter().position(|line| line.starts_with("web-1  "))?;
        let has_row = |index: usize| all[at + index].starts_with(&format!("web-{}  {state}", index + 1));
        // Notes of the hosts may be between them.
        let is_above = all.iter().position(|line| line == "second").is_none_or(|second| second < at);
        (is_above && rows(screen).len() == 3 && all.len() > at + 2 && (0..3).all(has_row)).then_some(())
    });
}

#[test]
fn the_rows_of_three_hosts_are_drawn_in_place_through_a_resize_and_ctrl_c() {
    let test = "the_rows_of_three_hosts_are_drawn_in_place_through_a_resize_and_ctrl_c";
    let Some(mut site) = Site::new(test, 3) else { return };
    site.deploy("--max-parallel 3").done();
    site.mode("two");
    site.world.run("org promote @dev --yes").done();
    let options = "-y -c 'org deploy @dev --canary 0 --max-parallel 3 --min-healthy-time 600s'";
    let mut terminal = deploy(&site, options, (24, 80));
    has_three_rows(&terminal, "healthy; has to stay so for 10m");
    assert!(lines_of(&terminal).len() <= 24);

    // Narrower and lower: what is drawn next fits, and nothing of what was there stays.
    terminal.resize(10, 40);
    has_three_rows(&terminal, "healthy; has to stay so");
    terminal.wait("for how long", |screen| rows(screen).iter().all(|row| row.ends_with(" s)")).then_some(()));
    assert!(rows_of(&terminal).iter().all(|row| row.chars().count() < 40), "{:?}", rows_of(&terminal));
    has_three_rows(&terminal, "healthy; has to stay so");

    // The question takes the place of the rows, which come back.
    terminal.send(CTRL_C);
    terminal.wait_written(QUESTION, 1);
    assert_eq!(rows_of(&terminal).len(), 0, "{}", terminal.contents());
    terminal.send("n\r");
    terminal.wait("rows again", |screen| (rows(screen).len() == 3).then_some(()));
    let all = lines_of(&terminal);
    let at = all.iter().position(|line| line == "waiting on").unwrap_or_else(|| panic!("{all:?}"));
    assert!(all[at + 1].starts_with("web-1  healthy"), "{all:?}");
    terminal.resize(24, 80);
    terminal.send(CTRL_C);
    terminal.wait_written(QUESTION, 2);
    terminal.send("y\r");
    assert_eq!(terminal.end(), 14);
    let shown = terminal.scrolled_and_shown();
    // Those of the result alone.
    let left: Vec<&String> = shown.iter().filter(|line| is_row(line)).collect();
    assert!(left.len() == 3 && left.iter().all(|line| line.contains("  REVERTED  ")), "{shown:?}");
    assert!(shown.contains(&"ended with 14".to_owned()), "{shown:?}");
    for host in &site.hosts {
        host.runs("one");
    }
}

fn lines_of(terminal: &Terminal) -> Vec<String> {
    terminal.wait("a screen", |screen| Some(lines(screen)))
}

fn rows_of(terminal: &Terminal) -> Vec<String> {
    terminal.wait("a screen", |screen| Some(rows(screen)))
}

#[test]
fn ctrl_c_before_a_host_is_armed_leaves_whole_lines() {
    let Some(mut site) = Site::new("ctrl_c_before_a_host_is_armed_leaves_whole_lines", 1) else { return };
    site.deploy("").done();
    site.mode("two");
    site.world.run("org promote @dev --yes").done();
    let host = &site.hosts[0];
    let held = hold(host);
    let mut terminal = deploy(&site, "-y -c 'org deploy @dev --min-healthy-time 0s'", (10, 40));
    host.reaches("PREFLIGHT");
    terminal.wait("a row", |screen| (rows(screen).len() == 1).then_some(()));
    terminal.send(CTRL_C);
    terminal.wait_written("interrupted before a host was switched", 1);
    drop(held);
    assert_eq!(terminal.end(), 130);
    let shown = terminal.scrolled_and_shown().join("\n");
    assert!(shown.contains("\ninterrupted before a host was switched:"), "{shown}");
    assert!(!shown.contains("^C") && shown.contains("\nended with 130"), "{shown}");
    host.runs("one");
}

/// It ends by itself while it is asked what becomes of it.
#[test]
fn what_follows_a_question_that_closed_begins_on_a_line_of_its_own() {
    let Some(mut site) = Site::new("what_follows_a_question_that_closed_begins_on_a_line_of_its_own", 1) else {
        return;
    };
    site.deploy("").done();
    site.mode("two");
    let mut terminal = deploy(&site, "-y -c 'org deploy @dev --min-healthy-time 3s'", (24, 80));
    site.hosts[0].reaches(WAY[6]);
    terminal.send(CTRL_C);
    terminal.wait_written(QUESTION, 1);
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    let shown = lines_of(&terminal);
    let asked = shown.iter().position(|line| line.contains("[y/N]")).unwrap_or_else(|| panic!("{shown:?}"));
    assert!(shown[asked].ends_with("[y/N]") && shown[asked + 1].starts_with("HOST"), "{shown:?}");
    site.hosts[0].runs("two");
}

#[test]
fn a_quiet_deploy_takes_nothing_away_that_others_wrote() {
    let Some(site) = Site::new("a_quiet_deploy_takes_nothing_away_that_others_wrote", 1) else { return };
    let mut terminal = deploy(&site, "-q -y -c 'org deploy @dev --min-healthy-time 0s'", (24, 80));
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    let shown = lines_of(&terminal);
    assert_eq!(shown[..3], ["first", "", "second"], "{shown:?}");
    assert!(shown[3].starts_with("HOST") && shown[4].starts_with("web-1"), "{shown:?}");
    eventually("it runs", || site.hosts[0].web().is_some());
}

/// A build that says nothing has one line, in place, which goes.
#[test]
fn a_build_that_says_nothing_has_a_line_that_is_drawn_again() {
    let Some(site) = Site::new("a_build_that_says_nothing_has_a_line_that_is_drawn_again", 1) else { return };
    let go = site.world.work().join("go");
    let build = format!("until test -e {}; do sleep 0.02; done; mkdir -p out && echo made", go.display());
    site.services(&format!("[services.web]\ncommand = 'sleep 1000'\n[release]\nfrom = 'out'\nbuild = \"{build}\"\n"));
    let mut terminal = deploy(&site, "-y -c 'org deploy @dev --min-healthy-time 0s'", (24, 80));
    terminal.wait_written("still running `until test", 2);
    let still = |line: &&String| line.starts_with("still running `until");
    assert_eq!(lines_of(&terminal).iter().filter(still).count(), 1, "{}", terminal.contents());
    std::fs::write(&go, "").expect("ours");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    let shown = lines_of(&terminal);
    assert_eq!(shown.iter().filter(still).count(), 0, "{shown:?}");
    assert!(shown.contains(&"made".to_owned()), "{shown:?}");
}
