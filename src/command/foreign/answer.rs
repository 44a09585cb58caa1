//! The error for a line of another program, and for one that has a group too little or too much.

use super::{after_program, list_advice, program_verb_advice, same_verb_advice, verb_advice};
use crate::base::fault::Fault;
use crate::command::Effect;
use crate::command::registry::{CommandMatch, resolve};

/// The answer to a line of PM2, systemd or Unix, as it is or after `tsm`.
#[must_use]
pub fn answer(words: &[&str]) -> Option<Fault> {
    let plain = words.strip_prefix(&["tsm"]).unwrap_or(words);
    let first = plain.first()?;
    let advice = match after_program(plain) {
        Some((of, rest)) => Some(list_advice(&rest).or_else(|| program_verb_advice(of, &rest)).unwrap_or_else(|| {
            let ours: Vec<&str> = ["tsm"].iter().chain(&rest).copied().collect();
            match resolve(&ours) {
                CommandMatch::Command(found, count) => same_verb_advice(found.name, &ours[count..]),
                _ => "`tsm` lists the commands for processes".to_owned(),
            }
        })),
        None => list_advice(plain)
            .or_else(|| verb_advice(plain))
            .or_else(|| without_group(words))
            .or_else(|| of_the_shell(words)),
    };
    let given = if plain.len() < words.len() { format!("tsm {first}") } else { (*first).to_owned() };
    advice.map(|advice| Fault::usage(format!("unknown command `{given}`")).with_advice(advice))
}

/// The whole line for one that needs no group at the prompt.
fn without_group(words: &[&str]) -> Option<String> {
    let whole = [&["tsm"], words].concat();
    let is_own = words.len() < 2 || !matches!(resolve(&words[..1]), CommandMatch::Nothing);
    match resolve(&whole) {
        // An option of another program would be advised with it.
        CommandMatch::Command(found, _)
            if found.effect == Effect::Destroy && words.iter().any(|it| it.starts_with('-')) =>
        {
            None
        }
        CommandMatch::Command(found, count) if !is_own => Some(same_verb_advice(found.name, &whole[count..])),
        _ => None,
    }
}

/// The command of the shell itself that was given after the group of processes: `tsm clear`.
fn of_the_shell(words: &[&str]) -> Option<String> {
    let plain = words.strip_prefix(&["tsm"])?;
    match resolve(plain) {
        CommandMatch::Command(found, 1) if found.effect < Effect::Write => {
            Some(format!("`{}` is a command by itself", found.name))
        }
        _ => None,
    }
}
