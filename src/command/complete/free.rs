//! Values that are for the operator to think of: examples of them, and why there is nothing to choose from.
//!
//! A type with a fixed form has examples. Everything else that no source knows has a row with the reason; a test walks all
//! arguments of all commands and fails for one that has neither.

use std::any::TypeId;

use clap::Arg;

use crate::base::rollout::Share;
use crate::base::size::Size;
use crate::base::time::HumanDuration;
use crate::base::time_spec::TimeSpec;
use crate::command::tsm::events::sessions::SessionsOption;
use crate::ops::scale::TargetCount;
use crate::report::Until;
use crate::tkm::host::{Address, FromPatterns};
use crate::tsm::options::OPTIONS;
use crate::tsm::port::PortSpec;

/// Examples of a type, each with what it means.
type Examples = (fn() -> TypeId, &'static [(&'static str, &'static str)]);

const EXAMPLES: &[Examples] = &[
    (TypeId::of::<Share>, &[("25%", "a quarter of all hosts"), ("2", "two hosts")]),
    (
        TypeId::of::<TimeSpec>,
        &[
            ("10m", "ten minutes ago"),
            ("2h", "two hours ago"),
            ("14:05", "today at that time, or else yesterday"),
            ("2026-11-20", "the beginning of a day"),
            ("2026-11-20T14:05:00Z", "a moment"),
        ],
    ),
    (
        TypeId::of::<HumanDuration>,
        &[
            ("500ms", "half a second"),
            ("10s", "ten seconds"),
            ("5m", "five minutes"),
            ("1h", "an hour"),
            ("7d", "a week"),
        ],
    ),
    (TypeId::of::<Size>, &[("512K", "kibibytes"), ("10M", "mebibytes"), ("1G", "gibibytes")]),
    (
        TypeId::of::<PortSpec>,
        &[("3000", "this port"), ("3000+", "the next free port from here on"), ("none", "it does not listen")],
    ),
    (
        TypeId::of::<Address>,
        &[
            ("10.0.0.5", "an address"),
            ("root@10.0.0.5:22", "with user and port"),
            ("[2001:db8::1]:22", "IPv6 with a port"),
        ],
    ),
    (
        TypeId::of::<FromPatterns>,
        &[("10.0.0.0/8", "a network"), ("10.0.0.5,*.example.org", "several"), ("10.0.0.*,!10.0.0.9", "all but one")],
    ),
    (
        TypeId::of::<std::net::IpAddr>,
        &[
            ("127.0.0.1", "this machine only"),
            ("0.0.0.0", "every address of this machine"),
            ("::1", "this machine, IPv6"),
        ],
    ),
    (
        TypeId::of::<Until>,
        &[("change", "its output differs from that of the first run"), ("0", "it succeeds"), ("5", "not found")],
    ),
    (TypeId::of::<TargetCount>, &[("4", "four in all"), ("+1", "one more"), ("-1", "one fewer")]),
    (
        TypeId::of::<SessionsOption>,
        &[("1h", "the last hour"), ("24h", "the last day"), ("summary", "in numbers"), ("detailed", "one by one")],
    ),
];

/// A value that an argument may have.
pub(super) struct Example {
    pub value: String,
    pub about: String,
    /// It is a word with a meaning of its own, as `none`, and not one of many.
    pub is_word: bool,
}

/// The default of an argument and the examples of its type or service option.
pub(super) fn examples(arg: &Arg) -> Vec<Example> {
    let is_word = |value: &str| {
        let mut all = EXAMPLES.iter().flat_map(|(_, examples)| examples.iter());
        value.bytes().all(|byte| byte.is_ascii_alphabetic()) && all.any(|(word, _)| *word == value)
    };
    let values = described_examples(arg).into_iter();
    values.map(|(value, about)| Example { is_word: is_word(&value), value, about }).collect()
}

fn described_examples(arg: &Arg) -> Vec<(String, String)> {
    let default = arg.get_default_values().iter().filter_map(|value| value.to_str()).filter(|it| !it.is_empty());
    let mut all: Vec<(String, String)> = default.map(|it| (it.to_owned(), "the default".to_owned())).collect();
    let kind = arg.get_value_parser().type_id();
    let of_type = EXAMPLES.iter().find(|(of, _)| kind == of()).map_or(&[][..], |(_, examples)| *examples);
    all.extend(of_type.iter().map(|(example, about)| ((*example).to_owned(), (*about).to_owned())));
    if let Some(option) =
        OPTIONS.iter().find(|option| Some(option.flag) == arg.get_long() && arg.get_id() == option.name)
        && of_type.is_empty()
    {
        all.extend(option.example.iter().map(|it| ((*it).to_owned(), option.expected.to_owned())));
    }
    let mut seen = Vec::new();
    all.retain(|(value, _)| {
        !seen.contains(value) && {
            seen.push(value.clone());
            true
        }
    });
    all
}

/// A type whose values nothing can know, with the reason.
#[cfg(test)]
type FreeType = (fn() -> TypeId, &'static str);

#[cfg(test)]
pub(super) const FREE_TYPES: &[FreeType] = &[
    (TypeId::of::<regex::Regex>, "a pattern of the operator's"),
    (TypeId::of::<regex::bytes::Regex>, "a pattern of the operator's"),
    (TypeId::of::<crate::command::argument::NewOrgName>, "a new name"),
    (TypeId::of::<crate::tkm::key::Fingerprint>, "only the host knows its fingerprint"),
];

/// Arguments whose values nothing can know: the command, the argument, the reason. `*` is every command.
#[cfg(test)]
pub(super) const FREE_ARGUMENTS: &[(&str, &str, &str)] = &[
    ("*", "instances", "how many is for the operator to say"),
    ("*", "canary", "how many is for the operator to say"),
    ("*", "pre_hook", "a command line for a shell"),
    ("tsm start", "name", "a new name"),
    ("tsm logs", "lines", "how many is for the operator to say"),
    ("tsm patterns", "user", "only the logs know the users"),
    ("tsm journey", "session", "only the logs know the sessions"),
    ("tsm save", "description", "free text"),
    ("tsm import", "only", "only the file knows its names"),
    ("tsm import", "prefix", "a new name"),
    ("tsm ports set", "port", "a new number"),
    ("daemon install", "port", "a new number"),
    ("daemon logs", "since", "a time: 10m, 14:05, `1 hour ago`, today"),
    ("serve", "port", "a new number"),
    ("tsm scan-ports", "range", "any ports of the machine"),
    ("tsm nginx generate", "domain", "any domain of the operator's"),
    ("tsm nginx install", "domain", "any domain of the operator's"),
    ("org rollback", "steps", "how many is for the operator to say"),
    ("env init", "set", "a name and a value"),
    ("tkm generate", "days", "how many is for the operator to say"),
    ("*", "expires", "how many days is for the operator to say"),
    ("tkm ssh", "command", "a command line for the host"),
    ("tkm bootstrap", "create_user", "a new name"),
    ("tkm ca sign", "from", "any addresses of the operator's"),
    ("tkm ca revoke", "serial", "`tkm ca list` shows the numbers"),
    ("org deploy logs", "txid", "`org deploy logs` shows the names, and only the hosts know them"),
    ("org deploy rollback", "release", "only the hosts know their releases"),
    ("org deploy freeze", "reason", "free text"),
    ("history", "holding", "any text"),
    ("watch", "count", "how many is for the operator to say"),
    ("exit", "code", "which code is for the operator to say"),
];
