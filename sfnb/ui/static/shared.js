// What all front ends share. They place what Python says, in words that Python gives (WORDS), and decide nothing of the job.

const FOCUSED = new Set(["button", "input", "select", "summary", "textarea"]);

const h = (tag, attributes = {}, ...children) => {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name in el && !name.startsWith("aria") && name !== "list" && name !== "style") el[name] = value;
    else if (value !== null && value !== undefined) el.setAttribute(name, value);
  }
  // JupyterLab takes arrow and letter keys as commands of its own, unless the focused element itself says no (Lumino).
  if (FOCUSED.has(tag) || "tabIndex" in attributes) el.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(...children.filter((child) => child !== null && child !== undefined));
  return el;
};

// Text is only touched when it differs: a screen reader would read it again, a selection would be lost.
const say = (el, text) => { if (el.textContent !== text) el.textContent = text; };

const is_dark = () => {
  const body = document.body;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (body.classList.contains("vscode-dark") || body.classList.contains("vscode-high-contrast")) return true;
  const found = /rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?/.exec(getComputedStyle(body).backgroundColor);
  return !!found && found[4] !== "0" && 0.3 * found[1] + 0.6 * found[2] + 0.1 * found[3] < 110;
};

// A part's outermost element.
const part_root = (kind, role = "group") => h("div", { className: `sfnb sfnb-${kind}`, role });

// The theme of the page around us, also when it is changed later.
const follow_theme = (el) => {
  const set = () => { el.dataset.theme = is_dark() ? "dark" : "light"; };
  set();
  const watch = new MutationObserver(set);
  watch.observe(document.body, { attributes: true });
  return () => watch.disconnect();
};

// What the role of whoever looks does not allow: `may_not(kind)`, and a line that says why.
const role_guard = (model) => {
  const line = h("p", { className: "sfnb-role", role: "note", hidden: true });
  const told = () => model.get("view").refused || { kinds: [], says: "" };
  const may_not = (kind) => { say(line, told().says); line.hidden = !told().says; return told().kinds.includes(kind); };
  return { line, may_not };
};

const PATIENCE_MS = 8000;

// Sends a message and gives the answer; after PATIENCE_MS without one, gives null, and a later answer is dropped.
const asker = (model) => {
  const waiting = new Map();
  let last = 0;
  const own = Math.random().toString(36).slice(2);
  const hear = (message) => {
    const done = waiting.get(message && message.answer);
    if (done) { waiting.delete(message.answer); done(message); }
  };
  model.on("msg:custom", hear);
  const ask = (message, patience_ms = PATIENCE_MS) => new Promise((resolve) => {
    const id = `${own}-${++last}`;
    const timer = setTimeout(() => { waiting.delete(id); resolve(null); }, patience_ms);
    waiting.set(id, (answer) => { clearTimeout(timer); resolve(answer); });
    try {
      model.send({ ...message, id });
    } catch (error) {
      clearTimeout(timer);
      waiting.delete(id);
      resolve(null);
    }
  });
  return { ask, stop: () => model.off("msg:custom", hear) };
};

// A question with two answers, hidden until `put` asks it. `put(text, act, from)`: Yes acts, No goes back to where it came from.
const asked_twice = (label, yes_text, no_text, ...more) => {
  const text = h("p");
  const yes = h("button", { type: "button", className: "sfnb-danger" }, yes_text);
  const no = h("button", { type: "button" }, no_text);
  const question = h("div", { className: "sfnb-question", role: "alertdialog", hidden: true, "aria-label": label }, text, ...more, yes, no);
  let act = null, from = null;
  const put = (said, then = null, back = null) => {
    question.hidden = said === null;
    act = then;
    from = back;
    if (said !== null) { say(text, said); no.focus(); }
  };
  yes.addEventListener("click", () => { const now = act; put(null); if (now) now(); });
  no.addEventListener("click", () => { const back = from; put(null); if (back) back.focus(); });
  question.addEventListener("keydown", (event) => { if (event.key === "Escape") no.click(); });
  return { question, put };
};

let sfnb_ids = 0;
const fresh_id = () => `sfnb-${Date.now().toString(36)}-${++sfnb_ids}`;

// A sentence of WORDS with the names in braces filled in.
const word = (key, names = {}) => WORDS[key].replace(/\{(\w+)\}/g, (_, name) => ({ silent: WORDS.silent, ...names })[name]);
