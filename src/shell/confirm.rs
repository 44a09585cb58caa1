//! Confirmation before changes, by effect and environment. The only place that asks.

use std::cell::RefCell;
use std::rc::Rc;

use crate::base::environment::{EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::base::{columns, line, redact};
use crate::command::{Cx, Effect, Prepared, Selection};
use crate::ops::environments::{self, ReadOnlyBy};
use crate::report::{Block, Console, Question, Reader, Report, UserAnswer};
use crate::sys::host::{READONLY, READONLY_BY_ENVIRONMENT};

use super::redirect::MemorySink;
use super::session::{Consent, SessionMode};

/// A command in what is said of it.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its words, as given.
    pub words: &'a [String],
    /// How to run it where it cannot ask; made only where it is shown.
    pub advice: &'a dyn Fn() -> String,
}

/// The most columns of a line in a question.
const MAX_LINE: usize = 120;

/// The answer that an effect needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmation {
    NotNeeded,
    YesOrNo,
    TypedWord,
}

/// Checks before a change is prepared that its environment exists and is not read-only, and that confirmation is possible in
/// production.
///
/// # Errors
///
/// Fails with [`FaultKind::NotFound`] for an environment that does not exist, and with [`FaultKind::Refused`] for one that is
/// read-only, and in production without a terminal to ask on.
pub fn admit(called: Called, effect: Effect, session: &[Selection], cx: &Cx) -> Result<(), Fault> {
    if let Some(env) = &cx.selection.env {
        environments::check_exists(cx.paths, cx.selection.org.as_ref(), env)?;
    }
    check_readonly_environments(called.name, active(session, cx).map(|(env, _)| env), cx)?;
    let prod = active(session, cx).find(|(_, tier)| *tier == Tier::Prod);
    match prod.filter(|_| !cx.yes && !cx.console.is_interactive()) {
        Some((env, _)) => Err(not_interactive(called, effect, &env)),
        None => Ok(()),
    }
}

/// Refuses a change where the session is read-only.
///
/// # Errors
///
/// Fails with [`FaultKind::Refused`].
pub fn check_readonly(name: &str, mode: SessionMode, cx: &Cx) -> Result<(), Fault> {
    if !cx.settings.is_on("readonly") {
        return Ok(());
    }
    let inherited = cx.host.variable(READONLY).filter(|value| *value != "0");
    let why = match inherited {
        None => "this session is read-only".to_owned(),
        Some(READONLY_BY_ENVIRONMENT) => "the environment of the prompt that started this is read-only".to_owned(),
        Some(_) => format!("this session is read-only by {READONLY}"),
    };
    let advice = match (inherited, mode) {
        (None, _) | (_, SessionMode::Interactive) => "`set readonly off` allows changes".to_owned(),
        (Some(READONLY_BY_ENVIRONMENT), SessionMode::Batch) => {
            "the same command at that prompt says what makes it so".to_owned()
        }
        (Some(_), SessionMode::Batch) => format!(
            "`set readonly off` at the prompt that started this allows changes, or `unset {READONLY}` in the shell that has it"
        ),
    };
    Err(Fault::new(FaultKind::Refused, format!("`{name}` changes something, and {why}")).with_advice(advice))
}

/// Refuses a change of an environment that is said to be read-only; `--yes` does not help.
fn check_readonly_environments(name: &str, mut envs: impl Iterator<Item = EnvRef>, cx: &Cx) -> Result<(), Fault> {
    let Some((env, by)) = envs.find_map(|env| environments::readonly_by(cx.paths, &env).map(|by| (env.env, by))) else {
        return Ok(());
    };
    let advice = match by {
        ReadOnlyBy::OwnFile(file) => format!(
            "remove `readonly = true` from `{}`; of a generated file also from local.toml, then `org promote @{env} --discard-edits`",
            file.display()
        ),
        ReadOnlyBy::Manifest(file) => {
            format!("remove `readonly = true` below `[environments.{env}]` from `{}`", file.display())
        }
    };
    Err(Fault::new(FaultKind::Refused, format!("`{name}` changes something, and environment {env} is read-only"))
        .with_advice(advice))
}

/// The active environments: that of the command with its options, and those of the session.
fn active(session: &[Selection], cx: &Cx) -> impl Iterator<Item = (EnvRef, Tier)> {
    let active: Vec<EnvRef> = std::iter::once(cx.selection).chain(session).filter_map(Selection::environment).collect();
    let paths = cx.paths;
    active.into_iter().map(|env| {
        let tier = environments::tier(paths, &env);
        (env, tier)
    })
}

/// Asks for confirmation where the effect and the environment need it.
///
/// The strictest environment decides: those of the session (whatever the options of the command say), that of the command with its
/// options, and those that it touches. The plan is shown before the question. With `--yes` nothing is asked, with a prompt's consent
/// nothing outside production; without a terminal the command is refused. With [`Consent::Never`] every change is asked for.
///
/// # Errors
///
/// Fails with [`FaultKind::Refused`], or if the command cannot be planned.
pub fn confirm(
    called: Called,
    prepared: &Prepared,
    session: impl FnOnce() -> Result<Vec<Selection>, Fault>,
    consent: Consent,
    cx: &mut Cx,
) -> Result<(), Fault> {
    let (name, effect) = (called.name, prepared.effect());
    if !effect.is_guarded() {
        return Ok(());
    }
    check_readonly_environments(name, prepared.environments(cx)?.into_iter(), cx)?;
    if cx.yes {
        return Ok(());
    }
    let strictest = strictest(prepared, &session()?, cx)?;
    let rung = strictest.as_ref().map_or(Tier::Local, |(_, rung)| *rung);
    let need = match (rung, effect) {
        (Tier::Local | Tier::Dev, _) | (Tier::Staging, Effect::Write) if consent == Consent::Never => {
            Confirmation::YesOrNo
        }
        (Tier::Local | Tier::Dev, _) | (_, Effect::Read | Effect::Own) | (Tier::Staging, Effect::Write) => {
            Confirmation::NotNeeded
        }
        (Tier::Staging, Effect::Destroy) | (Tier::Prod, Effect::Write) => Confirmation::YesOrNo,
        (Tier::Prod, Effect::Destroy) if cx.settings.get("confirm") == "yes" => Confirmation::YesOrNo,
        (Tier::Prod, Effect::Destroy) => Confirmation::TypedWord,
    };
    if need == Confirmation::NotNeeded || (consent == Consent::BelowProduction && rung != Tier::Prod) {
        return Ok(());
    }
    let env = strictest.as_ref().map(|(env, _)| env);
    if let Some(env) = env.filter(|_| !cx.console.is_interactive()) {
        return Err(not_interactive(called, effect, env));
    }
    let plan = prepared.plan(cx)?;
    // A question without a plan is about the line itself.
    let (about, things) = match &plan {
        Some(plan) => (name.to_owned(), things_in(plan)),
        None => (line_of(called.words), None),
    };
    let plan = plan.map(|plan| text_of(plan, &*cx.console)).unwrap_or_default();
    let word = |env: &EnvRef| env.org.as_ref().map_or(env.env.to_string(), ToString::to_string);
    let expected = env.filter(|_| need == Confirmation::TypedWord).map(word);
    let text = format!("{plan}`{about}` {}: continue?", does(effect, things.as_deref(), env));
    match cx.console.ask(&Question { text, expected }) {
        UserAnswer::Yes => Ok(()),
        UserAnswer::No | UserAnswer::NotInteractive => {
            Err(Fault::new(FaultKind::Refused, format!("`{name}` was not confirmed; nothing was changed")))
        }
    }
}

/// The strictest environment and its tier.
fn strictest(prepared: &Prepared, session: &[Selection], cx: &mut Cx) -> Result<Option<(EnvRef, Tier)>, Fault> {
    let mut rated: Vec<(EnvRef, Tier)> = active(session, cx).collect();
    if rated.iter().all(|(_, tier)| *tier != Tier::Prod) {
        let touched = prepared.environments(cx)?.into_iter();
        rated.extend(touched.map(|env| (env.clone(), environments::tier(cx.paths, &env))));
    }
    Ok(rated.into_iter().rev().max_by_key(|(_, rung)| *rung))
}

/// What a command does, to how many things if that is known, and where if that is an environment.
fn does(effect: Effect, things: Option<&str>, env: Option<&EnvRef>) -> String {
    let does = if effect == Effect::Destroy { "stops or removes" } else { "changes" };
    match (things, env) {
        (None, Some(EnvRef { env, .. })) if effect != Effect::Destroy => format!("{does} {env}"),
        (_, Some(EnvRef { env, .. })) => format!("{does} {} in {env}", things.unwrap_or("something")),
        (_, None) => format!("{does} {}", things.unwrap_or("something")),
    }
}

/// How many things a plan lists, if they are several: of many rows a screen shows the last ones.
fn things_in(plan: &Report) -> Option<String> {
    let [Block::Table(table)] = &plan.blocks[..] else { return None };
    let is_of_processes = table.columns.iter().any(|column| column.key == "pid");
    let thing = if is_of_processes { "process" } else { &*table.columns.first()?.key };
    let is_known = ["process", "service", "secret", "key", "host", "unit", "port"].contains(&thing);
    (is_known && table.rows.len() > 1).then(|| pluralize(table.rows.len(), thing))
}

/// The words without secrets, cut to a row or two.
fn line_of(words: &[String]) -> String {
    columns::truncate(&line::join(redact::redact(words).iter()), MAX_LINE).into_owned()
}

fn not_interactive(Called { name, advice, .. }: Called, effect: Effect, EnvRef { env, .. }: &EnvRef) -> Fault {
    let would = if effect == Effect::Destroy { "would stop or remove something in" } else { "would change" };
    Fault::new(FaultKind::Refused, format!("`{name}` {would} {env}: confirmation needed, and stdin is not a terminal"))
        .with_advice(advice())
}

/// A report as text, shown before the question.
fn text_of(report: Report, console: &dyn Console) -> String {
    let text = Rc::new(RefCell::new(Vec::new()));
    // Writing to memory does not fail.
    let _ = console.to_sink(Box::new(MemorySink(Rc::clone(&text))), Reader::File).show(report);
    String::from_utf8_lossy(&text.take()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::{self, Write};

    use super::*;
    use crate::command::{Settings, Stage};
    use crate::report::OutputOptions;
    use crate::sys::file::{self, Access};
    use crate::sys::os_host::OsHost;
    use crate::sys::paths::Paths;

    /// A command that says what it would do.
    struct Deed(Effect, &'static [&'static str]);

    impl Deed {
        fn prepared(&self, cx: &Cx) -> Prepared {
            let environments = self.1.iter().map(|name| cx.selection.qualify(name.parse().expect("a name"))).collect();
            let plan = |(): &(), _: &mut Cx| Ok(Some(Report::of("the plan".to_owned())));
            Stage { effect: self.0, environments, state: (), plan, run: |(), _| Ok(Report::default()) }.ready()
        }
    }

    /// A console with answers, or without a terminal; records the questions.
    struct Operator {
        answers: Option<VecDeque<UserAnswer>>,
        asked: Vec<Question>,
    }

    impl Console for Operator {
        fn show(&mut self, _: Report) -> io::Result<()> {
            Ok(())
        }

        fn error(&mut self, _: &Fault) {}

        fn note(&mut self, _: &str) {}

        fn is_interactive(&self) -> bool {
            self.answers.is_some()
        }

        fn ask_while(&mut self, question: &Question, _: &mut dyn FnMut() -> bool) -> Option<UserAnswer> {
            self.asked.push(question.clone());
            Some(self.answers.as_mut().and_then(VecDeque::pop_front).unwrap_or(UserAnswer::NotInteractive))
        }

        fn width(&self) -> usize {
            80
        }

        fn is_terminal(&self) -> bool {
            false
        }

        fn to_sink(&self, mut sink: Box<dyn Write>, _: Reader) -> Box<dyn Console> {
            let _ = sink.write_all(b"stop api\n");
            Box::new(Self { answers: None, asked: Vec::new() })
        }

        fn with_options(&self, _: &OutputOptions) -> Box<dyn Console> {
            Box::new(Self { answers: None, asked: Vec::new() })
        }
    }

    /// What becomes of a deed in an environment: the exit code and what was asked.
    fn tried(deed: &Deed, env: &str, answers: Option<&[UserAnswer]>, yes: bool) -> (u8, Vec<Question>) {
        tried_in(deed, env, env, answers, yes)
    }

    /// The same where the options of the command choose another environment than the session.
    fn tried_in(
        deed: &Deed,
        session: &str,
        env: &str,
        answers: Option<&[UserAnswer]>,
        yes: bool,
    ) -> (u8, Vec<Question>) {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let selection = Selection { org: "acme".parse().ok(), env: env.parse().ok(), process: None };
        let session = [Selection { env: session.parse().ok(), ..selection.clone() }];
        let own = paths.environment(&"acme".parse().expect("a name"), &"qa".parse().expect("a name"));
        file::create_dir(own.parent().expect("a directory"))
            .and_then(|()| file::write(&own, b"", Access::Private))
            .expect("made");
        let mut console = Operator { answers: answers.map(|it| it.iter().copied().collect()), asked: Vec::new() };
        let (settings, host) = (Settings::default(), OsHost::new());
        let mut cx = Cx {
            paths: &paths,
            selection: &selection,
            env_option: None,
            settings: &settings,
            host: &host,
            console: &mut console,
            yes,
            verbose: 0,
            running_line: None,
            unwritten_lines: &[],
        };
        let prepared = deed.prepared(&cx);
        let called = Called {
            name: "tsm stop",
            words: &[],
            advice: &|| "pass `--yes` to confirm: `tsm stop --yes api`".to_owned(),
        };
        let admitted = if deed.0.is_guarded() { admit(called, deed.0, &session, &cx) } else { Ok(()) };
        let of_session = || Ok(session.to_vec());
        let done = admitted.and_then(|()| confirm(called, &prepared, of_session, Consent::None, &mut cx));
        let code = done.map_or_else(|fault| fault.kind.code(), |()| 0);
        (code, console.asked)
    }

    #[test]
    fn who_is_asked_depends_on_effect_and_environment() {
        use Effect::{Destroy, Own, Read, Write};
        let word = Some("acme".to_owned());
        for (effect, env, asked) in [
            (Read, "prod", None),
            (Own, "prod", None),
            (Own, "qa", None),
            (Write, "local", None),
            (Destroy, "local", None),
            (Write, "dev", None),
            (Destroy, "dev", None),
            (Write, "staging", None),
            (Destroy, "staging", Some(None)),
            (Write, "prod", Some(None)),
            (Destroy, "prod", Some(word.clone())),
            (Destroy, "production", Some(word.clone())),
            (Write, "qa", Some(None)),
            (Destroy, "qa", Some(word.clone())),
        ] {
            let deed = Deed(effect, &[]);
            let (code, questions) = tried(&deed, env, Some(&[UserAnswer::Yes]), false);
            assert_eq!(
                (code, questions.first().map(|ask| ask.expected.clone())),
                (0, asked.clone()),
                "{effect:?} in {env}"
            );
            let refused = if asked.is_some() { 4 } else { 0 };
            assert_eq!(tried(&deed, env, Some(&[UserAnswer::No]), false).0, refused, "{effect:?} in {env}, no");
            assert_eq!(tried(&deed, env, None, false), (refused, Vec::new()), "{effect:?} in {env}, not interactive");
            assert_eq!(tried(&deed, env, None, true), (0, Vec::new()), "{effect:?} in {env}, --yes");
        }
    }

    #[test]
    fn an_environment_that_does_not_exist_is_a_slip_whatever_is_answered() {
        for yes in [false, true] {
            assert_eq!(tried(&Deed(Effect::Write, &[]), "prdo", Some(&[UserAnswer::Yes]), yes), (5, Vec::new()));
            assert_eq!(tried(&Deed(Effect::Read, &[]), "prdo", None, yes), (0, Vec::new()));
        }
    }

    #[test]
    fn the_strictest_environment_counts() {
        let touching = |env| Deed(Effect::Destroy, env);
        assert_eq!(tried(&touching(&["dev"]), "local", None, false).0, 0);
        assert_eq!(tried(&touching(&["dev", "prod"]), "local", None, false).0, 4);
        assert_eq!(tried(&touching(&["local"]), "staging", None, false).0, 4);
        let (_, asked) = tried(&touching(&["local", "staging"]), "dev", Some(&[UserAnswer::Yes]), false);
        assert!(asked[0].text.contains("in staging"), "{}", asked[0].text);
    }

    #[test]
    fn an_option_makes_it_stricter_and_never_laxer() {
        let deed = Deed(Effect::Destroy, &["local"]);
        for (session, option, code) in
            [("prod", "dev", 4), ("dev", "prod", 4), ("staging", "local", 4), ("dev", "local", 0), ("qa", "dev", 4)]
        {
            assert_eq!(tried_in(&deed, session, option, None, false).0, code, "{option} at {session}");
        }
        let (_, asked) = tried_in(&deed, "prod", "dev", Some(&[UserAnswer::Yes]), false);
        assert!(asked[0].text.contains("in prod"), "{}", asked[0].text);
        assert_eq!(asked[0].expected.as_deref(), Some("acme"));
    }

    #[test]
    fn the_plan_is_shown_before_the_question() {
        let (_, asked) = tried(&Deed(Effect::Write, &[]), "prod", Some(&[UserAnswer::Yes]), false);
        assert_eq!(asked[0].text, "stop api\n`tsm stop` changes prod: continue?");
    }
}
