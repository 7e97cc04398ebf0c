const LEGEND = [["own", "used by sfnb"], ["others", "used by other apps"], ["free", "free for jobs"],
  ["kept", "stays for others"], ["stop", "jobs stop here"]];

const parse_percent = (text) => {
  const found = /^\s*([0-9]{1,3})\s*%?\s*$/.exec(text);
  const percent = found ? Number(found[1]) : 0;
  return percent >= 1 && percent <= 100 ? percent : null;
};

const percent_of = (part, whole) => (whole > 0 ? Math.min(100, (100 * part) / whole) : 0);

// One budget. `saved` is the percent that its person has seen as the saved one.
const budget_part = (first, changed) => {
  const id = fresh_id();
  let budget = first;
  let saved = first.percent;
  let meanwhile = null;
  const title = h("h4", { id: `${id}-title` });
  const range = h("input", { type: "range", min: 1, max: 100, step: 1,
    "aria-label": `${first.title}: limit slider, percent used`, "aria-describedby": `${id}-stops` });
  const field = h("input", { type: "text", inputMode: "numeric", className: "sfnb-percent", autocomplete: "off",
    "aria-label": `${first.title}: limit, percent used`, "aria-describedby": `${id}-problem` });
  const unsaved = h("span", { className: "sfnb-unsaved" });
  const gauge = h("div", { className: "sfnb-gauge", role: "img" });
  const bars = Object.fromEntries(["kept", "own", "others", "was", "stop"].map((name) =>
    [name, gauge.appendChild(h("div", { className: `sfnb-${name}` }))]));
  const problem = h("p", { id: `${id}-problem`, className: "sfnb-problem", role: "alert" });
  const stops = h("p", { id: `${id}-stops`, className: "sfnb-strong" });
  const used = h("p", {});
  const what_if = h("p", { className: "sfnb-what-if" });
  const last = h("p", { className: "sfnb-quiet" });

  const shown = () => parse_percent(field.value);
  const is_dirty = () => field.value.trim() !== String(saved);
  const draw = () => {
    const percent = shown();
    const at = percent === null ? Number(range.value) : percent;
    say(title, budget.title);
    if (percent !== null && Number(range.value) !== percent) range.value = percent;
    range.setAttribute("aria-valuetext", `${at} percent used`);
    const bad = percent === null;
    field.setAttribute("aria-invalid", bad ? "true" : "false");
    say(problem, bad ? refusal_of(field.value) : meanwhile || "");
    say(unsaved, is_dirty() ? `● not saved (saved: ${saved} %)` : "");
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
  let refusal_of = () => "";
  range.addEventListener("input", () => { field.value = range.value; draw(); changed(); });
  field.addEventListener("input", () => { draw(); changed(); });
  field.value = String(saved);
  range.value = saved;

  return {
    // The mark has its own line: if it made the slider narrower, the slider would run away under the mouse.
    el: h("section", { "aria-labelledby": `${id}-title` }, h("div", { className: "sfnb-title" }, title, unsaved),
      h("div", { className: "sfnb-row" }, range, field, h("span", { "aria-hidden": "true" }, "% used")),
      gauge, h("div", { className: "sfnb-legend" }, ...LEGEND.map(([name, text]) =>
        h("span", {}, h("i", { className: `sfnb-${name}` }), text))),
      problem, stops, used, what_if, last),
    api: first.api,
    field, draw, is_dirty,
    is_good: () => shown() !== null,
    typed: () => field.value,
    expected: () => saved,
    wants: () => shown(),
    set_refusal: (make) => { refusal_of = make; },
    cancel: () => { saved = budget.percent; meanwhile = null; field.value = String(saved); range.value = saved; draw(); },
    // What the kernel tells. What a person has typed and not saved stays.
    take: (news, is_ours) => {
      const old = saved;
      const dirty = is_dirty();
      budget = news;
      if (news.percent !== old) {
        saved = news.percent;
        meanwhile = dirty && !is_ours ? `Changed meanwhile to ${news.percent} %, you had seen ${old} %. ${news.last}` : null;
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
  const reason = h("input", { type: "text", maxLength: 500, className: "sfnb-reason", placeholder: "why (kept in the audit log)",
    "aria-label": "Reason for the change" });
  const save = h("button", { type: "button", className: "sfnb-primary" }, "Save");
  const cancel = h("button", { type: "button" }, "Cancel");
  const read = h("button", { type: "button", title: "Asks the org; costs one API call" }, "Read again");
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  let parts = [];

  const buttons = () => {
    const dirty = parts.some((part) => part.is_dirty());
    save.disabled = busy || !dirty || !parts.every((part) => part.is_good());
    cancel.disabled = busy || (!dirty && !closes);
    read.disabled = busy;
    const contested = parts.find((part) => part.is_contested());
    say(save, contested ? `Replace ${contested.expected()} % by ${contested.wants() ?? "…"} %` : "Save");
    root.classList.toggle("sfnb-dirty", dirty);
  };
  const build = (view) => {
    parts = view.budgets.map((budget) => budget_part(budget, () => { say(status, ""); buttons(); }));
    body.replaceChildren(...parts.map((part) => part.el));
  };
  const body = h("div");
  const take = (view, is_ours) => {
    say(heading, `Limits of ${view.org}`);
    root.setAttribute("aria-label", `Limits of ${view.org}`);
    say(notice, view.notice);
    say(advice, view.advice);
    if (parts.map((part) => part.api).join() !== view.budgets.map((budget) => budget.api).join()) build(view);
    parts.forEach((part, i) => {
      part.set_refusal((text) => view.refusal.replace("“\0”", `“${text.trim().slice(0, 40)}”`)
        .replace(/^“” is not a percentage/, "The field is empty"));
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
  save.addEventListener("click", () => working("Saving …", async () => {
    if (Date.now() - contested_ms < CONTEST_PAUSE_MS) {
      say(status, "Not saved: the limit has just been changed by somebody else; look at it and press again.");
      return;
    }
    const lost = `Not saved. ${SILENT} What you typed is kept; press Save again.`;
    const leave = await ask({ kind: "ask" });
    if (!leave) { say(status, lost); return; }
    const dirty = parts.filter((part) => part.is_dirty());
    saving = true;
    const answer = await ask({ kind: "save", ticket: leave.ticket, reason: reason.value,
      percents: Object.fromEntries(dirty.map((part) => [part.api, part.typed()])),
      expected: Object.fromEntries(dirty.map((part) => [part.api, part.expected()])) }, 2 * PATIENCE_MS);
    saving = false;
    if (!answer) { say(status, `${SILENT} Whether this was saved is not known: look at the last change before you try again.`); return; }
    say(status, answer.says);
    if (answer.ok) { reason.value = ""; take(answer.view, true); done(answer.says); }
    else if (answer.view) take(answer.view, false);
  }));
  cancel.addEventListener("click", () => {
    parts.forEach((part) => part.cancel());
    reason.value = "";
    say(status, "Nothing was changed.");
    buttons();
    done("Nothing was changed.");
  });
  read.addEventListener("click", () => working("Asking the org …", async () => {
    const answer = await ask({ kind: "read" }, 60000);
    say(status, answer ? answer.says : SILENT);
  }));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !cancel.disabled) { cancel.click(); event.stopPropagation(); }
    if (event.key === "Enter" && event.target.tagName === "INPUT" && !save.disabled) { save.click(); event.stopPropagation(); }
  });

  // While a Save is under way, its answer brings the news: only then is it known whose change it was.
  const changed = () => { if (!saving) take(model.get("view"), false); };
  model.on("change:view", changed);
  root.append(heading, notice, advice, body,
    h("div", { className: "sfnb-row" }, reason, save, cancel, read), status);
  take(model.get("view"), false);
  el.append(root);
  ask({ kind: "hello" }).then((answer) => { if (answer) take(answer.view, false); });
  return () => { stop(); stop_theme(); model.off("change:view", changed); };
};

export default { render };
