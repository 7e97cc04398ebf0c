const render = ({ model, el }) => {
  const root = part_root("add", "group");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const { line: role_line, may_not } = role_guard(model);
  const view = model.get("view");
  const entry = (label, attributes) => {
    const input = h("input", { autocomplete: "off", spellcheck: false, ...attributes });
    return { input, el: h("label", { className: "entry" }, h("span", {}, label), input) };
  };
  const name = entry(word("name"), { type: "text", placeholder: word("name_hint") });
  const way = h("select", {}, ...view.ways.map(({ key, label }) => h("option", { value: key }, label)));
  const place = h("div");
  const add = h("button", { type: "button", className: "sfnb-primary" }, word("add"));
  const demo = h("button", { type: "button" }, word("demo"));
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  let entries = [];
  let waited = "";

  const choose = () => {
    entries = view.ways.find(({ key }) => key === way.value).fields.map((field) => ({ field,
      ...entry(field.label, { type: field.is_secret ? "password" : "text", placeholder: field.hint }) }));
    place.replaceChildren(...entries.map((one) => one.el));
  };
  const draw = () => {
    const now = model.get("view");
    add.disabled = demo.disabled = now.is_busy || may_not("add");
    root.setAttribute("aria-busy", String(now.is_busy));
    const waits = !now.is_busy ? "" : now.is_demo ? word("starting") : word("trying");
    if (waits || now.says) say(status, waits || now.says);
    else if (status.textContent === waited) say(status, "");
    waited = waits;
  };
  const tell = (message) => async () => {
    say(status, "");
    const answer = await ask(message());
    if (!answer || !answer.ok) say(status, answer ? answer.says : word("silent"));
  };
  add.addEventListener("click", tell(() => ({ kind: "add", name: name.input.value, way: way.value,
    fields: Object.fromEntries(entries.map(({ field, input }) => [field.name, input.value])) })));
  demo.addEventListener("click", tell(() => ({ kind: "demo" })));
  way.addEventListener("change", choose);
  model.on("change:view", draw);
  root.setAttribute("aria-label", word("title"));
  root.append(h("h3", {}, word("title")), role_line, name.el, h("label", { className: "entry" }, h("span", {}, word("way")), way), place,
    h("div", { className: "sfnb-row" }, add, demo), status, h("p", { className: "sfnb-quiet" }, word("kept"), " ", view.has_keyring ? word("in_keyring") : word("in_memory")));
  choose();
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render, keeps: true };
