//! Words of PM2, systemd and Unix: every row of the table leads to a line that exists and does no more than the word means.

use regex::Regex;
use tetra::base::line::lex;
use tetra::command::foreign::{AFTER_PROGRAM, Counterpart, VERBS, foreign_options, option_advice, verb_advice};
use tetra::command::global::Globals;
use tetra::command::registry::{CommandMatch, resolve, unknown};
use tetra::command::{Effect, registry};
use tetra::shell::parse::{Parsed, parse};

fn words(line: &str) -> Vec<String> {
    lex(line).expect("a line").statements.iter().flat_map(|it| it.words.iter().map(|word| word.text.clone())).collect()
}

/// What a line does at most.
fn effect(line: &str) -> Effect {
    match parse(&words(line), &mut Globals::default(), 100) {
        Ok(Parsed::Command(_, ready)) => ready.effect(),
        Ok(Parsed::Show(_)) => Effect::Read,
        Err(misled) => panic!("`{line}`: {}", misled.fault),
    }
}

/// The first line that an advice names.
fn named(advice: &str) -> String {
    let named = Regex::new("`([^`]+)`").expect("a pattern");
    named.captures(advice).unwrap_or_else(|| panic!("no line in: {advice}"))[1].to_owned()
}

fn advice(line: &str) -> String {
    unknown(&words(line)).advice.expect("there is always advice")
}

#[test]
fn every_foreign_verb_leads_to_a_line_that_does_no_more() {
    for verb in VERBS {
        let arguments: &[&str] = match (verb.word, verb.here) {
            ("sendSignal", _) => &["SIGUSR2", "web"],
            (_, Counterpart::Line(template)) if template.contains("{}") || verb.least > 0 => &["web"],
            _ => &[],
        };
        let line = [&[verb.word], arguments].concat();
        let said = verb_advice(&line).unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(advice(&line.join(" ")), said, "the table is asked before a near-miss is");
        assert_eq!(advice(&format!("tsm {}", line.join(" "))), said);
        let here = named(&said);
        for argument in arguments {
            assert!(words(&here).iter().any(|word| word == argument) || !here.contains("web"), "`{here}`: {argument}");
        }
        assert!(effect(&here) <= verb.effect, "`{}` means {:?}: `{here}`", verb.word, verb.effect);
        let own = resolve(&["tsm", verb.word]);
        let alone = resolve(&[verb.word]);
        assert!(!matches!(alone, CommandMatch::Command(..)), "`{}` is a command by now", verb.word);
        if let CommandMatch::Command(found, 2) = own {
            // `tsm describe` is older than this table: the service, not the process.
            assert!(
                verb.word == "describe" || here.starts_with(found.name),
                "`tsm {}` is `{}`, not `{here}`",
                verb.word,
                found.name
            );
        }
    }
}

/// All lines that an advice names, whatever is typed behind the word: none does more than the word, and none does it to more.
#[test]
fn no_foreign_verb_leads_to_more_than_was_typed() {
    // The words that leave alone what is stopped, or what is not started at boot.
    let keep = ["try-restart", "condrestart", "try-reload-or-restart", "unmask", "reset-failed"];
    for verb in VERBS {
        for arguments in [&[][..], &["web"], &["web", "api"], &["SIGUSR2", "web"], &["all"], &["-9", "*"]] {
            let line = [&[verb.word], arguments].concat();
            let Some(said) = verb_advice(&line) else { continue };
            for here in said.split('`').skip(1).step_by(2).filter(|here| here.contains(' ')) {
                let Ok(Parsed::Command(_, ready)) = parse(&words(here), &mut Globals::default(), 100) else { continue };
                assert!(ready.effect() <= verb.effect, "{line:?} means {:?}: `{here}`", verb.effect);
                let typed = arguments.iter().all(|it| !here.contains('*') || it.contains('*'));
                assert!(typed, "{line:?} names fewer processes than `{here}`");
                let is_all = words(here).iter().any(|word| word == "all" || word == "*");
                let is_run = here.starts_with("tsm start");
                assert!(!is_all || is_run || verb.of == "PM2" || verb.effect == Effect::Read, "{line:?}: `{here}`");
                let leads = said.starts_with('`') && said.contains("` does what");
                assert!(!(leads && keep.contains(&verb.word) && ready.effect() > Effect::Read), "{line:?}: {said}");
            }
        }
    }
}

#[test]
fn a_verb_after_its_program_leads_to_a_line_that_does_no_more() {
    for (program, of) in [("pm2", "PM2"), ("systemctl", "systemd"), ("docker", "docker")] {
        for verb in AFTER_PROGRAM.iter().filter(|verb| verb.of == of) {
            let line = format!("{program} {} web", verb.word);
            let here = named(&advice(&line));
            assert!(effect(&here) <= verb.effect, "`{line}` means {:?}: `{here}`", verb.effect);
        }
    }
}

#[test]
fn every_foreign_option_leads_to_a_line_that_exists() {
    // That of PM2 without a path is one of ours with a path.
    for row in foreign_options().filter(|row| row.option != "--watch" || row.command != "start") {
        let name = format!("tsm {}", row.command);
        let value = match (row.option, row.here) {
            ("--max-memory-restart", _) => "300M",
            ("--cron-restart" | "--cron-restart-pattern", _) => "0 4 * * *",
            ("-i", _) => "4",
            _ => "web",
        };
        let mut given: Vec<String> = vec![row.option.to_owned()];
        given.extend(row.takes_value.then(|| value.to_owned()));
        if row.command != "logs" {
            given.extend(["node".to_owned(), "app.js".to_owned()]);
        }
        let said = option_advice(&name, row.option, &given).unwrap_or_else(|| panic!("{}", row.option));
        if let Counterpart::Line(template) = row.here {
            let here = named(&said);
            effect(&here);
            assert!(
                !template.contains("{}") || words(&here).iter().any(|word| word == value),
                "`{here}` has `{value}`"
            );
            // It is refused as it is, so that the advice is seen.
            let mut line = words(&name);
            line.extend(given);
            let refused = parse(&line, &mut Globals::default(), 100).err();
            let refused = refused.unwrap_or_else(|| panic!("`{}` is an option of `{name}` by now", row.option));
            assert_eq!(refused.fault.advice.as_deref(), Some(said.as_str()), "{line:?}");
        }
    }
}

#[test]
fn arguments_are_carried_over() {
    for (line, here) in [
        ("ps", "tsm list"),
        ("status api", "tsm info api"),
        ("tsm status api", "tsm info api"),
        ("pm2 restart api --update-env", "tsm restart api --update-env"),
        ("pm2 describe 'my api'", "tsm info 'my api'"),
        ("systemctl --user status api", "tsm info api"),
        ("systemctl restart api", "tsm restart api"),
        ("pm2 sendSignal SIGUSR2 api", "tsm signal api SIGUSR2"),
        ("signal HUP api", "tsm signal api HUP"),
        ("signal 10 api", "tsm signal api 10"),
        ("signal api HUP", "tsm signal api HUP"),
        ("pm2 reset api", "tsm why api"),
        ("pm2 reset", "tsm why NAME"),
        ("remove api", "tsm delete api"),
        ("supervisorctl remove api", "tsm delete api"),
        ("reread", "tsm up NAME"),
        ("supervisorctl update", "tsm up NAME"),
        ("systemctl show api -p MainPID --value", "tsm info api"),
        ("tsm clear api", "clear"),
        ("journalctl -fu shop", "tsm logs -f shop"),
        ("journalctl -u shop -f", "tsm logs shop -f"),
        ("journalctl -xeu shop", "tsm logs shop"),
        ("journalctl -u shop --since 10m -g error --no-pager", "tsm logs shop --since 10m --grep error"),
        ("flush api", "tsm logs rotate api"),
        ("systemctl kill -s HUP api", "tsm signal api HUP"),
        ("systemctl kill --kill-whom=main --signal=SIGUSR2 api.service", "tsm signal api SIGUSR2"),
        ("systemctl kill --kill-who main -sHUP api", "tsm signal api HUP"),
        ("systemctl kill api", "tsm signal api TERM"),
        ("systemctl kill", "tsm signal NAME TERM"),
        ("systemctl kill -s HUP", "tsm signal NAME HUP"),
        ("kill -s HUP api", "tsm signal api HUP"),
        ("kill -HUP api", "tsm signal api HUP"),
        ("kill -9 api", "tsm signal api 9"),
        ("kill -n 10 'my api'", "tsm signal 'my api' 10"),
        ("killall -HUP api", "tsm signal api HUP"),
        ("pkill --signal USR1 api", "tsm signal api USR1"),
        ("docker kill -s HUP api", "tsm signal api HUP"),
        ("docker kill --signal=HUP api", "tsm signal api HUP"),
        ("signal -HUP api", "tsm signal api HUP"),
        ("kill -l", "!kill -l"),
        ("tsm pkill -f api", "tsm stop api"),
        ("pm2 reload all --only api", "tsm reload api"),
        ("pm2 restart --only=api,web --update-env", "tsm restart api web --update-env"),
        ("pm2 start --only api", "tsm import FILE --only api"),
        ("start --only=api", "tsm import FILE --only api"),
        ("pm2 start --only api pm2.config.js", "tsm import pm2.config.js --only api"),
        ("ecosystem", "tsm save --template"),
        ("pm2 start app.js -i 4 --name x", "tsm start app.js --instances 4 --name x"),
        ("pm2 start app.js --max-memory-restart 300M --time", "tsm start app.js --max-memory 300M"),
        ("pm2 start app.js --watch --namespace shop", "tsm start app.js --watch . --stack shop"),
        ("pm2 start app.js --watch src -n api", "tsm start app.js --watch src --name api"),
        ("pm2 show api", "tsm info api"),
        ("journalctl -f", "tsm logs -f '*'"),
        ("journalctl -fn 50", "tsm logs -fn 50 '*'"),
        ("journalctl", "tsm logs '*'"),
        ("tail -f api", "tsm logs -f api"),
        ("pm2 logs --lines 50", "tsm logs --lines 50 '*'"),
        ("pm2 start ecosystem.config.js", "tsm import ecosystem.config.js"),
        ("pm2 restart ./deploy/pm2.config.cjs --only api", "tsm import ./deploy/pm2.config.cjs --only api"),
        ("startOrReload process.json", "tsm import process.json"),
        ("pm2 delete ecosystem.config.js", "tsm list"),
        ("tsm shutdown", "tsm stop NAME"),
        ("shutdown api", "tsm stop api"),
        ("pm2 kill", "tsm stop all"),
        ("pm2 monit", "tsm monitor"),
        ("pm2 plus", "tsm monitor"),
        ("pm2 attach 0", "tsm logs -f 0"),
        ("systemctl status", "tsm list"),
        ("systemctl start shop.service", "tsm start shop"),
        ("systemctl show shop", "tsm info shop"),
        ("systemctl enable --now shop", "tsm enable shop"),
        ("systemctl edit shop", "tsm show shop"),
        ("service shop restart", "tsm restart shop"),
        ("supervisorctl tail shop", "tsm logs shop"),
        ("nohup node app.js", "tsm start node app.js"),
        ("cls", "clear"),
        ("tsm cls", "clear"),
        ("tsm clear", "clear"),
        ("tsm version", "version"),
        ("rm api", "tsm rm api"),
        ("rm -rf api", "tsm rm api"),
        ("rm", "tsm rm NAME"),
        // Of files, and of more than one thing: no line is advised that would remove something else.
        ("rm -rf /", "tsm rm NAME"),
        ("rm -rf ./build", "tsm rm NAME"),
        ("rm -rf *", "tsm rm NAME"),
        ("rm all", "tsm rm NAME"),
        ("rm -f api web", "tsm rm api web"),
        ("erase api", "tsm rm api"),
        ("clean", "clear"),
        ("purge api", "clear"),
        ("tsm purge", "clear"),
        ("prune", "clear"),
        ("down", "tsm stop NAME"),
        ("down -v", "tsm stop NAME"),
        ("tsm down api", "tsm stop api"),
        ("up", "tsm up"),
        ("up -d", "tsm up"),
        ("up -d api --build --update-env", "tsm up api --update-env"),
        ("docker compose up -d api", "tsm up api"),
        ("docker-compose down", "tsm stop NAME"),
        ("docker ps -a", "tsm list"),
        ("docker logs -f api", "tsm logs -f api"),
        ("docker rm api", "tsm delete api"),
        ("docker restart api", "tsm restart api"),
        // Where a container or a unit may be called so, it means not every one.
        ("docker rm all", "tsm delete NAME"),
        ("docker rm -f '*'", "tsm delete NAME"),
        ("docker stop all", "tsm stop NAME"),
        ("docker kill all", "tsm signal NAME KILL"),
        ("docker compose down all", "tsm stop NAME"),
        ("systemctl stop all", "tsm stop NAME"),
        ("systemctl restart ALL", "tsm restart NAME"),
        ("systemctl kill -s HUP all", "tsm signal NAME HUP"),
        ("systemctl force-reload all", "tsm reload NAME"),
        ("service all stop", "tsm stop NAME"),
        ("supervisorctl remove all", "tsm delete NAME"),
        ("killall all", "tsm stop NAME"),
        ("pkill -9 all", "tsm signal NAME 9"),
        ("shutdown all", "tsm stop NAME"),
        ("nohup echo all", "tsm start echo all"),
        ("pm2 delete all", "tsm delete all"),
        ("pm2 restart all", "tsm restart all"),
        ("supervisorctl stop all", "tsm stop all"),
    ] {
        assert_eq!(named(&advice(line)), here, "{line}");
    }
    let start = ["-i", "max", "--no-autorestart", "app.js"].map(str::to_owned);
    let said = named(&option_advice("tsm start", "-i", &start).expect("advice"));
    let cores = std::thread::available_parallelism().expect("a number");
    assert_eq!(said, format!("tsm start --instances {cores} --restart never app.js"));
}

#[test]
fn a_word_that_looks_never_leads_to_a_command_that_changes_something() {
    let looking = "clear cls clean purge prune wipe empty reset ls dir ps top cat less more head tail grep find show view print get describe inspect check status \
                   info stats stat who whoami date uptime df du free lsof netstat history man apropos which type echo watch peek \
                   display look query trace dump-config list-units is-active cle lear claer del-log dele kil";
    for word in looking.split_whitespace().filter(|word| !matches!(*word, "del-log" | "dele" | "kil")) {
        for line in [word.to_owned(), format!("tsm {word}"), format!("org {word}"), format!("secrets {word}")] {
            if matches!(resolve(&words(&line)), CommandMatch::Command(..)) {
                continue;
            }
            let said = advice(&line);
            for quoted in said.split('`').skip(1).step_by(2) {
                if let CommandMatch::Command(found, _) = resolve(&words(quoted)) {
                    assert_ne!(found.effect, Effect::Destroy, "`{line}`: {said}");
                }
            }
        }
    }
    assert!(!registry::COMMANDS.is_empty());
}

/// What the help lists of another program are whole commands, or sentences.
#[test]
fn every_row_of_the_help_about_another_program_is_whole() {
    for topic in ["from-pm2", "from-systemd"] {
        let text = (tetra::command::help::topic(topic).expect("a topic").text)();
        let rows: Vec<(&str, &str)> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(|line| line.split_once("  ").unwrap_or_else(|| panic!("{line}")))
            .collect();
        for (typed, here) in &rows {
            assert!(!typed.starts_with('-'), "{typed} is typed after a command");
            let here = here.trim();
            assert!(!here.starts_with('-'), "{typed}: {here}");
            let same = rows.iter().filter(|(other, _)| other == typed).count();
            assert!(same == 1, "`{typed}` has {same} rows in {topic}");
        }
    }
}

#[test]
fn a_signal_in_front_of_its_process_is_put_behind_it() {
    let advice = "the signal comes after the process: `tsm signal api HUP`";
    assert_eq!(refused("tsm signal HUP api").advice.as_deref(), Some(advice));
    assert_eq!(refused("tsm signal api web").advice.as_deref(), Some("`tsm signal --help` shows how to write it"));
}

#[test]
fn a_signal_goes_to_each_process_that_was_named_with_it() {
    let signals = "`tsm signal api HUP` and `tsm signal web HUP`";
    for line in ["kill -HUP api web", "systemctl kill -s HUP api web", "docker kill --signal HUP api web"] {
        assert!(advice(line).starts_with(signals), "{line}: {}", advice(line));
    }
    for line in
        ["tsm kill -s HUP api", "tsm kill -HUP api", "tsm kill -1 api", "tsm signal -s HUP api", "tsm signal -HUP api"]
    {
        let said = refused(line).advice.expect("there is always advice");
        let signal = if line.contains("-1") { "1" } else { "HUP" };
        assert_eq!(named(&said), format!("tsm signal api {signal}"), "{line}");
    }
    assert_eq!(refused("tsm kill -x api").advice.as_deref(), Some("`tsm kill --help` shows how to write it"));
}

/// What does less or more than its word is not said to do the same.
#[test]
fn what_is_not_the_same_is_not_said_to_be() {
    let kept = "`tsm save NAME` keeps a process as a service, and `tsm enable NAME` starts it at boot";
    for (line, said) in [
        (
            "flush api",
            "`tsm logs rotate api`, then `tsm logs clean api`: what is written goes on in a new file, and only older ones are removed",
        ),
        (
            "flush",
            "`tsm logs rotate NAME`, then `tsm logs clean NAME`: what is written goes on in a new file, and only older ones are removed",
        ),
        (
            "mask api",
            "`tsm disable api` keeps a service from being started at boot; unlike a masked unit it can still be started by hand",
        ),
        ("dump", kept),
        ("pm2 dump", kept),
        ("pm2 save", kept),
        ("reset-failed", "`tsm cleanup --dry-run` shows what has ended; no failed state has to be reset here"),
        ("reloadLogs", "logs need not be opened anew here; `tsm logs rotate NAME` begins a new file"),
        ("attach api", "`tsm logs -f api` shows what a process writes; nothing can be typed into it"),
    ] {
        assert_eq!(advice(line), said, "{line}");
    }
}

/// What is advised is taken: moments in the words of journalctl are written as ours.
#[test]
fn a_moment_of_journalctl_is_put_into_ours() {
    for (typed, here) in [
        ("--since '1 hour ago'", "--since 1h"),
        ("--since -10min", "--since 10m"),
        ("--since=-10min", "--since=10m"),
        ("--since '2 days 3 hours ago' --until '30min ago'", "--since 2d3h --until 30m"),
        ("--since today", "--since today"),
        ("-S today -U '5 minutes ago'", "--since today --until 5m"),
        ("--since yesterday --until now", "--since yesterday --until 0s"),
        ("--since @1795176000", "--since 2026-11-20T12:00:00Z"),
        ("--since '2026-11-20 12:00'", "--since '2026-11-20 12:00'"),
        ("--since tomorrow", "--since TIME"),
        ("--since '1 month ago' -f", "--since TIME -f"),
    ] {
        let said = named(&advice(&format!("journalctl -u shop {typed}")));
        assert_eq!(said, format!("tsm logs shop {here}"));
        if !said.contains("TIME") {
            effect(&said);
        }
    }
    assert_eq!(named(&advice("journalctl --since '1 hour ago'")), "tsm logs --since 1h '*'");
}

fn refused(line: &str) -> tetra::base::fault::Fault {
    *parse(&words(line), &mut Globals::default(), 100).err().unwrap_or_else(|| panic!("`{line}` is refused")).fault
}

/// `--on` and `--host` run a command elsewhere: they are not guessed from another word.
#[test]
fn no_slip_leads_to_other_hosts() {
    let commands = registry::COMMANDS.iter().map(|it| it.name);
    let lines = commands
        .flat_map(|name| ["--only", "--one", "--o", "--hot", "--hosting", "--no"].map(|it| format!("{name} {it}=web")));
    let first = ["--only list", "--one list", "--o list", "--hot list", "--no list"].map(str::to_owned);
    for line in lines.chain(first) {
        let Some(misled) = parse(&words(&line), &mut Globals::default(), 100).err() else { continue };
        let said = misled.fault.advice.unwrap_or_default();
        assert!(!said.contains("`--on`") && !said.contains("`--host`"), "{line}: {said}");
    }
    assert_eq!(refused("tsm list --hosts a").advice.as_deref(), Some("did you mean `--host`?"));
    assert_eq!(refused("--hsot a list").advice.as_deref(), Some("did you mean `--host`?"));
    let only =
        "`tsm import FILE --only api` makes a service of that app of an ecosystem file, and `tsm up api` starts it";
    for line in ["tsm start --only api", "tsm start --only=api"] {
        assert_eq!(refused(line).advice.as_deref(), Some(only), "{line}");
    }
    let several = "`tsm import FILE --only api,web` makes services of those apps of an ecosystem file, and `tsm up api web` starts them";
    assert_eq!(refused("tsm start --only api,web").advice.as_deref(), Some(several));
    assert_eq!(
        refused("tsm stop all --only api").advice.as_deref(),
        Some("`tsm stop api` does what `--only` does in PM2")
    );
    assert_eq!(
        refused("tsm restart --only api").advice.as_deref(),
        Some("`tsm restart api` does what `--only` does in PM2")
    );
}
