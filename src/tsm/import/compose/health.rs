//! How a container is looked after.

use std::time::Duration;

use serde_json::Value;

use crate::base::time::Span;
use crate::tsm::attend::probe::HealthCheck;
use crate::tsm::definition::Definition;
use crate::tsm::import::source::{Source, texts};

use super::words;

/// Takes `test` and the times of a check.
pub(super) fn take(service: &mut Source, check: &Value, it: &mut Definition) {
    let place = format!("{}.healthcheck", service.place);
    let Ok(mut check) = Source::new(check, place, service.lost) else { return };
    if check.text("disable").as_deref() == Some("true") {
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
    it.keep.health = Some(line).filter(|line| !line.trim().is_empty()).map(HealthCheck::Exec);
    let span = |check: &mut Source, key: &str| -> Option<Duration> { check.parsed::<Span>(key).map(|span| span.0) };
    it.keep.health_interval = span(&mut check, "interval");
    it.keep.health_timeout = span(&mut check, "timeout");
    it.keep.health_grace = span(&mut check, "start_period");
    it.keep.health_threshold = check.parsed("retries");
    check.end(|_| "there is nothing like it".to_owned());
}
