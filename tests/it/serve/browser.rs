//! A browser that is led as a person leads it, over the WebDriver protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::waiting::{PATIENCE, eventually};

/// The key by which an element is named in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that have no letter.
pub(super) const ESCAPE: &str = "\u{e00c}";
pub(super) const ENTER: &str = "\u{e007}";
pub(super) const DOWN: &str = "\u{e015}";

/// A browser, ended at the end.
pub(super) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser without a window; none where it is not installed, after a message.
    pub(super) fn start() -> Option<Self> {
        let is_there = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];
        if !is_there.iter().all(|(program, package)| super::is_installed(program, package)) {
            return None;
        }
        let profile = tempfile::tempdir().expect("a directory");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .env("HOME", profile.path())
            .spawn()
            .expect("the driver runs");
        let mut output = BufReader::new(driver.stdout.take().expect("a pipe"));
        let port = loop {
            let mut line = String::new();
            assert!(output.read_line(&mut line).expect("it says its port") > 0, "the driver ended");
            if let Some((_, port)) = line.trim_end().trim_end_matches('.').rsplit_once("started successfully on port ")
            {
                break port.parse().expect("a port");
            }
        };
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let mut browser = Self { driver, port, session: String::new(), _profile: profile };
        let data = browser._profile.path().join("data");
        // In a container root has no name spaces for the sandbox of the browser.
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--window-size=1180,900",
            "--lang=en",
            format!("--user-data-dir={}", data.display()),
        ]);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "binary": "/usr/bin/chromium" },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.call("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}")).to_owned();
        Some(browser)
    }

    /// One exchange with the driver; the value of the answer.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n", self.port);
        let head = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("sent");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a head");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), body)
    }

    pub(super) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What a script of the page gives back.
    #[track_caller]
    pub(super) fn eval(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": format!("return {script}"), "args": [] }))
    }

    /// The text of an element as a person sees it; empty if it is hidden.
    #[track_caller]
    pub(super) fn text(&self, css: &str) -> String {
        let script = format!("document.querySelector({})?.innerText ?? ''", json!(css));
        self.eval(&script).as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn find(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Clicks where a person would; fails if something else is in front.
    #[track_caller]
    pub(super) fn click(&self, css: &str) {
        let element = self.find(css);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Holds the button of the mouse down on an element.
    #[track_caller]
    pub(super) fn hold(&self, css: &str) {
        let element = self.find(css);
        let over = json!({ "type": "pointerMove", "x": 0, "y": 0, "origin": { ELEMENT: element } });
        self.mouse(&json!([over, { "type": "pointerDown", "button": 0 }]));
    }

    /// Lets the button of the mouse go.
    #[track_caller]
    pub(super) fn let_go(&self) {
        self.mouse(&json!([{ "type": "pointerUp", "button": 0 }]));
    }

    #[track_caller]
    fn mouse(&self, actions: &Value) {
        self.post("/actions", &json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": actions }] }));
    }

    /// Presses keys, whatever has the focus.
    #[track_caller]
    pub(super) fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })))
            .collect();
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// What a screen reader says of an element: its role and its name.
    #[track_caller]
    pub(super) fn spoken(&self, css: &str) -> (String, String) {
        let element = self.find(css);
        let ask = |what: &str| {
            let said = self.call("GET", &format!("/session/{}/element/{element}/{what}", self.session), &Value::Null);
            said.as_str().unwrap_or_default().to_owned()
        };
        (ask("computedrole"), ask("computedlabel"))
    }

    /// Has the browser pretend to be something else.
    pub(super) fn emulate(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": format!("Emulation.{command}"), "params": parameters }));
    }

    /// What the browser complained about since the last call.
    pub(super) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect()
    }

    /// Writes a picture of the page into the directory that `TETRA_SCREENSHOTS` names, if it does.
    pub(super) fn picture(&self, name: &str) {
        let Some(dir) = std::env::var_os("TETRA_SCREENSHOTS").map(PathBuf::from) else { return };
        let picture = self.call("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        let bytes = Base64::decode_vec(picture.as_str().expect("a picture")).expect("base64");
        std::fs::write(dir.join(format!("{name}.png")), bytes).expect("written");
    }

    /// Waits until the text of an element contains something.
    #[track_caller]
    pub(super) fn until(&self, css: &str, expected: &str) {
        eventually(&format!("{css} says {expected}"), || self.text(css).contains(expected));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
