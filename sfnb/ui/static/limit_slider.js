// The form of a percentage comes from Python, and the percentages are those that Python has a sentence for.
const parse_percent = (text, budget, form) => {
  const found = new RegExp(form).exec(text);
  const percent = found ? Number(found[1]) : 0;
  return percent >= 1 && percent <= budget.stops.length ? percent : null;
};

const percent_of = (part, whole) => (whole > 0 ? Math.min(100, (100 * part) / whole) : 0);

// One budget. `saved` is the percent that its person has seen as the saved one.
const budget_part = (first, view, changed, actions) => {
  const id = fresh_id();
  let budget = first;
  let saved = first.percent;
  let meanwhile = null;
  const title = h("h4", { id: `${id}-title` });
  const range = h("input", { type: "range", min: 0, max: 100, step: 1,
    "aria-label": first.slider_label, "aria-describedby": `${id}-stops` });
  const field = h("input", { type: "text", inputMode: "numeric", className: "sfnb-percent", autocomplete: "off",
    "aria-label": first.field_label, "aria-describedby": `${id}-problem` });
  const unsaved = h("span", { className: "sfnb-unsaved" });
  const gauge = h("div", { className: "sfnb-gauge", role: "img" });
  const bars = Object.fromEntries(["kept", "own", "others", "was", "stop"].map((name) =>
    [name, gauge.appendChild(h("div", { className: `sfnb-${name}` }))]));
  const problem = h("p", { id: `${id}-problem`, className: "sfnb-problem", role: "alert" });
  const stops = h("p", { id: `${id}-stops`, className: "sfnb-strong" });
  const used = h("p", {});
  const what_if = h("p", { className: "sfnb-what-if" });
  const last = h("p", { className: "sfnb-quiet" });

  const shown = () => parse_percent(field.value, budget, view.form);
  const is_dirty = () => field.value.trim() !== String(saved);
  const draw = () => {
    const percent = shown();
    const at = percent === null ? Number(range.value) : percent;
    say(title, budget.title);
    if (percent !== null && Number(range.value) !== percent) range.value = percent;
    range.setAttribute("aria-valuetext", budget.stops[at - 1]);
    const bad = percent === null;
    field.setAttribute("aria-invalid", bad ? "true" : "false");
    say(problem, bad ? (field.value.trim() ? view.refusals.other : view.refusals.empty) : meanwhile || "");
    say(unsaved, is_dirty() ? word("unsaved", { saved }) : "");
    const own = percent_of(budget.sfnb, budget.max);
    bars.own.style.width = `${own}%`;
    bars.others.style.left = `${own}%`;
    bars.others.style.width = `${Math.min(100 - own, percent_of(budget.others, budget.max))}%`;
    bars.kept.style.left = bars.stop.style.left = `${at}%`;
    bars.was.style.left = `${saved}%`;
    bars.was.hidden = saved === at;
    gauge.setAttribute("aria-label", `${budget.used} ${budget.stops[at - 1]}`);
    say(stops, budget.stops[at - 1]);
    say(used, budget.used);
    say(what_if, budget.what_if[at - 1]);
    say(last, budget.last);
  };
  // The slider begins at 0, so that its thumb stands over the gauge's stop mark; the least limit is 1 %.
  range.addEventListener("input", () => { field.value = Math.max(1, range.value); come_here(); draw(); changed(); });
  field.addEventListener("input", () => { come_here(); draw(); changed(); });
  const slot = h("div");
  // A summary is a button itself: what is folded has its field below it.
  const entry = h("span", { className: "sfnb-entry" }, field, h("span", { "aria-hidden": "true" }, view.unit));
  // Save stands beside what was moved last.
  const come_here = () => { if (actions.parentNode !== slot) slot.append(actions); };
  field.value = String(saved);
  range.value = saved;

  return {
    // The mark has its own line: if it made the slider narrower, the slider would run away under the mouse.
    el: h(first.is_folded ? "details" : "section", { "aria-labelledby": `${id}-title`, className: "sfnb-budget" },
      h(first.is_folded ? "summary" : "div", { className: "sfnb-title" }, title, first.is_folded ? null : entry, unsaved),
      first.is_folded ? entry : null, range, gauge, slot, h("div", { className: "sfnb-legend" }, ...view.legend.map(([name, text]) =>
        h("span", {}, h("i", { className: `sfnb-${name}` }), text))),
      problem, stops, used, what_if, last),
    api: first.api,
    come_here,
    field, draw, is_dirty,
    is_good: () => shown() !== null,
    typed: () => field.value,
    expected: () => saved,
    wants: () => shown(),
    cancel: () => { saved = budget.percent; meanwhile = null; field.value = String(saved); range.value = saved; draw(); },
    // What the kernel tells. What a person has typed and not saved stays.
    take: (news, is_ours) => {
      const old = saved;
      const dirty = is_dirty();
      budget = news;
      if (news.percent !== old) {
        saved = news.percent;
        meanwhile = dirty && !is_ours ? word("meanwhile", { new: news.percent, old, last: news.last }) : null;
        if (!dirty || is_ours) { field.value = String(saved); range.value = saved; }
        if (!is_dirty()) meanwhile = null;
      }
      draw();
      return meanwhile !== null;
    },
    is_contested: () => meanwhile !== null,
  };
};

const CONTEST_PAUSE_MS = 800;

const render = ({ model, el }) => {
  const root = part_root("slider");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  let busy = false;
  let saving = false;
  const closes = model.get("view").closes; // opened in place: it closes when it is done
  const done = (says) => { if (closes) root.dispatchEvent(new CustomEvent("sfnb-close", { bubbles: true, detail: says })); };
  let contested_ms = 0;

  const heading = h("h3");
  const notice = h("p", { className: "sfnb-problem", role: "status" });
  const advice = h("p", { className: "sfnb-advice" });
  const reason = h("input", { type: "text", maxLength: 500, className: "sfnb-reason", placeholder: word("reason_hint"),
    "aria-label": word("reason") });
  const save = h("button", { type: "button", className: "sfnb-primary" }, word("save"));
  const cancel = h("button", { type: "button" }, word("cancel"));
  const read = h("button", { type: "button", title: word("read_hint") }, word("read"));
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  let parts = [];

  const buttons = () => {
    const dirty = parts.some((part) => part.is_dirty());
    save.disabled = busy || !dirty || !parts.every((part) => part.is_good());
    cancel.disabled = busy || (!dirty && !closes);
    read.disabled = busy;
    const contested = parts.find((part) => part.is_contested());
    say(save, contested ? word("replace", { old: contested.expected(), new: contested.wants() ?? "…" }) : word("save"));
    root.classList.toggle("sfnb-dirty", dirty);
  };
  const build = (view) => {
    parts = view.budgets.map((budget) => budget_part(budget, view, () => { say(status, ""); buttons(); }, actions));
    body.replaceChildren(...parts.map((part) => part.el));
    if (parts.length) parts[0].come_here();
  };
  const body = h("div");
  const actions = h("div", { className: "sfnb-actions" }, h("div", { className: "sfnb-row" }, reason, save, cancel, read), status);
  const take = (view, is_ours) => {
    say(heading, view.title);
    root.setAttribute("aria-label", view.title);
    say(notice, view.notice);
    say(advice, view.advice);
    if (parts.map((part) => part.api).join() !== view.budgets.map((budget) => budget.api).join()) build(view);
    parts.forEach((part, i) => {
      if (part.take(view.budgets[i], is_ours)) contested_ms = Date.now();
    });
    buttons();
  };
  const working = async (text, work) => {
    busy = true;
    say(status, text);
    buttons();
    try { await work(); } finally { busy = false; buttons(); }
  };
  save.addEventListener("click", () => working(word("saving"), async () => {
    if (Date.now() - contested_ms < CONTEST_PAUSE_MS) {
      say(status, word("contested"));
      return;
    }
    const leave = await ask({ kind: "ask" });
    if (!leave) { say(status, word("lost")); return; }
    const dirty = parts.filter((part) => part.is_dirty());
    saving = true;
    const answer = await ask({ kind: "save", ticket: leave.ticket, reason: reason.value,
      percents: Object.fromEntries(dirty.map((part) => [part.api, part.typed()])),
      expected: Object.fromEntries(dirty.map((part) => [part.api, part.expected()])) }, 2 * PATIENCE_MS);
    saving = false;
    if (!answer) { say(status, word("uncertain")); return; }
    say(status, answer.says);
    if (answer.ok) { reason.value = ""; take(answer.view, true); done(answer.says); }
    else if (answer.view) take(answer.view, false);
  }));
  cancel.addEventListener("click", () => {
    parts.forEach((part) => part.cancel());
    reason.value = "";
    say(status, word("cancelled"));
    buttons();
    done(word("cancelled"));
  });
  read.addEventListener("click", () => working(word("reading"), async () => {
    const answer = await ask({ kind: "read" }, 60000);
    say(status, answer ? answer.says : word("silent"));
  }));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !cancel.disabled) { cancel.click(); event.stopPropagation(); }
    if (event.key === "Enter" && event.target.tagName === "INPUT" && !save.disabled) { save.click(); event.stopPropagation(); }
  });

  // While a Save is in flight, its answer brings the news: only then is it known whose change it was.
  const changed = () => { if (!saving) take(model.get("view"), false); };
  model.on("change:view", changed);
  root.append(heading, notice, advice, body);
  take(model.get("view"), false);
  el.append(root);
  ask({ kind: "hello" }).then((answer) => { if (answer) take(answer.view, false); });
  return () => { stop(); stop_theme(); model.off("change:view", changed); };
};

export default { render, keeps: true };
