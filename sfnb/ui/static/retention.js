const KEEP = ["last", "daily", "weekly", "monthly", "yearly"].map((value) => [value, WORDS[value]]);
const WHAT = ["ids", "where", "all"].map((value) => [value, WORDS[value]]);

const render = ({ model, el }) => {
  const root = part_root("retention", "group");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const { line: role_line, may_not } = role_guard(model);
  const labelled = (text, input) => h("label", { className: "entry" }, h("span", {}, text), input);
  const field = (placeholder) => h("input", { type: "text", spellcheck: false, autocomplete: "off", placeholder });
  const status = () => h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const button = (text, className = "") => h("button", { type: "button", className }, text);

  // Holds: the list, and a form for one more.
  const holds = h("div", { className: "sfnb-wide" });
  const object = field(word("object_hint"));
  const what = h("select", {}, ...WHAT.map(([value, label]) => h("option", { value }, label)));
  const text = h("textarea", { rows: 2, spellcheck: false, "aria-label": word("text") });
  const reason = field(word("reason_hint"));
  const add = button(word("add"), "sfnb-primary");
  const held = status();
  const ending = field(word("reason_hint"));
  const removal = asked_twice(word("remove"), word("remove_yes"), word("no"), labelled(word("reason"), ending));

  // Retention: the policy, what it lets go, and the prune.
  const policy = h("p", {});
  const numbers = KEEP.map(([name, label]) => [name, h("input", { type: "number", min: 0, className: "sfnb-percent" }), label]);
  const plan = button(word("plan"), "sfnb-primary");
  const prune = button(word("prune"), "sfnb-danger");
  const pruned = status();
  const { question, put } = asked_twice(word("prune"), word("prune_yes"), word("no"));
  const shown = h("div", { className: "sfnb-wide" });

  const tell = async (message, into) => {
    say(into, "");
    const answer = await ask(message, 30000);
    if (!answer || !answer.ok) say(into, answer ? answer.says : word("silent"));
    else if (answer.says) say(into, answer.says);
    return answer && answer.ok ? answer : null;
  };
  const row = (hold) => {
    const remove = button(word("remove"));
    remove.disabled = may_not("remove");
    remove.setAttribute("aria-label", `${word("remove")} ${hold.id}`);
    remove.addEventListener("click", () => {
      ending.value = "";
      removal.put(hold.question, () => tell({ kind: "remove", hold_id: hold.id, reason: ending.value }, held), remove);
    });
    return h("tr", {}, h("th", { scope: "row" }, hold.object), ...[hold.what, hold.reason]
      .map((value) => h("td", {}, value)), h("td", {}, remove));
  };
  let last_holds = null, last_plan = "", last_keep = null;
  const draw = () => {
    const view = model.get("view");
    const listed = JSON.stringify([view.holds, may_not("remove")]);
    add.disabled = may_not("add");
    if (listed !== last_holds) {
      last_holds = listed;
      removal.put(null);
      const heads = [word("column_object"), word("column_records"), word("column_why")].map((head) => h("th", {}, head));
      holds.replaceChildren(view.holds.length
        ? h("table", {}, h("thead", {}, h("tr", {}, ...heads, h("td", {}))), h("tbody", {}, ...view.holds.map(row)))
        : h("p", {}, word("none")));
    }
    const keep = JSON.stringify(view.keep);
    if (keep !== last_keep) {
      last_keep = keep;
      numbers.forEach(([name, input]) => { input.value = view.keep[name] || ""; });
    }
    say(policy, view.policy);
    text.hidden = what.value === "all";
    text.placeholder = what.value === "ids" ? word("ids_hint") : word("where_hint");
    if (last_plan !== view.plan) { shown.innerHTML = last_plan = view.plan; put(null); }
    plan.disabled = Boolean(view.busy);
    prune.disabled = Boolean(view.busy) || !view.can_prune || may_not("prune");
    root.setAttribute("aria-busy", String(Boolean(view.busy)));
    if (view.busy) say(pruned, view.busy === "planning" ? word("planning") : word("pruning"));
    else if (view.says) say(pruned, view.says);
    else if (pruned.textContent.endsWith("…")) say(pruned, "");
  };
  add.addEventListener("click", async () => {
    const message = { kind: "add", object: object.value, what: what.value, text: text.value, reason: reason.value };
    if (await tell(message, held)) text.value = reason.value = "";
  });
  plan.addEventListener("click", () => tell({ kind: "plan",
    keep: Object.fromEntries(numbers.map(([name, input]) => [name, input.value])) }, pruned));
  prune.addEventListener("click", async () => {
    const answer = await tell({ kind: "question" }, pruned);
    if (answer) put(answer.question, () => tell({ kind: "prune" }, pruned), prune);
  });
  what.addEventListener("change", draw);
  model.on("change:view", draw);
  root.setAttribute("aria-label", word("title"));
  root.append(h("h3", {}, word("title")), role_line, h("h4", {}, word("holds")), h("p", { className: "sfnb-quiet" }, word("holds_help")), holds, removal.question,
    h("details", {}, h("summary", {}, word("new")), labelled(word("object"), object), labelled(word("what"), what), text,
      labelled(word("reason"), reason), h("div", { className: "sfnb-row" }, add)), held,
    h("h4", {}, word("retention")), policy,
    h("div", { className: "sfnb-row" }, ...numbers.map(([, input, label]) => h("label", { className: "sfnb-entry" }, label, input))),
    h("div", { className: "sfnb-row" }, plan, prune), pruned, question, shown,
    h("p", { className: "sfnb-quiet" }, word("prune_help")));
  draw();
  el.append(root);
  return () => { stop(); stop_theme(); model.off("change:view", draw); };
};

export default { render, keeps: true };
