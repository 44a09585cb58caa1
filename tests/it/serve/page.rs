//! The page in a real browser: what a person does and sees.

use serde_json::json;

use super::Serving;
use super::browser::{Browser, DOWN, ENTER, ESCAPE};
use crate::ports::free_port;
use crate::sandbox::Sandbox;
use crate::waiting::eventually;

/// What would run if it became markup.
const MARKUP: &str = "<img src=x onerror=document.title=1><script>document.title=1</script>";

/// What hides in text or turns it, as `printf` has it, and how it is shown.
const HARMFUL: &str = "\\033[31mred\\033[0m user=\\342\\200\\256nimda ad\\342\\200\\213min paid\\rnot\\r\\n";
const SHOWN: &str = "red user=\\u{202e}nimda ad\\u{200b}min paid\\u{d}not";

/// Processes as they are on a server.
fn scene() -> Sandbox {
    let sandbox = super::enabled_service("mailer", "sh -c 'echo connecting to mail.example:25; sleep 0.2; exit 3'");
    let start = |name: &str, line: &str| {
        sandbox.ok(&["tsm", "start", "--name", name, "--no-wait", "sh", "-c", line]);
    };
    start(
        "api",
        "i=0; while sleep 0.1; do i=$((i + 1)); echo \"GET /items/$i 200\"; [ $((i % 7)) = 0 ] && echo \"slow query: $i ms\" >&2; done",
    );
    start("web", "n=0; while :; do n=$((n + 1)); [ $((n % 20000)) = 0 ] && sleep 0.2; done");
    start("worker", &format!("echo '{MARKUP}'; printf '{HARMFUL}'; while sleep 1; do echo 'job done'; done"));
    sandbox.ok(&["tsm", "start", "mailer", "--no-wait"]);
    sandbox
}

#[test]
fn the_page_shows_what_runs_and_what_it_says() {
    let Some(browser) = Browser::start() else { return };
    let sandbox = scene();
    let port = free_port();
    let _serving =
        Serving::in_sandbox(&sandbox, port, &["--port", &port.to_string(), "--env", "dev"], &[("TETRA_ORG", "acme")]);
    browser.open(&format!("http://localhost:{port}/"));
    browser.until("#rows", "mailer");
    browser.until("#health", "unhealthy");
    browser.until("#reasons", "mailer: crashed: exit 3");
    browser.until("#identity", "acme/dev");
    assert!(browser.text("#rows").contains("exit 3"), "why it crashed: {}", browser.text("#rows"));
    let (role, name) = browser.spoken("#rows svg.spark");
    assert_eq!((role.as_str(), name.starts_with("CPU ")), ("image", true), "{role} {name}");

    // What is wrong is counted first, and a click shows only that.
    // The states come with the next list, which may be later than the reasons.
    browser.until("#states", "1 crashed");
    let words: Vec<String> = browser.text("#states").lines().map(str::to_owned).collect();
    assert_eq!(words, ["1 crashed", "3 online"]);
    let shown = || browser.eval("[...document.querySelectorAll('#rows button')].map((it) => it.dataset.name).join()");
    browser.click("#states button");
    assert_eq!(shown(), "mailer");
    assert_eq!(browser.eval("document.querySelector('#states button').getAttribute('aria-pressed')"), "true");
    browser.click("#states button");
    assert_eq!(browser.eval("document.querySelectorAll('#rows tr').length"), 4, "all again");

    // By keys alone: filter, choose, open.
    browser.press("/");
    browser.press("work");
    eventually("one is left", || browser.eval("document.querySelectorAll('#rows tr').length") == 1);
    browser.press(DOWN);
    assert_eq!(browser.eval("document.activeElement.dataset.name"), "worker");
    browser.press(ENTER);
    browser.until("#log", "job done");
    assert_eq!(browser.eval("document.activeElement.id"), "details-title", "the focus is on the title of what opened");
    assert!(browser.text("#log").contains(MARKUP), "as it was written");
    assert!(browser.text("#log").contains(SHOWN), "what would be hidden: {}", browser.text("#log"));
    assert_eq!(browser.eval("document.querySelectorAll('#log img, #log script').length"), 0, "it is not markup");
    assert_ne!(browser.eval("document.title"), "1");
    browser.press(ESCAPE);
    assert_eq!(browser.eval("document.activeElement.dataset.name"), "worker", "back where it was");
    browser.eval("(document.getElementById('filter').value = '', document.getElementById('filter').dispatchEvent(new Event('input')))");

    // The log comes by itself, and is searched.
    // A click that takes longer than the rows stay as they are is one too.
    let uptime = || browser.text("#rows tr:has(button[data-name=api]) td[data-label=Uptime]");
    let begun = uptime();
    browser.hold("#rows button[data-name=api]");
    eventually("the row changes", || uptime() != begun);
    browser.let_go();
    browser.until("#log", "GET /items/");
    let count = || browser.eval("document.querySelectorAll('#log div').length").as_u64().unwrap_or(0);
    let before = count();
    eventually("more comes", || count() > before);
    browser.until("#log .stderr", "slow query");
    browser.click("#search");
    browser.press("slow");
    browser.until("#found", " lines");
    assert!(!browser.text("#log").contains("GET /items/"), "only what was searched");
    assert_eq!(browser.text("#log mark"), "slow");
    browser.picture("details");
    browser.press("\u{e003}\u{e003}\u{e003}\u{e003}");
    browser.until("#log", "GET /items/");
    browser.click("#pause");
    assert_eq!(browser.spoken("#pause"), ("button".to_owned(), "Go on".to_owned()));
    browser.click("#pause");
    browser.click("#close");

    // What happens elsewhere is seen here.
    sandbox.ok(&["tsm", "stop", "worker"]);
    browser.until("#rows", "stopped");
    assert!(!browser.text("#rows").contains("SIGTERM"), "that is not a failure");
    eventually("it is said aloud", || browser.eval("document.getElementById('news').textContent") == "worker stopped");
    eventually("there is a line to see", || {
        browser.eval("document.querySelector('#rows polyline')?.points.length ?? 0").as_u64() > Some(7)
    });
    browser.picture("light");
    let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.emulate("setEmulatedMedia", &dark);
    assert_eq!(browser.eval("getComputedStyle(document.body).backgroundColor"), "rgb(20, 23, 27)");
    browser.picture("dark");
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    browser.emulate("setDeviceMetricsOverride", &phone);
    eventually("nothing is wider than a telephone", || {
        browser.eval("document.documentElement.scrollWidth <= 390 && innerWidth === 390") == true
    });
    browser.picture("phone");
    browser.click("#rows button[data-name=mailer]");
    browser.until("#why", "exit 3");
    browser.until("#log", "connecting to mail.example:25");
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= 390"), true);
    browser.picture("phone-details");
    sandbox.ok(&["tsm", "delete", "mailer"]);
    browser.until("#why", "does not exist any more");
    assert_eq!(browser.text("#facts"), "", "what was known of it is not true any more");
    // That something is down is an answer, which the browser calls a failure; so is that a log ended.
    let is_answer = |it: &str| {
        (it.contains("/health ") && it.contains("503")) || (it.contains("/api/logs/mailer") && it.contains("404"))
    };
    let is_other = |it: &String| !is_answer(it);
    let complaints: Vec<String> = browser.complaints().into_iter().filter(is_other).collect();
    assert_eq!(complaints, Vec::<String>::new(), "the browser has nothing to say against the page");
}

#[test]
fn the_page_asks_for_the_token_and_keeps_it_to_itself() {
    let Some(browser) = Browser::start() else { return };
    let sandbox = Sandbox::new();
    let token = "0123456789abcdef0123456789abcdef";
    std::fs::write(sandbox.path("token"), token).expect("written");
    std::fs::set_permissions(sandbox.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let port = free_port();
    let options = ["--port", &port.to_string(), "--token-file", "token"];
    let _serving = Serving::in_sandbox(&sandbox, port, &options, &[]);
    browser.open(&format!("http://localhost:{port}/"));
    browser.until("#login", "A token is required");
    assert_eq!(browser.eval("document.activeElement.id"), "token");
    browser.press(&format!("wrong-{token}{ENTER}"));
    browser.until("#login-error", "This is not the token");
    browser.picture("login");
    browser.press(&format!("{token}{ENTER}"));
    browser.until("#empty", "No processes");
    browser.until("#health", "healthy");
    assert_eq!(browser.text("#health"), "healthy");
    assert_eq!(browser.eval("document.cookie + location.href.includes('0123')"), "false");
}
