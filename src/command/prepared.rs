//! A command that knows what it will do.

use super::{Command, Cx, Effect};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::report::Report;

/// What a command will do, found out once: the guard reads it, a dry run shows it, and the run carries out exactly that.
pub struct Prepared {
    effect: Effect,
    action: Box<dyn PreparedAction>,
}

impl Prepared {
    /// A command whose arguments say all there is to know.
    pub(super) fn from_arguments<C: Command>(command: C) -> Self {
        Self { effect: command.effect(), action: Box::new(Arguments(command)) }
    }

    /// What it does to the world.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The environments that it touches, beside the active one.
    ///
    /// # Errors
    ///
    /// Fails if a target cannot be resolved.
    pub fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        self.action.environments(cx)
    }

    /// What it will do, to be shown before a question. Changes nothing.
    ///
    /// # Errors
    ///
    /// Fails where running it would fail early.
    pub fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.action.plan(cx)
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being done.
    pub fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        self.action.run(cx)
    }
}

/// A command that has looked: its state is what its plan shows and what its run carries out.
pub struct Stage<T> {
    /// What it does to the world.
    pub effect: Effect,
    /// The environments that it touches, beside the active one.
    pub environments: Vec<EnvRef>,
    /// What was found out.
    pub state: T,
    /// Shows what will be done; none if there is nothing to show.
    pub plan: fn(&T, &mut Cx) -> Result<Option<Report>, Fault>,
    /// Does it.
    pub run: fn(T, &mut Cx) -> Result<Report, Fault>,
}

impl<T: 'static> Stage<T> {
    /// Ready to be guarded and run.
    #[must_use]
    pub fn ready(self) -> Prepared {
        Prepared { effect: self.effect, action: Box::new(self) }
    }

    /// Only shows its plan, and changes nothing.
    #[must_use]
    pub fn dry_run(self) -> Prepared {
        let Self { environments, state, plan, .. } = self;
        let dry = DryRun { state, plan };
        let run = |dry: DryRun<T>, cx: &mut Cx| Ok((dry.plan)(&dry.state, cx)?.unwrap_or_default());
        Stage { effect: Effect::Read, environments, state: dry, plan: |_, _| Ok(None), run }.ready()
    }
}

/// A plan that is shown instead of being carried out.
struct DryRun<T> {
    state: T,
    plan: fn(&T, &mut Cx) -> Result<Option<Report>, Fault>,
}

/// A prepared command without its types.
trait PreparedAction {
    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault>;
    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault>;
    fn run(self: Box<Self>, cx: &mut Cx) -> Result<Report, Fault>;
}

impl<T> PreparedAction for Stage<T> {
    fn environments(&self, _cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(self.environments.clone())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        (self.plan)(&self.state, cx)
    }

    fn run(self: Box<Self>, cx: &mut Cx) -> Result<Report, Fault> {
        (self.run)(self.state, cx)
    }
}

struct Arguments<C>(C);

impl<C: Command> PreparedAction for Arguments<C> {
    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        self.0.environments(cx)
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        self.0.plan(cx)
    }

    fn run(self: Box<Self>, cx: &mut Cx) -> Result<Report, Fault> {
        self.0.run(cx)
    }
}
