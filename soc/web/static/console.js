// Keys. Every page works without them; a key does what a link or a button of the page does.
import { start } from "./live.js";

const FIELDS = "input:not([type=radio], [type=checkbox]), textarea, select";
const LISTS = [
  "main > article",
  "main table.t-two > tbody > tr",
  "main > .scroll > table > tbody > tr",
  "main .col > .scroll > table > tbody > tr",
];
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

const entries = () => LISTS.map(all).find((found) => found.length) ?? [];
const cursor = () => entries().find((entry) => entry.getAttribute("aria-current") === "true");
const nameOf = (entry) => entry.dataset.id ?? one("a", entry)?.getAttribute("href") ?? "";
const place = `cursor ${location.pathname}`;

function point(entry, { focus = true } = {}) {
  cursor()?.removeAttribute("aria-current");
  entry.setAttribute("aria-current", "true");
  sessionStorage.setItem(place, nameOf(entry));
  if (!focus) return;
  const target = one("a.title, a, summary", entry) ?? entry;
  if (target === entry) entry.tabIndex = -1;
  target.focus({ preventScroll: true });
  entry.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const found = entries();
  const next = found[Math.max(0, Math.min(found.length - 1, found.indexOf(cursor()) + by))];
  if (next) point(next);
}

// The queue has its cursor from the start; other lists get theirs back.
function begin() {
  const before = sessionStorage.getItem(place);
  const known = before !== null && entries().find((entry) => nameOf(entry) === before);
  const entry = known || one(".queue > tbody > tr");
  if (entry) point(entry, { focus: matchMedia("(min-width: 1081px)").matches && !location.hash });
}

function reach(target) {
  if (!target) return false;
  target.scrollIntoView({ block: "nearest" });
  target.focus({ preventScroll: true });
  return true;
}

function open(details) {
  details.open = true;
  return reach(one("input:not([type=hidden]), select, textarea", details) ?? one("button", details));
}

// The act of a bar is for what is checked, and for the cursor row if nothing is.
function choose(button) {
  const boxes = all(".bulk ~ table td input[type=checkbox]");
  if (!button.closest(".bulk") || !boxes.length || boxes.some((box) => box.checked)) return;
  const box = cursor() && one("input[type=checkbox]", cursor());
  if (box) box.checked = true;
}

function press(key) {
  const button = one(`[data-key="${key}"]`);
  if (!button) return false;
  choose(button);
  if (button.localName === "summary") return open(button.parentElement);
  button.click();
  return true;
}

function aim(key) {
  const within = cursor() ?? document;
  const target = one(`[data-focus="${key}"]`, within) ?? one(`[data-focus="${key}"]`);
  if (target?.form && "send" in target.form.dataset && key === "n") target.form.dataset.send = "reject";
  return reach(target);
}

function send(target) {
  const part = target.closest("details.ask") ?? target.form;
  const wanted = target.form?.dataset.send;
  const button = wanted === undefined ? one(".btn-primary", part) ?? one("button", part) : one(`button[value="${wanted}"]`, part);
  button?.click();
}

function review() {
  const part = one("#approval");
  if (part) part.tabIndex = -1;
  return reach(part);
}

function verdict(key) {
  const box = /^[1-6]$/.test(key) && all("[name=verdict][type=radio]")[key - 1];
  if (!box) return false;
  box.click();
  return reach(one("[name=note]", box.form));
}

function follow(selector) {
  const link = one(selector, cursor() ?? one("main"));
  link?.click();
  return Boolean(link);
}

const listed = () => JSON.parse(sessionStorage.getItem("queue") ?? '{"ids": [], "address": "/queue"}');

function neighbour(by) {
  const { ids } = listed();
  const here = ids.indexOf(location.pathname.split("/")[2]);
  if (here < 0 || !location.pathname.startsWith("/incidents/")) return false;
  if (ids[here + by]) location.assign(`/incidents/${ids[here + by]}`);
  return true;
}

function back() {
  const link = one(".crumbs a");
  if (link?.pathname === "/queue") location.assign(listed().address);
  else link?.click();
  return Boolean(link);
}

function help() {
  const box = document.body.appendChild(document.createElement("dialog"));
  box.className = "help";
  box.setAttribute("aria-label", "Keys");
  const title = box.appendChild(document.createElement("h2"));
  title.textContent = "Keys";
  const list = box.appendChild(document.createElement("ul"));
  const line = (keys, what) => {
    const item = list.appendChild(document.createElement("li"));
    for (const key of keys) item.appendChild(document.createElement("kbd")).textContent = key;
    item.append(` ${what}`);
  };
  for (const hint of all(".keys > span")) {
    const keys = [...hint.children].map((key) => key.textContent);
    if (keys[0] !== "g" && keys[0] !== "?") line(keys, hint.lastChild.textContent.trim());
  }
  line(["p"], "print");
  for (const link of all(".nav [data-go]")) line(["g", link.dataset.go], link.firstChild.textContent.trim());
  const form = box.appendChild(document.createElement("form"));
  form.method = "dialog";
  const close = form.appendChild(document.createElement("button"));
  close.className = "btn";
  close.textContent = "Close ";
  close.appendChild(document.createElement("kbd")).textContent = "Esc";
  box.addEventListener("close", () => box.remove());
  box.showModal();
  return true;
}

const keys = {
  j: () => move(1) ?? true,
  k: () => move(-1) ?? true,
  x: () => { const box = cursor() && one("input[type=checkbox]", cursor()); box?.click(); return Boolean(box); },
  "/": () => reach(one("#q")),
  v: review,
  p: () => print() ?? true,
  i: () => follow('a[href^="/incidents/"]'),
  o: () => follow('a[href^="/runs/"]'),
  "[": () => neighbour(-1),
  "]": () => neighbour(1),
  "?": help,
  Escape: back,
};
let going = false;

function pressed(event) {
  const { key, target } = event;
  if (event.ctrlKey && key === "Enter" && target.form) return send(target) ?? true;
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return false;
  if (target.matches(FIELDS)) {
    if (key === "Escape") target.blur();
    // A form of several acts is sent by the one whose field this is.
    const part = target.closest(".bulk details.ask") ?? target.form;
    if (key !== "Enter" || target.localName !== "input" || !(part?.closest(".bulk") || target.form?.dataset.send)) return false;
    return send(target) ?? true;
  }
  if (key === "Enter" && target.matches("details.ask:not([open]) > summary")) return open(target.parentElement);
  if (going) {
    going = false;
    const link = one(`.nav [data-go="${CSS.escape(key)}"]`);
    link?.click();
    return Boolean(link);
  }
  if (key === "g") return (going = true);
  if (key === "Escape" && one("details.ask[open]")) return one("details.ask[open]").removeAttribute("open") ?? true;
  return verdict(key) || (keys[key]?.() ?? false) || (/^[a-z]$/.test(key) && (press(key) || aim(key)));
}

addEventListener("keydown", (event) => {
  if (pressed(event)) event.preventDefault();
});
addEventListener("focusin", ({ target }) => {
  const entry = entries().find((found) => found.contains(target));
  if (entry && entry !== cursor()) point(entry, { focus: false });
});
// This comes a moment after the opening: whoever has gone on to a field by then stays there.
addEventListener("toggle", ({ target }) => {
  if (target.open && target.matches("details.ask") && one("summary", target) === document.activeElement) open(target);
}, true);

document.documentElement.dataset.js = "";
if (one(".queue")) {
  const ids = all(".queue > tbody > tr").map(nameOf);
  sessionStorage.setItem("queue", JSON.stringify({ ids, address: location.pathname + location.search }));
}
begin();
start();
