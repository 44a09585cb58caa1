//! More of what goes wrong: two deployers, an old process that answers, changed files, clocks.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::{Site, ended};
use crate::ports::free_port;
use crate::sandbox::kill_hard;
use crate::waiting::eventually;

#[test]
fn of_two_deployers_one_has_all_hosts_and_the_other_none() {
    let Some(mut site) = Site::new("of_two_deployers_one_has_all_hosts_and_the_other_none", 3) else { return };
    site.deploy("--max-parallel 3").done();
    site.mode("two");
    site.world.run("org promote @dev --yes").done();
    let options = ["--hosts web-3,web-1,web-2", "--hosts web-2,web-3,web-1"];
    let mut both = options.map(|hosts| site.start(&format!("{hosts} --min-healthy-time 600s"), Stdio::piped()));
    // Which of them comes first is not said.
    let mut first_ended = None;
    eventually("one of them ends", || {
        first_ended = both.iter_mut().position(|it| it.0.try_wait().expect("ours").is_some());
        first_ended.is_some()
    });
    let loser = first_ended.expect("found");
    let (code, said) = ended(&mut both[loser].0);
    let winner = both[1 - loser].0.id();
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("deploys here: ") && said.contains(&format!("(PID {winner})")), "{said}");
    // What it asked is nowhere but where it was refused: on no host is there a record of it.
    site.hosts[0].reaches("APPLIED");
    for host in &site.hosts {
        let records = fs::read_dir(host.org().join("deploy/tx")).expect("there").flatten();
        let records = records.filter(|it| it.path().extension().is_some_and(|it| it == "json")).count();
        assert_eq!(records, 2);
    }
    kill_hard(winner);
    for host in &site.hosts {
        eventually("it is given up", || {
            host.journal().last().is_some_and(|last| ["REVERTED", "ABORTED"].contains(&last.as_str()))
        });
        host.runs("one");
    }
}

/// What answers on the port is not what was started: here a process of the test, as an old one would that was not stopped.
#[test]
fn an_answer_of_another_process_is_not_that_of_the_release() {
    let Some(mut site) = Site::new("an_answer_of_another_process_is_not_that_of_the_release", 1) else { return };
    site.deploy("").done();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/health");
    site.services(&format!(
        "[services.web]\ncommand = 'sleep 1000'\nport = {port}\nhealth = '{url}'\n[services.web.export]\nMODE = 'two'\n"
    ));
    let mut deployer = site.start("--min-healthy-time 600s", Stdio::piped());
    eventually("it is switched", || site.hosts[0].environment().contains("'two'"));
    let old = TcpListener::bind(("127.0.0.1", port)).expect("free");
    let answers = std::thread::spawn(move || {
        let mut count = 0;
        for stream in old.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut line = [0; 4];
            let _ = stream.read_exact(&mut line);
            if line == *b"end!" {
                break;
            }
            count += 1;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
        count
    });
    let (code, said) = ended(&mut deployer.0);
    let mut end = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    end.write_all(b"end!").expect("written");
    let count: usize = answers.join().expect("it answers");
    assert_eq!(code, 14, "{count} answers: {said}");
    assert!(said.contains(&format!("{}", std::process::id())) && said.contains(&format!("port {port}")), "{said}");
    site.hosts[0].runs("one");
}

#[test]
fn a_changed_release_of_prod_is_deployed_over_only_where_that_is_said() {
    let test = "a_changed_release_of_prod_is_deployed_over_only_where_that_is_said";
    let Some(mut site) = Site::of(test, "prod", 1) else { return };
    site.deploy("--yes").done();
    let current = site.hosts[0].current().expect("one");
    let file = site.hosts[0].org().join("releases").join(&current).join("environments/prod.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    fs::write(&file, "# by hand\n").expect("ours");
    let plan = site.deploy("--plan");
    let plan = plan.output + &plan.stderr;
    assert!(plan.contains("environments/prod.toml was changed in the release"), "{plan}");
    let said = site.deploy("--yes").failed(23);
    assert!(said.contains("--accept-drift"), "{said}");
    assert_eq!(site.hosts[0].current().as_ref(), Some(&current));
    // By the real clock: two releases of one second have the same name.
    let (code, said) = ended(&mut site.start("--min-healthy-time 0s --accept-drift", Stdio::piped()).0);
    assert_eq!(code, 0, "{said}");
    assert!(site.hosts[0].current().is_some_and(|now| now != current));
    site.hosts[0].runs("one");
}

/// The clock of the operator is that of the test, and the host's is that of this machine: they differ by far more than ten minutes.
#[test]
fn clocks_that_differ_are_noted_and_change_nothing() {
    let Some(mut site) = Site::new("clocks_that_differ_are_noted_and_change_nothing", 1) else { return };
    let first = site.deploy("");
    assert!(first.code == 0 && first.stderr.contains("web-1: its clock differs by "), "{first:?}");
    site.mode("sick");
    let sick = site.deploy("");
    assert_eq!(sick.code, 14, "{sick:?}");
    site.hosts[0].runs("one");
    // The journal has the times of the host, in their order.
    let text = fs::read_to_string(site.hosts[0].org().join("deploy/journal.jsonl")).expect("there");
    let times: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["at_ms"].as_u64().expect("a time"))
        .collect();
    let host_now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    assert!(times.is_sorted() && times.iter().all(|at| host_now.abs_diff(u128::from(*at)) < 600_000), "{times:?}");
    // Clocks that are the same are not noted.
    site.mode("two");
    let (code, said) = ended(&mut site.start("--min-healthy-time 0s", Stdio::piped()).0);
    assert!(code == 0 && !said.contains("its clock differs"), "{said}");
}
