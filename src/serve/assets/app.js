"use strict";

// The page of `tetra serve`. All text comes into the page as text: nothing that a process writes can become markup.

const $ = (id) => document.getElementById(id);
const REFRESH_MS = 2000;
const SAMPLES = 60;
const MAX_LINES = 2000;
const KEY = "tetra-token";

const state = {
  processes: [],
  history: new Map(),
  chosen: null,
  paused: false,
  rows: new Map(),
  waiting: [],
  follow: null,
  events: null,
  wanted: true,
};

const COLOR = /\u001b\[[\d;]*m/g;

// What is not shown, or shows text in another order than it is written; line ends, tabs, joiners and selectors stay.
const HARMFUL =
  /(?![\t\n\u200c\u200d\p{Variation_Selector}])[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]/gu;

/** Text of programs as it can be shown: without colors, and with what would be hidden. */
function plain(text) {
  return String(text).replace(COLOR, "").replace(/\r$/, "").replace(HARMFUL, (it) => `\\u{${it.codePointAt(0).toString(16)}}`);
}

/** Makes an element with a class and text. */
function make(tag, kind, text) {
  const it = document.createElement(tag);
  if (kind) it.className = kind;
  if (text !== undefined && text !== null) it.textContent = plain(text);
  return it;
}

/** Changes only what differs: an element that is replaced loses a click that was begun, and what was selected in it. */
function become(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.childNodes.length !== fresh.childNodes.length) return old.replaceWith(fresh);
  old.nodeValue = fresh.nodeValue;
  for (const { name } of [...(old.attributes || [])]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes || []) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const children = [...fresh.childNodes];
  [...old.childNodes].forEach((child, at) => become(child, children[at]));
}

// ---- requests

class Refused extends Error {}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.status === 401) throw new Refused();
  return answer;
}

async function json(path) {
  const answer = await ask(path);
  const body = await answer.json();
  if (body.error) throw new Error(body.error.message);
  return body;
}

/** Follows server-sent events, and comes back where it was when the connection breaks. */
function follow(path, on, last = null) {
  const stop = new AbortController();
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        const headers = { Accept: "text/event-stream" };
        if (last !== null) headers["Last-Event-ID"] = last;
        const answer = await ask(path, { headers, signal: stop.signal });
        if (!answer.ok) throw new Error(String(answer.status));
        let rest = "";
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const blocks = (rest + value).split("\n\n");
          rest = blocks.pop();
          for (const block of blocks) {
            let kind = "message";
            let data = null;
            for (const line of block.split("\n")) {
              if (line.startsWith("data: ")) data = line.slice(6);
              else if (line.startsWith("id: ")) last = line.slice(4);
              else if (line.startsWith("event: ")) kind = line.slice(7);
            }
            if (data !== null && !stop.signal.aborted) on(kind, JSON.parse(data));
          }
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof Refused) return showLogin();
      }
      await wait(1000);
    }
  };
  run();
  return () => stop.abort();
}

// ---- words

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return `${d}d ${h}h`;
  if (h) return `${h}h ${m}m`;
  if (m) return `${m}m ${Math.floor(seconds % 60)}s`;
  return `${Math.floor(seconds)}s`;
}

function bytes(count) {
  if (count === null || count === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) { count /= 1024; at += 1; }
  return `${at && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[at]}`;
}

const percent = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(1)} %`);

const clock = (time) => (time ? new Date(time).toLocaleTimeString([], { hour12: false }) : "");

const TONES = {
  online: "good", healthy: "good", ok: "good", starting: "warn", stopping: "warn", waiting: "warn", unknown: "warn",
  crashed: "bad", errored: "bad", unhealthy: "bad", "crash loop": "bad", down: "bad", stopped: "quiet", scheduled: "quiet",
};

function badge(word) {
  return make("span", `badge ${TONES[word] || ""}`, word);
}

// ---- processes

function remember(process) {
  const known = state.history.get(process.name) || { cpu: [], memory: [] };
  for (const key of ["cpu", "memory"]) {
    known[key].push(process[key]);
    if (known[key].length > SAMPLES) known[key].shift();
  }
  state.history.set(process.name, known);
}

const SVG = "http://www.w3.org/2000/svg";

/** A line of the last values, with what it says in words. */
function spark(values, least, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  const width = Math.min(SAMPLES, Math.max(values.length, 12)) - 1;
  svg.setAttribute("viewBox", `0 0 ${width} 20`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const base = document.createElementNS(SVG, "line");
  for (const [key, value] of [["x1", 0], ["x2", width], ["y1", 20], ["y2", 20]]) base.setAttribute(key, value);
  svg.append(base);
  const known = values.filter((value) => value !== null);
  if (known.length > 1) {
    const most = Math.max(least, ...known) * 1.05;
    const begin = width + 1 - values.length;
    const points = values.map((value, at) => (value === null ? null : `${begin + at},${(20 - (20 * value) / most).toFixed(2)}`));
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("points", points.filter((point) => point !== null).join(" "));
    svg.append(line);
  }
  return svg;
}

function measure(process, key, words, least) {
  const { [key]: values } = state.history.get(process.name);
  const known = values.filter((value) => value !== null);
  const most = known.length ? words(Math.max(...known)) : "–";
  const box = make("span", "measure");
  const name = key === "cpu" ? "CPU" : "memory";
  box.append(make("span", "", words(process[key])));
  if (process.pid !== null) box.append(spark(values, least, `${name} ${words(process[key])}, at most ${most} lately`));
  return box;
}

/** What can be wrong with a process, or right: its state, whether it crashes again and again, its health. */
const conditions = (process) => [process.state, process.crash_loop && "crash loop", process.health].filter(Boolean);

/** How many are in each state and health, the bad ones first, for lists in which they are out of sight; each filters by itself. */
function showStates(filter) {
  const counts = new Map();
  for (const word of state.processes.flatMap(conditions)) counts.set(word, (counts.get(word) || 0) + 1);
  const order = ["bad", "warn", "good", "quiet"];
  const words = [...counts.keys()].sort((one, two) => order.indexOf(TONES[one]) - order.indexOf(TONES[two]) || (one < two ? -1 : 1));
  const fresh = make("div");
  for (const word of words) {
    const button = make("button", `badge ${TONES[word] || ""}`, `${counts.get(word)} ${word}`);
    button.type = "button";
    button.dataset.state = word;
    button.setAttribute("aria-pressed", String(filter === word));
    fresh.append(button);
  }
  const there = [...$("states").children];
  const same = there.length === words.length && there.every((button, at) => button.dataset.state === words[at]);
  if (same) there.forEach((button, at) => become(button, fresh.children[at]));
  else $("states").replaceChildren(...fresh.children);
  $("states").hidden = words.length < 2;
}

function matches(process, filter) {
  const text = [process.name, ...conditions(process), process.port, process.env, process.type].join(" ").toLowerCase();
  return filter.split(/\s+/).every((word) => text.includes(word));
}

function cells(process) {
  const name = make("td", "name");
  const button = make("button", "", process.name);
  button.type = "button";
  button.dataset.name = process.name;
  if (process.name === state.chosen) button.setAttribute("aria-current", "true");
  name.append(button);
  const failed = ["crashed", "errored", "waiting"].includes(process.state) && process.exit;
  if (failed) name.append(make("small", "why", `${process.exit.reason} at ${clock(process.exit.at)}`));
  else name.append(make("small", "", process.command));
  const cell = (label, content, kind) => {
    const td = make("td", kind);
    td.dataset.label = label;
    td.append(content);
    return td;
  };
  const stateWord = process.crash_loop ? make("span", "badge bad", `${process.state}, crash loop`) : badge(process.state);
  return [
    name,
    cell("State", stateWord),
    cell("Health", process.health ? badge(process.health) : "–"),
    cell("Uptime", duration(process.uptime)),
    cell("CPU", measure(process, "cpu", percent, 5), "measures"),
    cell("Memory", measure(process, "memory", bytes, 1), "measures"),
    cell("Restarts", String(process.restarts)),
    cell("Port", process.port === null ? "–" : String(process.port)),
  ];
}

function show() {
  const filter = $("filter").value.trim().toLowerCase();
  const shown = state.processes.filter((process) => matches(process, filter));
  const focused = document.activeElement?.dataset?.name;
  const rows = shown.map((process) => {
    const row = make("tr", process.name === state.chosen ? "chosen" : "");
    row.append(...cells(process));
    const old = state.rows.get(process.name);
    if (old) become(old, row);
    else state.rows.set(process.name, row);
    return old || row;
  });
  const there = $("rows").children;
  if (there.length !== rows.length || rows.some((row, at) => row !== there[at])) $("rows").replaceChildren(...rows);
  if (focused) buttons().find((button) => button.dataset.name === focused)?.focus({ preventScroll: true });
  showStates(filter);
  $("count").textContent = filter ? `${shown.length} of ${state.processes.length}` : `${state.processes.length}`;
  $("empty").hidden = shown.length > 0;
  $("empty").textContent = state.processes.length
    ? "No process matches the filter."
    : "No processes.\nStart one with: tsm start <command>";
}

const buttons = () => [...$("rows").querySelectorAll("button")];

function showHealth(health) {
  $("health").textContent = { ok: "healthy", starting: "starting", down: "unhealthy" }[health.status];
  $("health").className = `badge ${TONES[health.status]}`;
  const place = [health.org, health.env].filter(Boolean).join("/");
  const release = health.release === health.version ? "" : `release ${health.release}`;
  $("identity").textContent = [place, release, `version ${health.version}`, `up ${duration(health.uptime)}`].filter(Boolean).join(" · ");
  document.title = `${health.status === "ok" ? "" : `(${health.services.down || "…"}) `}tetra${place ? ` ${place}` : ""}`;
  $("reasons").hidden = health.reasons.length === 0;
  $("reasons").replaceChildren(...health.reasons.map((reason) => make("li", "", reason)));
}

let refreshing = false;

async function refresh() {
  if (refreshing || !state.wanted) return;
  refreshing = true;
  try {
    const [processes, health] = await Promise.all([json("/api/processes"), json("/health")]);
    $("offline").hidden = true;
    processes.forEach(remember);
    const names = new Set(processes.map((process) => process.name));
    for (const name of state.history.keys()) if (!names.has(name)) { state.history.delete(name); state.rows.delete(name); }
    state.processes = processes;
    show();
    showHealth(health);
    if (state.chosen && !names.has(state.chosen)) showGone();
    else if (state.chosen) {
      // Another one of the same name: its log is another one too.
      if (!state.follow) followLog();
      showFacts();
    }
  } catch (error) {
    if (error instanceof Refused) showLogin();
    else {
      $("offline").hidden = false;
      $("offline").textContent = `The server does not answer (${error.message}); what is shown may be old.`;
    }
  } finally {
    refreshing = false;
  }
}

const NEWS = {
  started: "started", crashed: "crashed", "gave-up": "is given up", stopped: "stopped", ready: "is ready", healthy: "is healthy",
  unhealthy: "is unhealthy", restarting: "is restarting",
};

function onEvent(kind, event) {
  if (kind === "message" && NEWS[event.event]) $("news").textContent = `${event.name} ${NEWS[event.event]}`;
  refresh();
}

// ---- one process

async function open(name) {
  state.follow?.();
  state.chosen = name;
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  $("details").hidden = false;
  $("details-title").textContent = name;
  $("facts").replaceChildren();
  $("why").hidden = true;
  show();
  $("details-title").focus({ preventScroll: true });
  $("details").scrollIntoView({ block: "start" });
  followLog();
  await showFacts();
}

function close() {
  const name = state.chosen;
  state.follow?.();
  state.follow = null;
  state.chosen = null;
  history.replaceState(null, "", location.pathname);
  $("details").hidden = true;
  show();
  buttons().find((button) => button.dataset.name === name)?.focus();
}

const shownValue = (value) => (Array.isArray(value) ? value.join(" ") : String(value));

async function showFacts() {
  const name = state.chosen;
  let it;
  try {
    it = await json(`/api/processes/${encodeURIComponent(name)}`);
  } catch (error) {
    if (error instanceof Refused) showLogin();
    return;
  }
  if (name !== state.chosen) return;
  const facts = [
    ["State", it.state], ["Pid", it.pid], ["Command", it.command], ["Directory", it.cwd], ["Environment", it.env],
    ["Port", it.port], ["Listens on", it.listening?.length ? it.listening : null], ["Uptime", it.pid ? duration(it.uptime) : null],
    ["CPU", it.cpu === null ? null : percent(it.cpu)], ["Memory", it.memory === null ? null : bytes(it.memory)],
    ["Restarts", it.restarts], ["Health", it.health], ["Service", it.service], ["Output", bytes(it.stdout_size)],
    ["Errors", bytes(it.stderr_size)], ["Next run", it.next_run],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  $("facts").replaceChildren(...facts.flatMap(([key, value]) => [make("dt", "", key), make("dd", "", shownValue(value))]));
  const exit = it.last_exit;
  const failed = exit && ["crashed", "errored", "waiting"].includes(it.state);
  const reasons = [
    failed ? `Ended at ${clock(exit.at)} after ${duration(exit.lived)}: ${exit.reason}` : "",
    it.start_error || "", it.log_error ? `Its log cannot be written: ${it.log_error}` : "",
    it.looked_after?.why ? `Unhealthy: ${it.looked_after.why}` : "",
  ].filter(Boolean);
  $("why").hidden = reasons.length === 0;
  $("why").textContent = plain(reasons.join(". "));
}

/** What was known of a process that was deleted meanwhile is not true any more. Its last lines are. */
function showGone() {
  state.follow?.();
  state.follow = null;
  $("facts").replaceChildren();
  $("why").hidden = false;
  $("why").textContent = "It does not exist any more.";
}

// ---- the log

function followLog() {
  state.follow?.();
  state.waiting = [];
  $("log").replaceChildren();
  const stream = $("stream").value;
  const path = `/api/logs/${encodeURIComponent(state.chosen)}?lines=500${stream ? `&stream=${stream}` : ""}`;
  state.follow = follow(path, (kind, line) => {
    const it = kind === "message" ? line : { remark: line.bytes ? `${line.bytes} bytes were lost` : "some lines are missing here" };
    state.waiting.push(it);
    if (state.waiting.length > MAX_LINES) state.waiting.shift();
    if (state.waiting.length === 1 && !state.paused) requestAnimationFrame(flush);
  });
}

/** Puts the lines that wait into the log, and keeps its end in sight if it was. */
function flush() {
  if (state.paused) return;
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
  const lines = state.waiting.splice(0).map((line) => {
    const row = make("div", line.remark ? "remark" : line.stream);
    row.append(make("time", "", clock(line.time)), make("span", "", line.remark || line.line));
    return row;
  });
  log.append(...lines);
  while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  search(lines);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/** Shows the lines with the searched text, and marks it. */
function search(rows = [...$("log").children]) {
  const wanted = $("search").value.toLowerCase();
  for (const row of rows) {
    const span = row.lastElementChild;
    const text = span.textContent;
    const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
    row.hidden = Boolean(wanted) && at < 0;
    if (at < 0) span.replaceChildren(text);
    else span.replaceChildren(text.slice(0, at), make("mark", "", text.slice(at, at + wanted.length)), text.slice(at + wanted.length));
  }
  const all = [...$("log").children];
  const count = all.filter((row) => !row.hidden).length;
  $("found").textContent = wanted ? `${count} of ${all.length} lines` : "";
}

// ---- who may look

function showLogin() {
  // Called for each request that was refused; several may be under way at once.
  if (!$("login").hidden) return;
  state.wanted = false;
  $("login-error").textContent = sessionStorage.getItem(KEY) ? "This is not the token." : "";
  sessionStorage.removeItem(KEY);
  $("login").hidden = false;
  $("overview").hidden = true;
  $("details").hidden = true;
  $("health").textContent = "locked";
  $("token").focus();
}

function begin() {
  state.wanted = true;
  $("login").hidden = true;
  $("overview").hidden = false;
  state.events?.();
  state.events = follow("/api/events", onEvent);
  refresh().then(() => {
    const of = (process) => encodeURIComponent(process.name) === location.hash.slice(1);
    const linked = state.processes.find(of);
    if (linked) open(linked.name);
  });
}

// ---- keys and clicks

$("rows").addEventListener("click", (event) => {
  const name = event.target.closest("tr")?.querySelector("button")?.dataset.name;
  if (name) open(name);
});
$("filter").addEventListener("input", show);
$("states").addEventListener("click", (event) => {
  const word = event.target.closest("button")?.dataset.state;
  if (!word) return;
  $("filter").value = $("filter").value.trim().toLowerCase() === word ? "" : word;
  show();
});
$("search").addEventListener("input", () => search());
$("stream").addEventListener("change", followLog);
$("close").addEventListener("click", close);
$("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  $("pause").setAttribute("aria-pressed", String(state.paused));
  $("pause").textContent = state.paused ? "Go on" : "Pause";
  if (!state.paused) flush();
});
$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value.trim());
  $("token").value = "";
  begin();
});
document.addEventListener("keydown", (event) => {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && state.chosen && !(typing && event.target.value)) close();
  else if (event.key === "/" && !typing) {
    event.preventDefault();
    (state.chosen ? $("search") : $("filter")).focus();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (!typing || event.target === $("filter"))) {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    if (all.length === 0 || (at < 0 && document.activeElement === $("log"))) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, event.key === "ArrowDown" ? at + 1 : at - 1))].focus();
  }
});
setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);
begin();
