// Keys. Every page works without them; nothing here changes anything by itself.
const places = { i: "/queue", a: "/approvals", e: "/effects", r: "/runs" };
const writes = "input:not([type=radio]), textarea, select";
let going = false;

const rows = () => [...document.querySelectorAll("main > table > tbody > tr, main > .scroll > table > tbody > tr")];
const current = () => document.querySelector("tbody > tr[aria-current=true]");

function move(by) {
  const all = rows();
  const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(current()) + by))];
  if (!next) return;
  current()?.removeAttribute("aria-current");
  next.setAttribute("aria-current", "true");
  (next.querySelector("a, summary") ?? next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function reach(selector) {
  const target = document.querySelector(selector);
  target?.scrollIntoView({ block: "nearest" });
  target?.focus();
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => reach("#q"),
  c: () => reach("#close input[name=verdict]"),
  n: () => reach("#note-text"),
  v: () => reach("#approval button"),
  y: () => reach("button[value=approve]"),
  g: () => { going = true; },
  "?": () => document.querySelector(".keys")?.scrollIntoView(),
  Escape: () => document.querySelector(".crumbs a")?.click(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.key === "Enter") event.target.form?.requestSubmit();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches(writes)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going) {
    going = false;
    if (places[event.key]) location.assign(places[event.key]);
    return;
  }
  const verdict = /^[1-6]$/.test(event.key) && document.querySelectorAll("[name=verdict]")[event.key - 1];
  if (verdict) verdict.click();
  else if (keys[event.key]) keys[event.key]();
  else return;
  event.preventDefault();
});

document.documentElement.dataset.js = "";
