//! The places that a port can come from, strongest first.

use std::path::Path;

use crate::base::dotenv::Setting;
use crate::base::fault::Place;
use crate::tsm::environment::EnvFile;
use crate::tsm::port::{self, PortSource, PortWish};
use crate::tsm::request::StartRequest;

use super::{Draft, PlanError, PortChoice};

/// Each place with what it says.
pub(super) type Ladder = Vec<(&'static str, Option<String>)>;

impl Draft {
    /// The port, and the ladder that leads to it.
    pub(super) fn port(
        &self,
        request: &StartRequest,
        pairs: &[(String, String)],
        env_file: Option<&EnvFile>,
    ) -> Result<(Option<PortChoice>, Ladder), PlanError> {
        let flag = request.port.map(|wish| PortChoice { wish, source: PortSource::Flag });
        let pair = port_among(pairs)?.map(|wish| PortChoice { wish, source: PortSource::Pair });
        let export = port_among(&self.exports)?.map(|wish| PortChoice { wish, source: PortSource::Export });
        let file = env_file.map(port_of_file).transpose()?.flatten();
        let definition = self.port.map(|wish| PortChoice { wish, source: PortSource::Definition });
        let assigned = self.line.set.iter().rfind(|(key, _)| key == "PORT");
        let assigned = assigned.and_then(|(_, value)| port::number(value)).map(|port| (port, "PORT=N"));
        let guess = assigned.or_else(|| port::guess(&self.line.words, &self.shape));
        let guess =
            guess.map(|(port, form)| PortChoice { wish: PortWish::Exactly(port), source: PortSource::Command(form) });
        let rungs = [
            ("--port", flag),
            ("--env PORT=N", pair),
            ("export PORT", export),
            ("env file", file),
            ("TSM_PORT", definition),
            ("command", guess),
        ];
        let ladder =
            rungs.iter().map(|(rung, choice)| (*rung, choice.as_ref().map(|it| it.wish.to_string()))).collect();
        Ok((rungs.into_iter().find_map(|(_, choice)| choice), ladder))
    }
}

fn port_among(pairs: &[(String, String)]) -> Result<Option<PortWish>, PlanError> {
    let Some((key, value)) = pairs.iter().rfind(|(key, value)| key == "PORT" && !value.is_empty()) else {
        return Ok(None);
    };
    let bad = || PlanError::Port { key: key.clone(), value: value.clone(), at: None };
    port::number(value).map(|port| Some(PortWish::Exactly(port))).ok_or_else(bad)
}

/// `PORT` of an env file, else `TETRA_PORT`.
fn port_of_file(file: &EnvFile) -> Result<Option<PortChoice>, PlanError> {
    let of = |key: &str| file.settings.iter().find(|setting| setting.key == key && !setting.value.is_empty());
    let Some(setting) = of("PORT").or_else(|| of("TETRA_PORT")) else { return Ok(None) };
    let port = port::number(&setting.value).ok_or_else(|| PlanError::Port {
        key: setting.key.clone(),
        value: setting.value.clone(),
        at: Some(place_of(setting, &file.path)),
    })?;
    Ok(Some(PortChoice { wish: PortWish::Exactly(port), source: PortSource::EnvFile(file.path.clone()) }))
}

fn place_of(setting: &Setting, path: &Path) -> Place {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().nth(setting.line.saturating_sub(1) as usize).unwrap_or_default().to_owned();
    let column = line.split_once('=').map_or(1, |(key, _)| key.chars().count() + 2);
    let width = line.chars().count().saturating_sub(column - 1).max(1);
    Place { file: path.display().to_string(), line: setting.line as usize, column, width, text: line }
}
