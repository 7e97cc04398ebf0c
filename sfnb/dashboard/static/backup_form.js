const CHOICES = [["all", "All objects"], ["only", "Only these objects"], ["except", "All objects except these"]];

const render = ({ model, el }) => {
  const root = part_root("backup", "group");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const id = fresh_id();
  const last = h("p");
  const names = h("input", { type: "text", className: "sfnb-reason", placeholder: "Account, Contact",
    "aria-label": "Names of the objects", autocomplete: "off", spellcheck: false });
  const radios = CHOICES.map(([value, label], number) => {
    const input = h("input", { type: "radio", name: id, value, checked: number === 0 });
    return { input, el: h("label", { className: "choice" }, input, ` ${label}`) };
  });
  const start = h("button", { type: "button", className: "sfnb-primary" }, "Start the backup");
  const plan = h("button", { type: "button", title: "Asks the org; costs a few API calls" }, "Show the plan");
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const sentence = h("p", { className: "sfnb-strong" });
  const table = h("details", { hidden: true }, h("summary", {}, "Objects of the plan"), h("div", { className: "scroll" }));

  const choice = () => radios.find(({ input }) => input.checked).input.value;
  const draw = () => {
    const view = model.get("view");
    say(last, view.last);
    names.hidden = choice() === "all";
    start.disabled = view.is_starting;
    plan.disabled = view.is_planning;
    say(sentence, view.plan);
    table.hidden = !view.table;
    if (table.lastElementChild.dataset.of !== view.plan) {
      table.lastElementChild.dataset.of = view.plan;
      table.lastElementChild.innerHTML = view.table;
    }
    root.setAttribute("aria-busy", String(view.is_starting || view.is_planning));
    if (view.is_starting) say(status, "Starting the backup …");
    else if (view.is_planning) say(status, "Asking the org what there is to back up …");
    else if (view.says) say(status, view.says);
    else if (status.textContent.endsWith("…")) say(status, "");
  };
  const tell = (kind) => async () => {
    say(status, "");
    const answer = await ask({ kind, choice: choice(), names: names.value }, 30000);
    if (!answer || !answer.ok) say(status, answer ? answer.says : word("silent"));
  };
  start.addEventListener("click", tell("start"));
  plan.addEventListener("click", tell("plan"));
  radios.forEach(({ input }) => input.addEventListener("change", () => { draw(); if (!names.hidden) names.focus(); }));
  model.on("change:view", draw);
  root.setAttribute("aria-label", "New backup");
  root.append(h("h3", {}, "New backup"), last, h("div", { className: "sfnb-row" }, ...radios.map((one) => one.el)), names,
    h("div", { className: "sfnb-row" }, start, plan), status, sentence, table,
    h("p", { className: "sfnb-quiet" }, "A backup runs in a process of its own: you may close this page. It pauses at the limit, and resumes when usage falls."));
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render };
