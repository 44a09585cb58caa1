//! The places that a port can come from, strongest first.

use std::path::Path;

use crate::base::dotenv::EnvVar;
use crate::base::fault::Location;
use crate::disk;
use crate::tsm::environment::{self, EnvFile};
use crate::tsm::port::{self, PortSource, PortSpec};
use crate::tsm::request::StartRequest;

use super::{PlanDraft, PlanError, PortChoice, StartPlan};

/// Each place with what it says.
pub(super) type PortCandidates = Vec<(&'static str, Option<String>)>;

impl PlanDraft {
    /// The port, and the ladder that leads to it.
    pub(super) fn port(
        &self,
        request: &StartRequest,
        pairs: &[(String, String)],
        env_files: &[EnvFile],
    ) -> Result<(Option<PortChoice>, PortCandidates), PlanError> {
        let flag = request.port.map(|wish| PortChoice { spec: wish, source: PortSource::Flag });
        let pair = port_among(pairs)?.map(|wish| PortChoice { spec: wish, source: PortSource::Pair });
        let export = port_among(&self.exports)?.map(|wish| PortChoice { spec: wish, source: PortSource::Export });
        let nothing = [request.port, self.port].contains(&Some(PortSpec::None));
        let file = if nothing { None } else { port_of_files(env_files)? };
        let definition = self.port.map(|wish| PortChoice { spec: wish, source: PortSource::Definition });
        let assigned = self.line.set.iter().rfind(|(key, _)| key == PORT);
        let assigned = assigned.and_then(|(_, value)| port::number(value)).map(|port| (port, "PORT=N"));
        let guess = assigned.or_else(|| port::guess(&self.line.words, &self.shape));
        let guess =
            guess.map(|(port, form)| PortChoice { spec: PortSpec::Exact(port), source: PortSource::Command(form) });
        // What a file says for all of its processes is not for one whose command says something else.
        let is_named = guess.is_some();
        let (file, definition, guess) = (("env file", file), ("TSM_PORT", definition), ("command", guess));
        let lower = if is_named { [definition, guess, file] } else { [file, definition, guess] };
        let upper = [("--port", flag), ("--env PORT=N", pair), ("export PORT", export)];
        let rungs: Vec<_> = upper.into_iter().chain(lower).collect();
        let ladder =
            rungs.iter().map(|(rung, choice)| (*rung, choice.as_ref().map(|it| it.spec.to_string()))).collect();
        let claim = rungs.iter().find_map(|(_, choice)| choice.clone().filter(|choice| choice.source.is_claim()));
        let choice = rungs.into_iter().find_map(|(_, choice)| choice);
        // What a file only suggests is claimed where the definition names the same.
        let agreed = claim.filter(|claim| choice.as_ref().is_some_and(|choice| choice.spec == claim.spec));
        Ok((agreed.or(choice), ladder))
    }
}

/// The variable that a port is exported as.
pub(in crate::tsm) const PORT: &str = "PORT";

/// Lets the variables agree with the port: those to take away, where there is to be none.
///
/// What an env file says is read again at every start, so only what it says by another name is set.
pub(super) fn agree(
    choice: Option<PortChoice>,
    set: &mut Vec<(String, String)>,
    env_files: &[EnvFile],
) -> (Option<PortChoice>, Vec<String>) {
    match choice {
        Some(PortChoice { spec: PortSpec::None, source }) => {
            // Lines of the definition itself are meant.
            set.retain(|(key, _)| key != PORT || source != PortSource::Flag);
            (None, vec![PORT.to_owned()])
        }
        Some(PortChoice { spec: wish, source: PortSource::EnvFile(path) }) => {
            let named = environment::setting(env_files, PORT).is_some_and(|(_, setting)| !setting.value.is_empty());
            if !named && !set.iter().any(|(key, _)| key == PORT) {
                set.insert(0, (PORT.to_owned(), wish.to_string()));
            }
            (Some(PortChoice { spec: wish, source: PortSource::EnvFile(path) }), Vec::new())
        }
        other => (other, Vec::new()),
    }
}

impl StartPlan {
    /// What is to be said where the command names another port than the one that is claimed for it.
    #[must_use]
    pub fn disagreement(&self, port: Option<u16>) -> Option<String> {
        let own = self.own_port.as_ref().filter(|own| Some(own.port) != port)?;
        let claim = self.port.as_ref().filter(|choice| choice.source.is_claim())?;
        let port = port?;
        Some(format!(
            "the command uses port {} although $PORT is {port}; to let it use $PORT: tsm start --port {} {}",
            own.port, claim.spec, own.with_variable
        ))
    }
}

fn port_among(pairs: &[(String, String)]) -> Result<Option<PortSpec>, PlanError> {
    let Some((key, value)) = pairs.iter().rfind(|(key, value)| key == PORT && !value.is_empty()) else {
        return Ok(None);
    };
    let bad = || PlanError::Port { key: key.clone(), value: value.clone(), at: None };
    port::number(value).map(|port| Some(PortSpec::Exact(port))).ok_or_else(bad)
}

/// `PORT` of the env files, else `TETRA_PORT`.
pub(in crate::tsm) fn port_of_files(files: &[EnvFile]) -> Result<Option<PortChoice>, PlanError> {
    let of = |key: &str| environment::setting(files, key).filter(|(_, setting)| !setting.value.is_empty());
    let Some((file, setting)) = of("PORT").or_else(|| of("TETRA_PORT")) else { return Ok(None) };
    let port = port::number(&setting.value).ok_or_else(|| PlanError::Port {
        key: setting.key.clone(),
        value: setting.value.clone(),
        at: Some(place_of(setting, &file.path)),
    })?;
    Ok(Some(PortChoice { spec: PortSpec::Exact(port), source: PortSource::EnvFile(file.path.clone()) }))
}

fn place_of(setting: &EnvVar, path: &Path) -> Location {
    let text = disk::read_to_string(path).unwrap_or_default();
    let line = text.lines().nth(setting.line.saturating_sub(1) as usize).unwrap_or_default().to_owned();
    let column = line.split_once('=').map_or(1, |(key, _)| key.chars().count() + 2);
    let width = line.chars().count().saturating_sub(column - 1).max(1);
    Location { file: path.display().to_string(), line: setting.line as usize, column, width, text: line }
}
