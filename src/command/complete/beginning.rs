//! Whether a value is one that its argument takes, or the beginning of one.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{Arg, Command};

use super::free;
use crate::base::signal::Signal;
use crate::base::size::Size;
use crate::base::time::HumanDuration;
use crate::base::time_spec::TimeSpec;
use crate::command::argument::{HistoryId, ProcessId, ProcessPid, UsedPort};

/// Types of texts that are all taken, or that take long to parse.
const UNJUDGED: [fn() -> TypeId; 4] = [
    TypeId::of::<std::ffi::OsString>,
    TypeId::of::<PathBuf>,
    TypeId::of::<regex::Regex>,
    TypeId::of::<regex::bytes::Regex>,
];

/// Types of whole numbers.
const NUMBERS: [fn() -> TypeId; 12] = [
    TypeId::of::<u8>,
    TypeId::of::<u16>,
    TypeId::of::<u32>,
    TypeId::of::<u64>,
    TypeId::of::<usize>,
    TypeId::of::<i32>,
    TypeId::of::<i64>,
    TypeId::of::<isize>,
    TypeId::of::<HistoryId>,
    TypeId::of::<ProcessId>,
    TypeId::of::<ProcessPid>,
    TypeId::of::<UsedPort>,
];

/// Types of which every value goes on as one of the examples does.
const LIKE_EXAMPLES: [fn() -> TypeId; 3] = [TypeId::of::<TimeSpec>, TypeId::of::<HumanDuration>, TypeId::of::<Size>];

/// True if the values of an argument are parsed while they are typed.
pub(super) fn is_judged(arg: &Arg) -> bool {
    !is_one_of(arg, &UNJUDGED)
}

/// True if the parser of an argument takes a value.
pub(super) fn is_value(arg: &Arg, word: &str) -> bool {
    let value = Arg::new("value").value_parser(arg.get_value_parser().clone()).allow_hyphen_values(true);
    let parser = Command::new("value").no_binary_name(true).disable_help_flag(true).arg(value);
    parser.try_get_matches_from([word]).is_ok()
}

/// False if nothing that an argument takes begins like this.
pub(super) fn may_be(arg: &Arg, word: &str) -> bool {
    if is_one_of(arg, &NUMBERS) {
        return word.strip_prefix(['-', '+']).unwrap_or(word).bytes().all(|byte| byte.is_ascii_digit());
    }
    if arg.get_value_parser().type_id() == TypeId::of::<Signal>() {
        return may_be_signal(word);
    }
    if is_one_of(arg, &LIKE_EXAMPLES) {
        let examples = free::examples(arg);
        let ends = examples.iter().flat_map(|it| it.value.char_indices().map(|(at, _)| &it.value[at..]));
        return ends.into_iter().any(|end| is_value(arg, &format!("{word}{end}")));
    }
    true
}

fn may_be_signal(word: &str) -> bool {
    let typed = word.to_ascii_uppercase();
    let bare = typed.strip_prefix("SIG").unwrap_or(&typed);
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_other = ["RTMIN", "RTMAX"].iter().any(|name| name.starts_with(bare) || bare.starts_with(name));
    let begins = |name: &str| name.starts_with(&typed) || name.trim_start_matches("SIG").starts_with(bare);
    is_number || is_other || Signal::standard().any(|signal| begins(&signal.to_string()))
}

fn is_one_of(arg: &Arg, types: &[fn() -> TypeId]) -> bool {
    let of = arg.get_value_parser().type_id();
    types.iter().any(|it| of == it())
}
