use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::supervise::meta::Meta;
use crate::tsm::definition::Definition;
use crate::tsm::request::StartRequest;
use crate::tsm::request_text;
use value::{OptionType, RawOptionValue};

/// The example of one option alone.
fn example(option: &ServiceOption) -> ServiceOptions {
    let mut values: Vec<String> = option.example.iter().map(|value| (*value).to_owned()).collect();
    if option.name == "user" {
        // Only root may name another user; any user may name itself.
        values = vec![crate::sys::net::user_name(crate::sys::process::own_uid())];
    }
    let mut options = ServiceOptions::default();
    let raw = RawOptionValue { values: &values, list: true, dir: Path::new("/") };
    option.read(&mut options, &raw).expect(option.name);
    assert_ne!(options, ServiceOptions::default(), "{}", option.name);
    options
}

/// With what a time zone and the details of a health check need to have an effect.
fn in_effect(options: &ServiceOptions) -> ServiceOptions {
    options.or(&ServiceOptions {
        health: Some("tcp://localhost:1".parse().expect("a check")),
        cron: Some("@daily".parse().expect("a schedule")),
        ..ServiceOptions::default()
    })
}

fn reread(definition: &Definition) -> Definition {
    let file = Path::new("/srv/x.tsm");
    Definition::parse(&definition.to_text(), file, &BTreeMap::new()).expect("a definition")
}

#[test]
fn no_option_is_lost_in_a_definition() {
    for option in OPTIONS {
        let definition = Definition {
            file: "/srv/x.tsm".into(),
            name: "x".to_owned(),
            command: "serve".to_owned(),
            cwd: "/srv".into(),
            options: example(option),
            ..Definition::default()
        };
        assert_eq!(reread(&definition), definition, "{}", option.name);
        assert!(definition.to_text().contains(option.tsm), "{}", option.name);
    }
}

#[test]
fn no_option_is_lost_in_a_record() {
    for option in OPTIONS {
        let options = in_effect(&example(option));
        let run = options.resolve(None, RunSpec::default()).expect(option.name);
        assert!(!option.is_default(&run), "{}", option.name);
        // Through the file and back.
        let record = r#"{"tsm_id":1,"name":"x","command":"x","cwd":"/"}"#;
        let mut meta: Meta = serde_json::from_str(record).expect("a record");
        meta.run = run;
        let text = serde_json::to_string(&meta).expect("JSON");
        let read: Meta = serde_json::from_str(&text).expect("a record");
        assert_eq!(read.run, meta.run, "{}", option.name);
        // What was saved from it starts the same again, and so does a restart by the record.
        let saved = ServiceOptions::of_record(&read.run);
        assert_eq!(saved, ServiceOptions { restart: Some(read.run.restart), ..options.clone() }, "{}", option.name);
        assert_eq!(saved.resolve(None, RunSpec::default()).expect("again"), read.run, "{}", option.name);
        let again = ServiceOptions::default().resolve(None, read.run.clone()).expect("again");
        assert_eq!(again, read.run, "{}", option.name);
    }
}

#[test]
fn no_option_is_lost_in_the_options_of_a_start() {
    for option in OPTIONS {
        let request = StartRequest { options: example(option), ..StartRequest::default() };
        let text = request_text::write(&request, &[], Path::new("/srv"));
        assert_eq!(request_text::read(&text), request, "{}", option.name);
        assert_eq!(StartRequest::default().merge_over(request.clone()), request, "{}", option.name);
        let default = ServiceOptions::default();
        assert_eq!(default.or(&request.options), request.options, "{}", option.name);
        assert_eq!(request.options.or(&default), request.options, "{}", option.name);
    }
}

#[test]
fn names_are_unique_and_flags_follow_from_them() {
    for (at, option) in OPTIONS.iter().enumerate() {
        assert_eq!(option.flag, option.name.replace('_', "-"), "{}", option.name);
        let earlier = &OPTIONS[..at];
        assert!(earlier.iter().all(|other| other.tsm != option.tsm), "{}", option.name);
        assert!(!option.help.trim().is_empty() && !option.help.ends_with('.'), "{}", option.name);
    }
}

#[test]
fn a_zero_is_a_value_and_stays_one() {
    let options = ServiceOptions { max_restarts: Some(0), log_size: Some(0), ..ServiceOptions::default() };
    let run = options.resolve(None, RunSpec::default()).expect("a record");
    let again = ServiceOptions::default().resolve(None, run.clone()).expect("a record");
    assert_eq!((again.max_restarts, again.log_size), (0, 0));
    assert_eq!(ServiceOptions::of_record(&run).max_restarts, Some(0));
}

#[test]
fn every_amount_has_limits() {
    for option in OPTIONS {
        let read = |text: &str| {
            let values = [text.to_owned()];
            let raw = RawOptionValue { values: &values, list: false, dir: Path::new("/") };
            option.read(&mut ServiceOptions::default(), &raw)
        };
        let shown = option.show(&example(option).resolve(None, RunSpec::default()).expect(option.name));
        assert_eq!(shown.amount().is_some(), !option.limits.is_empty(), "{}", option.name);
        for limits in option.limits {
            assert_eq!((read(limits.least), read(limits.most)), (Ok(()), Ok(())), "{}", option.name);
            assert!(option.full_help().contains(limits.most), "{}", option.name);
            let number = (option.value_type == OptionType::Number).then_some("2000000000");
            for beyond in ["999999h", "65T", "1e9G", "-1"].into_iter().chain(number) {
                assert!(read(beyond).is_err(), "{} {beyond}", option.name);
            }
        }
    }
    let least = |name: &str, text: &str| {
        let option = OPTIONS.iter().find(|option| option.name == name).expect(name);
        let values = [text.to_owned()];
        option
            .read(&mut ServiceOptions::default(), &RawOptionValue { values: &values, list: false, dir: Path::new("/") })
    };
    assert_eq!(least("health_interval", "1ms"), Err("a value from 10ms to 1d"));
    assert_eq!(least("health_threshold", "0"), Err("a value from 1 to 1000"));
    assert_eq!(least("kill_timeout", "0"), Ok(()));
}

#[test]
fn what_needs_another_option_is_named_without_it() {
    let given = |pairs: &[(&str, &str)]| {
        let mut options = ServiceOptions::default();
        for (name, value) in pairs {
            let option = OPTIONS.iter().find(|option| option.name == *name).expect("an option");
            let values = [(*value).to_owned()];
            let raw = RawOptionValue { values: &values, list: false, dir: Path::new("/") };
            option.read(&mut options, &raw).expect("a value");
        }
        let run = options.resolve(None, RunSpec::default()).expect("a record");
        options.without_effect(&run).iter().map(|(given, needed)| (given.name, needed.name)).collect::<Vec<_>>()
    };
    assert_eq!(given(&[("cron_tz", "UTC"), ("ignore", "x")]), [("ignore", "watch"), ("cron_tz", "cron")]);
    assert_eq!(given(&[("health_interval", "5s"), ("max_restarts", "3")]).len(), 2);
    assert_eq!(given(&[("health_grace", "5s"), ("notify", "true"), ("cron", "@daily"), ("cron_tz", "UTC")]), []);
    assert_eq!(given(&[("max_restarts", "3"), ("restart", "on-failure")]), []);
}

#[test]
fn no_grace_at_all_is_kept_through_a_restart_and_a_save() {
    let of = |grace: Option<Duration>| ServiceOptions {
        health: Some("exec:true".parse().expect("a check")),
        health_grace: grace,
        ..ServiceOptions::default()
    };
    let run = of(Some(Duration::ZERO)).resolve(None, RunSpec::default()).expect("a record");
    let again = ServiceOptions::default().resolve(None, run.clone()).expect("a record");
    assert_eq!((run.monitor.health_grace_ms, again.monitor.health_grace_ms), (0, 0));
    assert_eq!(ServiceOptions::of_record(&run).health_grace, Some(Duration::ZERO));
    let run = of(None).resolve(None, RunSpec::default()).expect("a record");
    assert_eq!((run.monitor.health_grace_ms, ServiceOptions::of_record(&run).health_grace), (DEFAULT_GRACE_MS, None));
}
