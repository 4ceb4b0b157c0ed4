// Live updates that never move what is being read: cells change in place, new rows wait.
const EVERY = 3000;
const LATE = 30000;
const page = () => [...document.querySelectorAll(".queue > tbody > tr")];
let known = null;
let cases = null;
let timer = 0;
let pause = EVERY;

// What a cell says, without the words of relative times: those never tick while you read.
function said(cell) {
  const copy = cell.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
  for (const word of copy.querySelectorAll(".ago")) word.remove();
  for (const box of copy.querySelectorAll("input")) box.remove();
  return copy.innerHTML.replace(/\s+/g, " ");
}

function replace(old, fresh) {
  if (said(old) === said(fresh)) return;
  const kept = old.querySelector("a.title");
  const come = fresh.querySelector("a.title");
  if (!kept || !come) return old.replaceChildren(...fresh.childNodes);
  // The link may have the focus.
  if (kept.textContent !== come.textContent) kept.textContent = come.textContent;
  const [before, after] = [old.querySelector(".sub"), fresh.querySelector(".sub")];
  if (before && after) before.replaceChildren(...after.childNodes);
}

function tell(news, gone) {
  const words = [news && `${news} new`, gone && `${gone} gone`].filter(Boolean);
  const status = document.querySelector(".news");
  if (!words.length) return status.replaceChildren();
  const link = document.createElement("a");
  link.href = location.pathname + location.search;
  link.textContent = `${words.join(", ")}, show`;
  if (status.textContent !== link.textContent) status.replaceChildren(link);
}

async function renew() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const rows = new Map([...fresh.querySelectorAll(".queue > tbody > tr")].map((row) => [row.dataset.id, row]));
  const shown = page();
  for (const row of shown) {
    const come = rows.get(row.dataset.id);
    if (come) [...row.cells].forEach((cell, place) => replace(cell, come.cells[place]));
  }
  const ids = new Set(shown.map((row) => row.dataset.id));
  const is_whole = !fresh.querySelector(".pager") && !document.querySelector(".pager");
  tell([...rows.keys()].filter((id) => !ids.has(id)).length, is_whole ? [...ids].filter((id) => !rows.has(id)).length : 0);
  const [old, now] = [document, fresh].map((one) => one.querySelector(".asof .sub"));
  if (old && now) old.textContent = now.textContent;
}

function count(counts) {
  for (const [address, number] of Object.entries(counts)) {
    const words = number.toLocaleString("en");
    for (const link of document.querySelectorAll(`.nav a[href="${address}"] .count > span:first-child, .top-link[href="${address}"] b`)) {
      if (link.textContent !== words) link.textContent = words;
    }
  }
}

async function look() {
  const answer = await fetch("/live", { cache: "no-store", headers: known ? { "If-None-Match": known } : {} });
  if (answer.status === 304) return true;
  // Signed out, or another server: what is shown stays as it is.
  if (!answer.ok || answer.redirected) return false;
  const told = await answer.json();
  count(told.counts);
  const is_queue = document.querySelector(".news") && location.pathname === "/queue";
  if (is_queue && cases !== null && told.cases !== cases) await renew();
  [known, cases] = [answer.headers.get("ETag"), told.cases];
  return true;
}

async function turn() {
  let goes = true;
  try {
    goes = await look();
    pause = EVERY;
  } catch {
    pause = Math.min(pause * 2, LATE);
  }
  if (goes && !document.hidden) timer = setTimeout(turn, pause);
}

export function start() {
  const status = document.querySelector(".asof");
  if (!document.querySelector(".nav")) return;
  if (status && location.pathname === "/queue") {
    const news = document.createElement("span");
    news.className = "news";
    news.setAttribute("role", "status");
    status.prepend(news);
  }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) turn();
  });
  if (!document.hidden) turn();
}
