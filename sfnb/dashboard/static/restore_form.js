const WHAT = ["since", "deleted", "changed", "objects", "ids"].map((value) => [value, WORDS[value]]);
const CONFLICTS = ["overwrite", "skip", "fill_empty", "newer", "fail"].map((value) => [value.replace("_", "-"), WORDS[value]]);

const render = ({ model, el }) => {
  const root = part_root("restore", "group");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const { line: role_line, may_not } = role_guard(model);
  const options = (pairs) => pairs.map(([value, text]) => h("option", { value }, text));
  const labelled = (text, input) => h("label", { className: "entry" }, h("span", {}, text), input);
  const snapshot = h("select");
  const target = h("select");
  const what = h("select", {}, ...options(WHAT));
  const names = h("textarea", { rows: 3, spellcheck: false, "aria-label": word("names") });
  const conflict = h("select", {}, ...options(CONFLICTS));
  const children = h("input", { type: "number", min: 0, max: 10, value: 0 });
  const fields = h("input", { type: "text", spellcheck: false, placeholder: word("fields_hint") });
  const owner = h("input", { type: "text", spellcheck: false, placeholder: word("owner_hint") });
  const into = labelled(word("target"), target);
  const owners = labelled(word("owner"), owner);
  const files = h("input", { type: "checkbox" });
  const automation = h("input", { type: "checkbox" });
  const preview = h("button", { type: "button", className: "sfnb-primary", title: word("preview_hint") }, word("preview"));
  const start = h("button", { type: "button" }, word("start"));
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const text = h("p");
  const yes = h("button", { type: "button", className: "sfnb-danger" }, word("yes"));
  const no = h("button", { type: "button" }, word("no"));
  const question = h("div", { className: "sfnb-question", role: "alertdialog", hidden: true }, text, yes, no);
  const none = h("p", {}, word("none"));
  const shown = h("div");
  const form = h("div", {}, labelled(word("snapshot"), snapshot), into, labelled(word("what"), what), names,
    labelled(word("conflict"), conflict),
    h("details", {}, h("summary", {}, word("options")), labelled(word("fields"), fields),
      labelled(word("children"), children), owners,
      h("p", {}, h("label", { className: "choice" }, files, ` ${word("files")}`)),
      h("p", {}, h("label", { className: "choice" }, automation, ` ${word("automation")}`))),
    h("div", { className: "sfnb-row" }, preview, start), status, question);
  let inner = null; // the preview's front end, once it has been loaded

  const said = (kind) => ({ kind, snapshot: snapshot.value, target: target.value, fields: fields.value, owner: owner.value, what: what.value, names: names.value, conflict: conflict.value,
    children: Number(children.value), files: files.checked, automation_off: automation.checked });
  const tell = async (kind) => {
    say(status, "");
    const answer = await ask(said(kind), 30000);
    if (!answer || !answer.ok) say(status, answer ? answer.says : word("silent"));
    return answer && answer.ok ? answer : null;
  };
  // The preview is a screen of its own; what it says goes through this one.
  const show_preview = async (view) => {
    if (!view) { shown.replaceChildren(); inner = null; return; }
    const front = (await import("/static/restore_preview.js")).default;
    if (inner) { inner.view = view; inner.changed.forEach((listener) => listener()); return; }
    const own = inner = { view, changed: new Set() };
    shown.replaceChildren();
    front.render({ el: shown, model: { get: () => own.view, send: (message) => model.send(message),
      on: (name, listener) => (name === "change:view" ? own.changed.add(listener) : model.on(name, listener)),
      off: (name, listener) => (name === "change:view" ? own.changed.delete(listener) : model.off(name, listener)) } });
  };
  let last = null;
  const draw = () => {
    const view = model.get("view");
    none.hidden = view.snapshots.length > 0;
    form.hidden = !none.hidden;
    if (snapshot.options.length !== view.snapshots.length) {
      const chosen = snapshot.value || view.chosen;
      snapshot.replaceChildren(...options(view.snapshots.map(({ id, text: label }) => [id, label])));
      if (chosen) snapshot.value = chosen;
    }
    if (target.options.length !== view.targets.length) {
      const chosen = target.value;
      target.replaceChildren(...options(view.targets.map((name) => [name, name])));
      if (chosen) target.value = chosen;
    }
    into.hidden = view.targets.length < 2;
    names.hidden = !["objects", "ids"].includes(what.value);
    names.placeholder = what.value === "ids" ? word("ids_hint") : word("names_hint");
    preview.disabled = view.is_planning;
    start.disabled = view.is_starting || may_not("start");
    root.setAttribute("aria-busy", String(view.is_starting || view.is_planning));
    if (view.is_starting) say(status, word("starting"));
    else if (view.is_planning) say(status, word("planning"));
    else if (view.says) say(status, view.says);
    else if (status.textContent.endsWith("…")) say(status, "");
    const key = JSON.stringify(view.preview);
    if (key !== last) { last = key; show_preview(view.preview); }
  };
  const close = () => { question.hidden = true; };
  preview.addEventListener("click", () => { close(); tell("plan"); });
  start.addEventListener("click", async () => {
    const answer = await tell("question");
    if (!answer) return;
    say(text, answer.question);
    question.hidden = false;
    no.focus();
  });
  yes.addEventListener("click", () => { close(); tell("start"); });
  no.addEventListener("click", () => { close(); start.focus(); });
  question.addEventListener("keydown", (event) => { if (event.key === "Escape") no.click(); });
  form.addEventListener("input", () => { close(); draw(); });
  model.on("change:view", draw);
  root.setAttribute("aria-label", word("title"));
  question.setAttribute("aria-label", word("start"));
  root.append(h("h3", {}, word("title")), role_line, none, form, shown, h("p", { className: "sfnb-quiet" }, word("runs_on")));
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render, keeps: true };
