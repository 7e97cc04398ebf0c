// The page: opens places by their addresses, and carries what their parts say and hear over one WebSocket.

const RETRY_MS = 1500;
const at = (id) => document.getElementById(id);
const main = at("main");
const fronts = new Map(); // name of a front end -> its module
const parts = new Map(); // number of a part -> { number, slot, name, model, end }
const slots = new Map(); // name of a slot that waits for its part's number -> element
let order = []; // the place's own parts, in their order
let folds = []; // its buttons that open parts in place
let is_back = false; // the connection was lost and has come back
let socket = null;
let shown_path = "";

const front = (name) => {
  if (!fronts.has(name)) fronts.set(name, import(`/static/${name}.js`).then((module) => module.default));
  return fronts.get(name);
};

const tell = (message) => {
  if (!socket || socket.readyState !== WebSocket.OPEN) throw new Error("offline");
  socket.send(JSON.stringify(message));
};

// What a front end takes for its widget.
const model_of = (part, view) => {
  const listeners = { "change:view": new Set(), "msg:custom": new Set() };
  const call = (name, ...values) => [...listeners[name]].forEach((listener) => listener(...values));
  let shown = view;
  return {
    get: () => shown,
    on: (name, listener) => listeners[name].add(listener),
    off: (name, listener) => listeners[name].delete(listener),
    send: (message) => tell({ part: part.number, message }),
    show: (news) => { shown = news; call("change:view"); },
    hear: (message) => call("msg:custom", message),
  };
};

const loading = () => h("div", { className: "loading", role: "status" }, word("loading"));
const sentence = (text) => h("p", { className: "sentence", role: "alert" }, text);

const fresh_part = (number) => {
  const part = { number, slot: h("div", { className: "slot" }, loading()), name: "", model: null, end: null };
  parts.set(number, part);
  return part;
};

const end_part = (part) => {
  parts.delete(part.number);
  if (part.end) part.end();
  part.slot.remove();
};

const draw = async (part, name, view) => {
  const { render, keeps } = await front(name);
  if (parts.get(part.number) !== part) return;
  // What a person has typed and not sent yet stays when the connection was lost and has come back.
  if (keeps && part.name === name) { part.model.show(view); return; }
  if (part.end) part.end();
  part.name = name;
  part.model = model_of(part, view);
  part.slot.replaceChildren();
  part.end = render({ model: part.model, el: part.slot });
};

// A button that opens a part in place. It closes when the part says that it is done: saved, or cancelled.
const fold = ({ label, kind }, index) => {
  const place = h("div", { className: "fold", id: `fold-${index}`, hidden: true });
  const button = h("button", { type: "button", "aria-expanded": "false", "aria-controls": place.id }, label);
  let part = null;
  const set = (open) => {
    button.setAttribute("aria-expanded", String(open));
    place.hidden = !open;
  };
  const close = () => {
    if (part !== null) {
      try { tell({ part: part.number, close: true }); } catch { /* the connection is gone, and the part with it */ }
      end_part(part);
    }
    part = null;
    place.replaceChildren();
    set(false);
  };
  // `taken` gets the number that the server gives the part.
  const mount = (taken) => {
    const name = `fold-${index}-${Date.now()}`;
    slots.set(name, taken);
    try { tell({ mount: kind, slot: name }); } catch { close(); }
  };
  const again = () => {
    if (part !== null) mount((number) => { part.number = number; parts.set(number, part); });
  };
  button.addEventListener("click", () => {
    if (!place.hidden) { close(); return; }
    set(true);
    say(at("says"), "");
    place.replaceChildren(loading());
    mount((number) => { part = fresh_part(number); place.replaceChildren(part.slot); });
  });
  place.addEventListener("sfnb-close", (event) => { close(); button.focus(); say(at("says"), event.detail); });
  return { button, place, again };
};

const link = ({ title, name, path, is_of_all }, here) =>
  h("a", { href: path, className: is_of_all ? "of-all" : "", "aria-current": here === name ? "page" : null }, title);

const navigate = (place) => {
  document.title = [place.title, place.org, "sfnb"].filter(Boolean).join(" · ");
  at("places").replaceChildren(...place.places.map((one) => link(one, place.name)));
  at("places").hidden = place.places.length === 0;
  const chooser = at("org");
  chooser.parentElement.hidden = place.orgs.length === 0 || !place.org;
  chooser.replaceChildren(...[...place.orgs, place.all].map((org) =>
    h("option", { value: org.path, selected: org.name === place.org }, org.name)));
  if (place.path !== location.pathname) history.replaceState(null, "", place.path);
};

const put = ({ place, parts: numbers = [], problem = "" }) => {
  const is_same = is_back && place.path === shown_path && numbers.length === order.length && !problem;
  is_back = false;
  navigate(place);
  if (is_same) { take_over(numbers); return; }
  [...parts.values()].forEach(end_part);
  slots.clear();
  order = numbers.map(fresh_part);
  folds = place.folds.map(fold);
  const heading = h("h1", { tabIndex: -1 }, place.title);
  main.replaceChildren(
    h("div", { className: "heading" }, heading, ...folds.map((one) => one.button),
      place.report ? h("a", { href: place.report, download: "", className: "button" }, word("report")) : null),
    h("p", { id: "says", className: "says", role: "status" }),
    ...folds.map((one) => one.place),
    ...(problem ? [sentence(problem)] : []),
    ...order.map((part) => part.slot));
  // Who came by a link hears where they are; who has just loaded the page is left at its beginning.
  if (shown_path && shown_path !== place.path) heading.focus();
  shown_path = place.path;
};

// The server has made the parts of this place anew, under new numbers: what stands here goes on with them.
const take_over = (numbers) => {
  parts.clear();
  slots.clear();
  order.forEach((part, n) => { part.number = numbers[n]; parts.set(part.number, part); });
  folds.forEach((one) => one.again());
};

const hear = (message) => {
  if (message.place) { put(message); return; }
  if (message.slot) {
    const taken = slots.get(message.slot);
    slots.delete(message.slot);
    if (taken) taken(message.part);
    return;
  }
  const part = parts.get(message.part);
  if (!part) return;
  if (message.problem) part.slot.replaceChildren(sentence(message.problem));
  else if (message.script) draw(part, message.script, message.view);
  else if (message.view && part.model) part.model.show(message.view);
  else if (message.message && message.message.go) go(message.message.go);
  else if (message.message && part.model) part.model.hear(message.message);
};

const open = () => {
  try {
    tell({ open: location.pathname });
  } catch {
    return; // it is opened when the connection is back
  }
  if (shown_path !== location.pathname) main.replaceChildren(loading());
};

const go = (path) => {
  if (path !== location.pathname) history.pushState(null, "", path);
  open();
};

const connect = () => {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/socket`);
  socket.addEventListener("open", () => { at("lost").hidden = true; open(); });
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    is_back = true;
    say(at("lost"), word("lost"));
    at("lost").hidden = false;
    setTimeout(connect, RETRY_MS);
  });
};

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href^='/']");
  const is_plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!anchor || !is_plain || anchor.hasAttribute("download")) return;
  event.preventDefault();
  go(anchor.getAttribute("href"));
});
window.addEventListener("popstate", open);
at("org").addEventListener("change", (event) => go(event.target.value));

// The theme: the system's, until a person chooses one.
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => localStorage.getItem("sfnb-theme") || (dark.matches ? "dark" : "light");
const dress = () => {
  const now = theme();
  document.documentElement.dataset.theme = now;
  document.body.dataset.jpThemeLight = String(now === "light"); // what the parts watch
  at("theme").setAttribute("aria-pressed", String(now === "dark"));
  say(at("theme"), now === "dark" ? word("light") : word("dark"));
};
at("theme").addEventListener("click", () => {
  localStorage.setItem("sfnb-theme", theme() === "dark" ? "light" : "dark");
  dress();
});
dark.addEventListener("change", dress);
dress();
connect();
