//! `supervisord.conf`: its programs. They run without a shell there, and so they do here.

use std::time::Duration;

use crate::base::invalid_value;
use crate::config::secret::is_secret_text;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::command_line::quoted;
use crate::tsm::definition::Definition;

use super::ini::{Section, Style, parse};
use super::source::{definition, is_false, is_true, set_port};
use super::termination;
use super::{ImportContext, Imported, Unsupported};

pub(super) fn read(text: &str, site: ImportContext) -> Result<Imported, String> {
    let mut sections = parse(text, Style::Supervisord)?;
    if !sections.iter().any(|section| section.name.starts_with("program:")) {
        return Err("no section [program:NAME]".to_owned());
    }
    let mut imported = Imported::default();
    let groups = groups(&mut sections);
    let common = sections.iter_mut().find(|section| section.name == "supervisord");
    let common = common.and_then(|section| section.take("environment")).unwrap_or_default();
    for mut section in sections {
        match section.name.split_once(':') {
            Some(("program", name)) => {
                let name = name.trim().to_owned();
                let own = section.take("environment").unwrap_or_default();
                section.put("environment", &format!("{common}\n{own}"));
                program(&name, section, &groups, site, &mut imported);
            }
            Some(("group", _)) => {
                let place = section.name.clone();
                let why = "services start after those in their TSM_DEPS";
                imported.unsupported.extend(section.rest().map(|(key, _)| unsupported(&place, &key, why)));
            }
            Some(("eventlistener", _)) => {
                imported.reject(&section.name, "the event protocol of supervisord is not supported".to_owned());
            }
            Some(("fcgi-program", _)) => {
                imported.reject(&section.name, "sockets that supervisord opens are not supported".to_owned());
            }
            _ if section.name == "include" => {
                imported.unsupported.push(unsupported("include", "", "import the included files one by one"));
            }
            _ => imported.unsupported.push(unsupported(&section.name, "", "it configures supervisord itself")),
        }
    }
    Ok(imported)
}

/// The programs of each group.
fn groups(sections: &mut [Section]) -> Vec<(String, Vec<String>)> {
    let all = sections.iter_mut().filter_map(|section| {
        let name = section.name.strip_prefix("group:")?.trim().to_owned();
        let programs = section.take("programs")?;
        Some((name, programs.split(',').map(|it| it.trim().to_owned()).collect()))
    });
    all.collect()
}

fn unsupported(section: &str, key: &str, why: &str) -> Unsupported {
    let field = if key.is_empty() { section.to_owned() } else { format!("{section}.{key}") };
    Unsupported { field, why: why.to_owned() }
}

fn program(
    name: &str,
    mut section: Section,
    groups: &[(String, Vec<String>)],
    site: ImportContext,
    imported: &mut Imported,
) {
    let place = section.name.clone();
    let Some(command) = section.take("command") else {
        return imported.reject(&place, "no command".to_owned());
    };
    let group =
        groups.iter().find(|(_, programs)| programs.iter().any(|it| it == name)).map(|(group, _)| group.clone());
    let here = site.dir.display().to_string();
    // The number of one process is known.
    let number = section.peek("numprocs_start").and_then(|text| text.parse().ok()).unwrap_or(0_u32);
    let one = section.peek("numprocs").is_none_or(|count| count.trim() == "1");
    let expand = |text: &str| {
        let text = text.replace("%(program_name)s", name).replace("%(here)s", &here);
        let text = text.replace("%(group_name)s", group.as_deref().unwrap_or(name));
        if one { numbered(&text, number) } else { text }
    };
    let directory = section.take("directory").map(|text| with_variables(&expand(&text), site));
    if directory.as_ref().is_some_and(|text| text.contains("%(")) {
        imported.unsupported.push(unsupported(&place, "directory", "its `%(…)` is not expanded"));
    }
    let cwd = directory.map_or_else(|| site.dir.to_owned(), |directory| site.path(&directory.replace("%%", "%")));
    let mut it = definition(name, cwd);
    it.command = words(&expand(&command));
    if expand(&command).replace("%(ENV_", "").contains("%(") {
        imported.unsupported.push(unsupported(
            &place,
            "command",
            "only `%(program_name)s`, `%(group_name)s`, `%(here)s` and `%(ENV_…)s` are expanded",
        ));
    }
    let (pairs, rest) = section.take("environment").map(|text| environment(&text)).unwrap_or_default();
    if !rest.is_empty() {
        let why = format!("expected `KEY=\"value\",…` at `{rest}`");
        imported.unsupported.push(unsupported(&place, "environment", &why));
    }
    for (key, value) in pairs {
        let value = with_variables(&expand(&value), site);
        if value.contains("%(") {
            imported.unsupported.push(unsupported(&place, &format!("environment.{key}"), "its `%(…)` is not expanded"));
        }
        let value = value.replace("%%", "%");
        let key = expand(&key);
        it.exports.retain(|(known, _)| *known != key);
        it.exports.push((key, value));
    }
    it.options.stack = group;
    read_options(&mut section, &mut it, &place, &mut imported.unsupported);
    set_port(&mut it, None);
    for (key, value) in section.rest() {
        if let Some(why) = unsupported_reason(&key, &value) {
            imported.unsupported.push(unsupported(&place, &key, why));
        }
    }
    imported.add(&place, it);
}

/// The text with the value that the importing user has for `%(ENV_X)s`, unless that is a secret, which no definition may hold.
fn with_variables(text: &str, site: ImportContext) -> String {
    let mut parts = text.split("%(ENV_");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part.split_once(")s").and_then(|(name, rest)| Some((name, site.variables.get(name)?, rest)));
        match known.filter(|(name, value, _)| !is_secret_text(name, value)) {
            Some((_, value, rest)) => shown.push_str(&format!("{}{rest}", value.replace('%', "%%"))),
            None => shown.push_str(&format!("%(ENV_{part}")),
        }
    }
    shown
}

/// The text with `%(process_num)d`, `%(process_num)02d` as a number.
fn numbered(text: &str, number: u32) -> String {
    let mut parts = text.split("%(process_num)");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (width, rest) = part.split_once('d').unwrap_or(("", part));
        let digits = width.trim_start_matches('0').parse().unwrap_or(0);
        shown.push_str(&if width.starts_with('0') {
            format!("{number:0digits$}")
        } else {
            format!("{number:digits$}")
        });
        shown.push_str(rest);
    }
    shown
}

/// Words as they are, but `%(ENV_X)s` as the variable X.
fn words(command: &str) -> String {
    let Some(words) = shlex::split(command) else { return quoted(command) };
    let shown = words.iter().map(|word| {
        if !word.contains("%(ENV_") {
            return quoted(&word.replace("%%", "%"));
        }
        let mut parts = word.split("%(ENV_");
        let mut shown = format!("\"{}", literal(parts.next().unwrap_or_default()));
        for part in parts {
            let (name, rest) = part.split_once(")s").unwrap_or((part, ""));
            shown.push_str(&format!("${{{name}}}{}", literal(rest)));
        }
        shown + "\""
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// A text inside of double quotes.
fn literal(text: &str) -> String {
    let mut shown = String::new();
    for c in text.replace("%%", "%").chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

/// `KEY="value",KEY2='value'`; values may be without quotes. Also the first part that is not such a pair.
fn environment(text: &str) -> (Vec<(String, String)>, String) {
    let (mut pairs, mut rest) = (Vec::new(), String::new());
    let (mut quote, mut part) = (None, String::new());
    for c in text.chars().chain([',']) {
        match (c, quote) {
            (',' | '\n', None) => {
                let part = std::mem::take(&mut part);
                match part.split_once('=') {
                    Some((key, value)) => pairs.push((key.trim().to_owned(), value.trim().to_owned())),
                    None if part.trim().is_empty() => {}
                    None if rest.is_empty() => part.trim().clone_into(&mut rest),
                    None => {}
                }
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => part.push(c),
        }
    }
    if quote.is_some() {
        rest = part;
    }
    (pairs, rest)
}

fn read_options(section: &mut Section, it: &mut Definition, place: &str, gone: &mut Vec<Unsupported>) {
    it.autostart = section.take("autostart").and_then(|value| switch(&value, place, "autostart", gone));
    it.options.restart = Some(match section.take("autorestart").as_deref() {
        None | Some("unexpected") => RestartPolicy::OnFailure,
        Some(value) => match switch(value, place, "autorestart", gone) {
            Some(true) => RestartPolicy::Always,
            Some(false) => RestartPolicy::Never,
            None => RestartPolicy::OnFailure,
        },
    });
    it.options.max_restarts = number(section, "startretries", place, gone);
    it.options.kill_timeout = number(section, "stopwaitsecs", place, gone).map(Duration::from_secs);
    it.options.user = section.take("user");
    it.instances = number(section, "numprocs", place, gone).filter(|count| *count > 1);
    termination::stop_signal(it, section.take("stopsignal").as_deref(), &format!("{place}.stopsignal"), gone);
}

fn switch(value: &str, place: &str, key: &str, gone: &mut Vec<Unsupported>) -> Option<bool> {
    let known = is_true(value) || is_false(value);
    if !known {
        gone.push(unsupported(place, key, &format!("invalid value `{value}`: expected true or false")));
    }
    known.then(|| is_true(value))
}

fn number<T>(section: &mut Section, key: &str, place: &str, gone: &mut Vec<Unsupported>) -> Option<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + 'static,
{
    let text = section.take(key)?;
    invalid_value::parse(&text).map_err(|why| gone.push(unsupported(place, key, &why))).ok()
}

/// None for what is so here anyway.
fn unsupported_reason(key: &str, value: &str) -> Option<&'static str> {
    Some(match key {
        // Everything that a process started ends with it.
        "stopasgroup" | "killasgroup" => return None,
        "process_name" if value == "%(program_name)s" => return None,
        "process_name" | "numprocs_start" => "instances are named by their port, or numbered from 1",
        "startsecs" => "a start is watched for half a second, or until its port or health check responds",
        "exitcodes" if value == "0" => return None,
        "exitcodes" => "only the exit code 0 is expected",
        "priority" => "services start after those in their TSM_DEPS",
        "umask" => "processes inherit the umask of the user who starts them",
        _ if key.starts_with("stdout_") || key.starts_with("stderr_") || key == "redirect_stderr" => {
            "logs are written by tsm; see `tsm logs`"
        }
        _ => "not supported",
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{import, lost};
    use super::*;
    use crate::tsm::port::PortSpec;

    #[test]
    fn programs_become_services() {
        let imported = import(
            "supervisord.conf",
            "[supervisord]\nlogfile=/x\n[program:web]\ncommand=/srv/bin/web --cost $5 %(ENV_HOST)s:80 \"a b\" ; note\ndirectory=/srv\n\
             environment=A=\"1,2\",B='x y',PORT=\"8000\",\n  C=3\nautostart=false\nautorestart=true\nstartretries=4\n\
             stopwaitsecs=20\nuser=www\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)02d\nredirect_stderr=true\n\
             stopasgroup=true\nexitcodes=0\nodd=1\n[program:job]\ncommand=python job.py --port 9000\n[program:none]\nx=1\n\
             [eventlistener:e]\ncommand=x\n[group:shop]\nprograms=web, job\n[include]\nfiles=*.ini\n",
        );
        let [web, job] = &imported.services[..] else { panic!("two services: {:?}", imported.services) };
        assert_eq!(web.command, "/srv/bin/web --cost '$5' \"${HOST}:80\" 'a b'");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(web.exports, [pair("A", "1,2"), pair("B", "x y"), pair("C", "3")]);
        assert_eq!((web.port, web.instances, web.autostart), (Some(PortSpec::Exact(8000)), Some(2), Some(false)));
        let keep = &web.options;
        assert_eq!((keep.restart, keep.max_restarts), (Some(RestartPolicy::Always), Some(4)));
        assert_eq!((keep.kill_timeout, keep.user.as_deref()), (Some(Duration::from_secs(20)), Some("www")));
        assert_eq!((web.options.stack.as_deref(), job.options.stack.as_deref()), (Some("shop"), Some("shop")));
        assert_eq!((job.port, job.options.restart), (None, Some(RestartPolicy::OnFailure)));
        assert_eq!(
            lost(&imported),
            ["supervisord", "program:web.process_name", "program:web.redirect_stderr", "program:web.odd", "include"]
        );
        let refused: Vec<&str> = imported.rejected.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(refused, ["program:none", "eventlistener:e"]);
    }

    #[test]
    fn variables_of_supervisord_are_those_of_the_import_and_no_switch_is_lost() {
        let imported = import(
            "supervisord.conf",
            "[program:a]\ncommand=x %(ENV_HOME)s\ndirectory=%(ENV_HOME)s/%(program_name)s\nautostart=maybe\nautorestart=sometimes\n\
             environment=PATH=\"/venv/bin:%(ENV_HOME)s\",NO=\"%(ENV_NOT_SET)s\",P=\"5%%\"\n",
        );
        let [a] = &imported.services[..] else { panic!("one service") };
        assert_eq!((a.command.as_str(), a.cwd.to_str()), ("x \"${HOME}\"", Some("/home/u/a")));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(a.exports, [pair("PATH", "/venv/bin:/home/u"), pair("NO", "%(ENV_NOT_SET)s"), pair("P", "5%")]);
        assert_eq!((a.autostart, a.options.restart), (None, Some(RestartPolicy::OnFailure)));
        assert_eq!(lost(&imported), ["program:a.environment.NO", "program:a.autostart", "program:a.autorestart"]);
    }

    #[test]
    fn a_directory_is_expanded_and_no_variable_is_lost_without_a_word() {
        let imported = import(
            "supervisord.conf",
            "[program:a]\ncommand=x\ndirectory=%(here)s/%(program_name)s\nenvironment=A=\"1\",B=\"q\\\"x\",C=3\n\
             [program:b]\ncommand=x\ndirectory=%(ENV_X)s\nenvironment=A=1,B,C=3\n",
        );
        let [a, b] = &imported.services[..] else { panic!("two services") };
        assert!(a.cwd.ends_with("a") && !a.cwd.display().to_string().contains('%'), "{}", a.cwd.display());
        assert_eq!(b.exports.len(), 2);
        assert_eq!(lost(&imported), ["program:a.environment", "program:b.directory", "program:b.environment"]);
    }
}
