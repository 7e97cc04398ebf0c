// The form of a percentage comes from Python, and the percentages are those that Python has a sentence for.
const parse_percent = (text, form) => {
  const found = new RegExp(form).exec(text);
  const percent = found ? Number(found[1]) : 0;
  return percent >= 1 && percent <= 100 ? percent : null;
};

const percent_of = (part, whole) => (whole > 0 ? Math.min(100, (100 * part) / whole) : 0);

// One limit percent that can be set: slider and field. `saved` is the percent that its person has seen as the saved one;
// 0, an empty field, stands for none, which only the limit of restores may be. `follow` gives what is shown then.
const limit_control = (first, view, { moved, follow }) => {
  const id = fresh_id();
  const may_be_none = first.kind !== "";
  let limit = first;
  let saved = first.percent;
  let meanwhile = null;
  const range = h("input", { type: "range", min: 0, max: 100, step: 1,
    "aria-label": first.slider_label, "aria-describedby": `${id}-stops` });
  const field = h("input", { type: "text", inputMode: "numeric", className: may_be_none ? "sfnb-reserve-percent" : "sfnb-percent", autocomplete: "off",
    placeholder: may_be_none ? word("same") : "", "aria-label": first.field_label, "aria-describedby": `${id}-problem` });
  const unsaved = h("span", { className: "sfnb-unsaved" });
  const problem = h("p", { id: `${id}-problem`, className: "sfnb-problem", role: "alert" });
  const stops = h("p", { id: `${id}-stops`, className: "sfnb-strong" });
  const last = h("p", { className: "sfnb-quiet" });
  const entry = h("span", { className: "sfnb-entry" }, field, h("span", { "aria-hidden": "true" }, view.unit));

  const typed = (percent) => (percent ? String(percent) : "");
  const shown = () => (may_be_none && !field.value.trim() ? 0 : parse_percent(field.value, view.form));
  const is_dirty = () => field.value.trim() !== typed(saved);
  const set = (percent) => { field.value = typed(percent); range.value = percent || follow(); };
  // What the mark shows: of a field that holds no percentage, where the slider stands.
  const at = () => shown() ?? Number(range.value);
  const draw = () => {
    const percent = shown();
    if (percent !== null && Number(range.value) !== (percent || follow())) range.value = percent || follow();
    const sentence = percent === 0 ? limit.unset : limit.stops[at() - 1];
    range.setAttribute("aria-valuetext", sentence);
    const bad = percent === null;
    field.setAttribute("aria-invalid", bad ? "true" : "false");
    say(problem, bad ? (field.value.trim() ? view.refusals.other : view.refusals.empty) : meanwhile || "");
    say(unsaved, is_dirty() ? word("unsaved", { saved: saved ? `${saved} %` : word("same") }) : "");
    say(stops, sentence);
    say(last, limit.last);
    return sentence;
  };
  // The slider begins at 0, so that its thumb stands over the gauge's stop mark; the least limit is 1 %.
  range.addEventListener("input", () => { field.value = Math.max(1, range.value); moved(); });
  field.addEventListener("input", moved);
  set(saved);

  return {
    kind: first.kind,
    range, field, entry, unsaved, problem, stops, last,
    draw, at, is_dirty, set,
    saved: () => saved,
    is_good: () => shown() !== null,
    typed: () => field.value,
    wants: () => (shown() === 0 ? word("same") : `${shown() ?? "…"} %`),
    has: () => (saved ? `${saved} %` : word("same")),
    cancel: () => { saved = limit.percent; meanwhile = null; set(saved); },
    // What the kernel tells. What a person has typed and not saved stays.
    take: (news, is_ours) => {
      const old = saved;
      const dirty = is_dirty();
      limit = news;
      if (news.percent !== old) {
        saved = news.percent;
        const text = (percent) => (percent ? `${percent} %` : word("same"));
        meanwhile = dirty && !is_ours ? word("meanwhile", { new: text(news.percent), old: text(old), last: news.last }) : null;
        if (!dirty || is_ours) set(saved);
        if (!is_dirty()) meanwhile = null;
      }
      return meanwhile !== null;
    },
    is_contested: () => meanwhile !== null,
  };
};

// One budget: its limit for all jobs, that of restores below, and one picture of both.
const budget_part = (first, view, changed, actions) => {
  const id = fresh_id();
  let budget = first;
  const title = h("h4", { id: `${id}-title` });
  const gauge = h("div", { className: "sfnb-gauge", role: "img" });
  const bars = Object.fromEntries(["kept", "room", "own", "others", "was", "reserve-mark", "stop"].map((name) =>
    [name, gauge.appendChild(h("div", { className: `sfnb-${name}` }))]));
  const used = h("p", {});
  const what_if = h("p", { className: "sfnb-what-if" });
  // Save stands beside what was moved last.
  const slots = [h("div"), h("div")];
  const come_here = (slot = slots[0]) => { if (actions.parentNode !== slot) slot.append(actions); };
  const moved = (slot) => () => { come_here(slot); draw(); changed(); };
  const limit = limit_control(first.limit, view, { moved: moved(slots[0]), follow: () => 50 });
  const reserve = limit_control(first.reserve, view, { moved: moved(slots[1]), follow: () => limit.at() });
  const controls = [limit, reserve];
  const none = h("button", { type: "button", onclick: () => { reserve.set(0); moved(slots[1])(); } }, word("no_reserve"));
  const fold_title = h("summary");
  const fold = h("details", { className: "sfnb-reserve", open: first.reserve.percent > 0 }, fold_title,
    h("div", { className: "sfnb-row" }, reserve.entry, none, reserve.unsaved), reserve.range, slots[1], reserve.problem,
    reserve.stops, reserve.last);
  const mark = ([name, text]) => h("span", {}, h("i", { className: `sfnb-${name}` }), text);
  const reserve_marks = view.reserve_legend.map(mark);

  const draw = () => {
    say(title, budget.title);
    const sentences = controls.map((control) => control.draw());
    const at = limit.at();
    const up_to = reserve.at();
    const has_reserve = !!reserve.typed().trim();
    say(fold_title, budget.reserve.titles[has_reserve ? up_to : 0]);
    none.disabled = !has_reserve;
    const own = percent_of(budget.sfnb, budget.max);
    bars.own.style.width = `${own}%`;
    bars.others.style.left = `${own}%`;
    bars.others.style.width = `${Math.min(100 - own, percent_of(budget.others, budget.max))}%`;
    bars.stop.style.left = `${at}%`;
    bars.kept.style.left = `${has_reserve ? Math.max(at, up_to) : at}%`;
    bars.room.style.left = `${at}%`;
    bars.room.style.width = `${has_reserve ? Math.max(up_to - at, 0) : 0}%`;
    bars["reserve-mark"].style.left = `${up_to}%`;
    bars.was.style.left = `${limit.saved()}%`;
    bars.was.hidden = limit.saved() === at;
    [bars.room, bars["reserve-mark"], ...reserve_marks].forEach((el) => { el.hidden = !has_reserve; });
    gauge.setAttribute("aria-label", `${budget.used} ${sentences.join(" ")}`);
    say(used, budget.used);
    say(what_if, budget.what_if[at - 1]);
  };

  return {
    // The mark has its own line: if it made the slider narrower, the slider would run away under the mouse.
    // A summary is a button itself: what is folded has its field below it.
    el: h(first.is_folded ? "details" : "section", { "aria-labelledby": `${id}-title`, className: "sfnb-budget" },
      h(first.is_folded ? "summary" : "div", { className: "sfnb-title" }, title, first.is_folded ? null : limit.entry, limit.unsaved),
      first.is_folded ? limit.entry : null, limit.range, gauge, slots[0],
      h("div", { className: "sfnb-legend" }, ...view.legend.map(mark), ...reserve_marks),
      limit.problem, limit.stops, used, what_if, limit.last, fold),
    api: first.api,
    come_here: () => come_here(),
    draw, controls,
    cancel: () => { controls.forEach((control) => control.cancel()); draw(); },
    take: (news, is_ours) => {
      budget = news;
      const contested = [limit.take(news.limit, is_ours), reserve.take(news.reserve, is_ours)].some(Boolean);
      draw();
      return contested;
    },
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
  const controls = () => parts.flatMap((part) => part.controls);

  const buttons = () => {
    const dirty = controls().some((control) => control.is_dirty());
    reason.disabled = may_not("save");
    save.disabled = busy || reason.disabled || !dirty || !controls().every((control) => control.is_good());
    cancel.disabled = busy || (!dirty && !closes);
    read.disabled = busy;
    const contested = controls().find((control) => control.is_contested());
    say(save, contested ? word("replace", { old: contested.has(), new: contested.wants() }) : word("save"));
    root.classList.toggle("sfnb-dirty", dirty);
  };
  const build = (view) => {
    parts = view.budgets.map((budget) => budget_part(budget, view, () => { say(status, ""); buttons(); }, actions));
    body.replaceChildren(...parts.map((part) => part.el));
    if (parts.length) parts[0].come_here();
  };
  const { line: role_line, may_not } = role_guard(model);
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
    const dirty = parts.flatMap((part) => part.controls.map((control) => [part.api, control])).filter(([, c]) => c.is_dirty());
    const changes = [...new Set(dirty.map(([, control]) => control.kind))].map((kind) => {
      const ones = dirty.filter(([, control]) => control.kind === kind);
      return { kind, percents: Object.fromEntries(ones.map(([api, control]) => [api, control.typed()])),
        expected: Object.fromEntries(ones.map(([api, control]) => [api, control.saved()])) };
    });
    saving = true;
    const answer = await ask({ kind: "save", ticket: leave.ticket, reason: reason.value, changes }, 2 * PATIENCE_MS);
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
  root.append(heading, role_line, notice, advice, body);
  take(model.get("view"), false);
  el.append(root);
  ask({ kind: "hello" }).then((answer) => { if (answer) take(answer.view, false); });
  return () => { stop(); stop_theme(); model.off("change:view", changed); };
};

export default { render, keeps: true };
