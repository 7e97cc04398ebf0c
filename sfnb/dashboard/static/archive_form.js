const render = ({ model, el }) => {
  const root = part_root("archive-form", "group");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const { line: role_line, may_not } = role_guard(model);
  const labelled = (text, input) => h("label", { className: "entry" }, h("span", {}, text), input);
  const choice = (text, input) => h("p", {}, h("label", { className: "choice" }, input, ` ${text}`));
  const object = h("input", { type: "text", spellcheck: false, autocomplete: "off", placeholder: word("object_hint") });
  const where = h("input", { type: "text", spellcheck: false, autocomplete: "off", placeholder: word("where_hint") });
  const most = h("input", { type: "number", min: 1, value: model.get("view").max_rows });
  const children = h("input", { type: "checkbox" });
  const hard = h("input", { type: "checkbox" });
  const plan = h("button", { type: "button", className: "sfnb-primary", title: word("plan_hint") }, word("plan"));
  const start = h("button", { type: "button" }, word("start"));
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const { question, put } = asked_twice(word("start"), word("yes", { org: model.get("view").org }), word("no"));
  const shown = h("div", { className: "scroll" });
  const form = h("div", {}, labelled(word("object"), object), labelled(word("where"), where), labelled(word("max_rows"), most),
    h("details", {}, h("summary", {}, word("options")), choice(word("children"), children), choice(word("hard"), hard)),
    h("div", { className: "sfnb-row" }, plan, start), status, question);

  const tell = async (kind) => {
    say(status, "");
    const answer = await ask({ kind, object: object.value, where: where.value, max_rows: most.value,
      children: children.checked, hard: hard.checked }, 30000);
    if (!answer || !answer.ok) say(status, answer ? answer.says : word("silent"));
    return answer && answer.ok ? answer : null;
  };
  let last = "";
  const draw = () => {
    const view = model.get("view");
    plan.disabled = view.is_planning;
    start.disabled = view.is_starting || may_not("start");
    if (last !== view.plan) shown.innerHTML = last = view.plan;
    root.setAttribute("aria-busy", String(view.is_starting || view.is_planning));
    if (view.is_starting) say(status, word("starting"));
    else if (view.is_planning) say(status, word("planning"));
    else if (view.says) say(status, view.says);
    else if (status.textContent.endsWith("…")) say(status, "");
  };
  plan.addEventListener("click", () => { put(null); tell("plan"); });
  start.addEventListener("click", async () => {
    const answer = await tell("question");
    if (answer) put(answer.question, () => tell("start"), start);
  });
  form.addEventListener("input", () => put(null));
  model.on("change:view", draw);
  root.setAttribute("aria-label", word("title"));
  root.append(h("h3", {}, word("title")), role_line, form, shown, h("p", { className: "sfnb-quiet" }, word("runs_on")));
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render, keeps: true };
