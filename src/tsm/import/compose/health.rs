//! How a container is looked after.

use std::time::Duration;

use serde_json::Value;

use crate::base::time::HumanDuration;
use crate::tsm::definition::Definition;
use crate::tsm::import::source::{FieldReader, is_true, texts};
use crate::tsm::sidecar::probe::HealthCheck;

use super::words;

/// Takes `test` and the times of a check.
pub(super) fn take(service: &mut FieldReader, check: &Value, it: &mut Definition) {
    let place = format!("{}.healthcheck", service.place);
    let Ok(mut check) = FieldReader::new(check, place, service.unsupported) else { return };
    if check.text("disable").is_some_and(|yes| is_true(&yes)) {
        return;
    }
    let test = check.take("test");
    let line = match test {
        Some(Value::String(line)) => line.replace("$$", "$"),
        Some(list) => match texts(list).split_first() {
            Some((first, rest)) if first == "CMD" => words::line(&rest.into()),
            Some((first, rest)) if first == "CMD-SHELL" => rest.join(" ").replace("$$", "$"),
            _ => String::new(),
        },
        None => String::new(),
    };
    it.options.health = Some(line).filter(|line| !line.trim().is_empty()).map(HealthCheck::Exec);
    let span = |check: &mut FieldReader, key: &str| -> Option<Duration> {
        check.parsed::<HumanDuration>(key).map(|span| span.0)
    };
    it.options.health_interval = span(&mut check, "interval");
    it.options.health_timeout = span(&mut check, "timeout");
    it.options.health_grace = span(&mut check, "start_period");
    it.options.health_threshold = check.parsed("retries");
    check.finish(|_| "not supported".to_owned());
}
