const render = ({ model, el }) => {
  const root = part_root("restore-preview");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const heading = h("h3");
  const body = h("div", { className: "sfnb-wide" });
  const choice = h("select", { "aria-label": word("object") });
  const list = h("ul", { className: "sfnb-records", "aria-label": word("records") });
  const more = h("button", { type: "button", hidden: true }, word("more"));
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const record = h("div", { className: "sfnb-changes" });
  const look = h("section", {}, h("h4", {}, word("look")), h("p", { className: "sfnb-quiet" }, word("look_hint")),
    h("div", { className: "sfnb-row" }, choice), status, list, more, record);
  let shown = null;

  const asked = async (message) => {
    say(status, word("asking"));
    const answer = await ask(message, 60000);
    say(status, answer && answer.ok ? "" : answer ? answer.says : word("silent"));
    return answer && answer.ok ? answer : null;
  };
  const value = (text) => h("td", { className: text === null ? "sfnb-null" : "" }, text === null ? word("empty") : text);
  const show_record = async (id) => {
    const answer = await asked({ kind: "record", object: choice.value, record: id });
    if (!answer) return;
    const line = ([name, there, here]) => h("tr", {}, h("th", { scope: "row" }, name), value(there), value(here));
    const heads = [word("field"), word("there"), word("snapshot")].map((text) => h("th", { scope: "col" }, text));
    record.replaceChildren(h("h5", { tabIndex: -1 }, answer.title), answer.empty ? h("p", {}, word("no_fields"))
      : h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...answer.fields.map(line))));
    record.firstChild.focus();
  };
  const show_records = async (offset) => {
    if (!offset) { list.replaceChildren(); record.replaceChildren(); }
    more.hidden = true;
    if (!choice.value) return;
    const answer = await asked({ kind: "records", object: choice.value, offset });
    if (!answer) return;
    list.append(...answer.records.map(({ id, text }) =>
      h("li", {}, h("button", { type: "button", onclick: () => show_record(id) }, text))));
    more.hidden = !answer.more;
  };
  choice.addEventListener("change", () => show_records(0));
  more.addEventListener("click", () => show_records(list.children.length));
  const draw = () => {
    const view = model.get("view");
    if (!view || view.html === shown) return;
    shown = view.html;
    say(heading, view.title);
    root.setAttribute("aria-label", view.title);
    body.innerHTML = view.html;
    choice.replaceChildren(h("option", { value: "" }, word("choose")),
      ...view.objects.map(({ name, text }) => h("option", { value: name }, text)));
    look.hidden = !view.objects.length;
    list.replaceChildren();
    record.replaceChildren();
    more.hidden = true;
  };
  model.on("change:view", draw);
  root.append(heading, body, look);
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render };
