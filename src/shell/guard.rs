//! The only place that asks before something happens.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use crate::base::environment::{EnvName, Rung};
use crate::base::fault::{Fault, Kind};
use crate::command::{Cx, Effect, Ready};
use crate::report::{Answer, Ask, Console, Report};

use super::config;

/// What has to be answered before an effect may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Yes,
    Word,
}

/// Lets a command pass, or asks, or refuses.
///
/// The strictest of the active environment and those that the command touches counts. What will happen is shown before the
/// question. With `--yes` nothing is asked; where nobody can answer nothing is done.
///
/// # Errors
///
/// Fails with [`Kind::Refused`], or with what keeps the command from saying what it would do.
pub fn pass(name: &str, ready: &dyn Ready, cx: &mut Cx) -> Result<(), Fault> {
    let effect = ready.effect();
    if effect == Effect::Read || cx.yes {
        return Ok(());
    }
    let Some((env, rung)) = strictest(ready, cx)? else { return Ok(()) };
    let need = match (rung, effect) {
        (Rung::Local | Rung::Dev, _) | (_, Effect::Read) | (Rung::Staging, Effect::Write) => Need::Nothing,
        (Rung::Staging, Effect::Destroy) | (Rung::Prod, Effect::Write) => Need::Yes,
        (Rung::Prod, Effect::Destroy) => Need::Word,
    };
    if need == Need::Nothing {
        return Ok(());
    }
    if !cx.console.can_ask() {
        return Err(nobody(name, effect, &env));
    }
    let plan = ready.plan(cx)?.map(|plan| text_of(plan, &*cx.console)).unwrap_or_default();
    let word = (need == Need::Word).then(|| cx.selection.org.as_ref().map_or(env.to_string(), ToString::to_string));
    let ask = Ask { question: format!("{plan}`{name}` {} {env}: go on?", does(effect)), word };
    match cx.console.ask(&ask) {
        Answer::Yes => Ok(()),
        Answer::No => Err(Fault::new(Kind::Refused, format!("`{name}` was not confirmed; nothing was done"))),
        Answer::Nobody => Err(nobody(name, effect, &env)),
    }
}

/// The environment that counts, and how careful to be in it.
fn strictest(ready: &dyn Ready, cx: &mut Cx) -> Result<Option<(EnvName, Rung)>, Fault> {
    let rate = |cx: &Cx, env: EnvName| {
        let rung = config::rung(cx.paths, cx.selection.org.as_ref(), &env);
        (env, rung)
    };
    let active = cx.selection.env.clone().map(|env| rate(cx, env));
    if matches!(active, Some((_, Rung::Prod))) {
        return Ok(active);
    }
    let touched: Vec<_> = ready.touches(cx)?.into_iter().map(|env| rate(cx, env)).collect();
    Ok(active.into_iter().chain(touched).max_by_key(|(_, rung)| *rung))
}

fn does(effect: Effect) -> &'static str {
    if effect == Effect::Destroy { "ends or removes something in" } else { "changes" }
}

fn nobody(name: &str, effect: Effect, env: &EnvName) -> Fault {
    let would = if effect == Effect::Destroy { "would end or remove something in" } else { "would change" };
    Fault::new(Kind::Refused, format!("`{name}` {would} {env}, and there is nobody to ask"))
        .advise("add --yes if it is meant")
}

/// A report as text, to stand before a question.
fn text_of(report: Report, console: &dyn Console) -> String {
    let text = Rc::new(RefCell::new(Vec::new()));
    // Writing to memory does not fail.
    let _ = console.to_sink(Box::new(Sink(Rc::clone(&text)))).show(report);
    let text = String::from_utf8_lossy(&text.borrow()).into_owned();
    text
}

struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
