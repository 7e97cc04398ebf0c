const CHOICES = [["all", word("all")], ["only", word("only")], ["except", word("except")]];
const SWITCHES = [["full", word("full"), false], ["sweep", word("sweep"), false], ["refresh", word("refresh"), false],
  ["files", word("files"), true], ["metadata", word("metadata"), true]];

const render = ({ model, el }) => {
  const root = part_root("backup", "group");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const { line: role_line, may_not } = role_guard(model);
  const id = fresh_id();
  const last = h("p");
  const names = h("input", { type: "text", className: "sfnb-reason", placeholder: word("names_hint"),
    "aria-label": word("names"), autocomplete: "off", spellcheck: false });
  const radios = CHOICES.map(([value, label], number) => {
    const input = h("input", { type: "radio", name: id, value, checked: number === 0 });
    return { input, el: h("label", { className: "choice" }, input, ` ${label}`) };
  });
  const switches = SWITCHES.map(([name, label, checked]) => {
    const input = h("input", { type: "checkbox", checked });
    return { name, input, el: h("p", {}, h("label", { className: "choice" }, input, ` ${label}`)) };
  });
  const more = h("details", {}, h("summary", {}, word("options")), ...switches.map((one) => one.el));
  const start = h("button", { type: "button", className: "sfnb-primary" }, word("start"));
  const plan = h("button", { type: "button", title: word("plan_hint") }, word("plan"));
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const plan_shown = h("div", { className: "scroll" });

  let shown = "";
  const choice = () => radios.find(({ input }) => input.checked).input.value;
  const draw = () => {
    const view = model.get("view");
    say(last, view.last);
    names.hidden = choice() === "all";
    start.disabled = view.is_starting || may_not("start");
    plan.disabled = view.is_planning;
    if (shown !== view.plan) plan_shown.innerHTML = shown = view.plan;
    root.setAttribute("aria-busy", String(view.is_starting || view.is_planning));
    if (view.is_starting) say(status, word("starting"));
    else if (view.is_planning) say(status, word("planning"));
    else if (view.says) say(status, view.says);
    else if (status.textContent.endsWith("…")) say(status, "");
  };
  const tell = (kind) => async () => {
    say(status, "");
    const how = Object.fromEntries(switches.map(({ name, input }) => [name, input.checked]));
    const answer = await ask({ kind, choice: choice(), names: names.value, how }, 30000);
    if (!answer || !answer.ok) say(status, answer ? answer.says : word("silent"));
  };
  start.addEventListener("click", tell("start"));
  plan.addEventListener("click", tell("plan"));
  radios.forEach(({ input }) => input.addEventListener("change", () => { draw(); if (!names.hidden) names.focus(); }));
  model.on("change:view", draw);
  root.setAttribute("aria-label", word("title"));
  root.append(h("h3", {}, word("title")), role_line, last, h("div", { className: "sfnb-row" }, ...radios.map((one) => one.el)), names, more,
    h("div", { className: "sfnb-row" }, start, plan), status, plan_shown,
    h("p", { className: "sfnb-quiet" }, word("runs_on")));
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render, keeps: true };
