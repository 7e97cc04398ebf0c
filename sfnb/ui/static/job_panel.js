const OPEN_AT_MOST = 100; // rows of one kind that are drawn unless a person asks for all
const LINES_AT_MOST = 500;

const set_share = (bar, share) => {
  if (share === null) bar.removeAttribute("value");
  else if (bar.getAttribute("value") !== String(share)) bar.setAttribute("value", share);
};

// One kind of objects: a heading with their number, and their rows, drawn only while it is open.
const group = ({ kind, sign, is_open, has_bar }, objects) => {
  const rows = new Map();
  const names = new Set();
  let all = false;
  const list = h("ul", { className: "sfnb-objects" });
  const more = h("button", { type: "button", hidden: true, onclick: () => { all = true; fill(); } });
  const summary = h("summary");
  const el = h("details", { className: `sfnb-group sfnb-${kind}`, open: is_open, hidden: true },
    summary, list, more);
  const row_of = (name) => {
    const bar = h("progress", { max: 1, "aria-label": word("rows_read", { name }) });
    const text = h("span", { className: "sfnb-text" });
    const made = { el: h("li", {}, h("span", { className: "sfnb-sign", "aria-hidden": "true" }, sign),
      h("span", { className: "sfnb-name" }, name), has_bar ? bar : null, text), bar, text };
    rows.set(name, made);
    return made;
  };
  const fill = () => {
    const want = el.open ? (all ? [...names] : [...names].slice(0, OPEN_AT_MOST)) : [];
    const keep = new Set(want);
    for (const [name, row] of rows) if (!keep.has(name)) { row.el.remove(); rows.delete(name); }
    for (const name of want) {
      const row = rows.get(name) || row_of(name);
      const [, , share, text] = objects.get(name);
      set_share(row.bar, share);
      say(row.text, text);
      if (!row.el.isConnected || row.el.parentNode !== list) list.append(row.el);
    }
    more.hidden = !el.open || want.length === names.size;
    say(more, word("show_all", { count: names.size.toLocaleString("en") }));
  };
  el.addEventListener("toggle", fill);
  return {
    el,
    put: (name) => names.add(name),
    drop: (name) => names.delete(name),
    draw: (title) => { el.hidden = names.size === 0; say(summary, title); fill(); },
  };
};

const render = ({ model, el }) => {
  const root = part_root("panel");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const objects = new Map();
  const kinds = model.get("view").groups;
  const groups = Object.fromEntries(kinds.map((one) => [one.kind, group(one, objects)]));
  const kind_of = new Map();
  const touched = new Set();
  let head = null;
  let due = false;
  let last_line = 0;

  const title = h("span");
  const badge = h("span", { className: "sfnb-badge" });
  const about = h("p", { className: "sfnb-quiet" });
  const bar = h("progress", { max: 1, className: "sfnb-overall", "aria-label": word("overall") });
  const overall = h("p", { className: "sfnb-strong" });
  const pause_box = h("div", { className: "sfnb-pause" });
  const role_line = h("p", { className: "sfnb-role", role: "note", hidden: true });
  const says = h("p", { className: "sfnb-says", role: "status" });
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const pause = h("button", { type: "button" }, word("pause"));
  const resume = h("button", { type: "button" }, word("resume"));
  const cancel = h("button", { type: "button", className: "sfnb-danger" }, word("cancel"));
  const lines = h("ol", { className: "sfnb-lines", tabIndex: 0, "aria-label": word("happened") });
  const log = h("details", { open: true }, h("summary", {}, word("happened")), lines);
  const really = h("button", { type: "button", className: "sfnb-danger" }, word("yes"));
  const no = h("button", { type: "button" }, word("no"));
  const question = h("div", { className: "sfnb-question", role: "alertdialog", hidden: true,
    "aria-label": word("question") },
    h("p", {}, word("consequence")), really, no);

  const draw = () => {
    due = false;
    for (const name of touched) {
      const kind = objects.get(name)[1];
      const before = kind_of.get(name);
      if (before !== kind) {
        if (before) groups[before].drop(name);
        groups[kind].put(name);
        kind_of.set(name, kind);
      }
    }
    const is_news = touched.size > 0;
    touched.clear();
    if (!head) return;
    if (is_news) kinds.forEach(({ kind }) => groups[kind].draw(head.titles[kind]));
    say(title, head.title);
    root.setAttribute("aria-label", head.title);
    say(badge, head.badge);
    badge.dataset.state = head.state;
    say(about, head.about);
    set_share(bar, head.share);
    say(overall, head.overall);
    if (pause_box.dataset.text !== head.pause.join("\n")) {
      pause_box.dataset.text = head.pause.join("\n");
      pause_box.replaceChildren(...head.pause.map((text) => h("p", {}, text)));
    }
    pause_box.hidden = head.pause.length === 0;
    say(says, head.says);
    say(role_line, head.refused);
    role_line.hidden = !head.refused;
    pause.disabled = !head.may.pause;
    resume.disabled = !head.may.resume;
    cancel.disabled = !head.may.cancel;
    if (!head.may.cancel) question.hidden = true;
  };
  // However many messages come, the page is drawn once a frame; in a hidden tab, once a second.
  const soon = () => {
    if (due) return;
    due = true;
    if (document.hidden) setTimeout(draw, 1000); else requestAnimationFrame(draw);
  };
  const add_lines = (news) => {
    const at_end = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 4;
    for (const [number, at, text] of news) {
      if (number <= last_line) continue;
      last_line = number;
      lines.append(h("li", { value: number }, h("span", { className: "sfnb-quiet" }, at), ` ${text}`));
    }
    while (lines.childElementCount > LINES_AT_MOST) lines.firstElementChild.remove();
    if (at_end) lines.scrollTop = lines.scrollHeight;
  };
  const take = (news) => {
    if (news.head) head = news.head;
    for (const object of news.objects || []) { objects.set(object[0], object); touched.add(object[0]); }
    if (news.lines && news.lines.length) add_lines(news.lines);
    if (news.says) say(status, news.says);
    soon();
  };
  const whole = (view) => { lines.replaceChildren(); last_line = 0; take(view); };
  const tell = (kind) => async () => {
    question.hidden = true;
    say(status, "");
    const answer = await ask({ kind });
    if (!answer) say(status, word("unknown", { kind }));
    else say(status, answer.says || "");
  };
  pause.addEventListener("click", tell("pause"));
  resume.addEventListener("click", tell("resume"));
  really.addEventListener("click", tell("cancel"));
  cancel.addEventListener("click", () => { question.hidden = false; no.focus(); });
  no.addEventListener("click", () => { question.hidden = true; cancel.focus(); });
  question.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { no.click(); event.stopPropagation(); }
  });
  const hear = (message) => { if (!message.answer) take(message); };
  model.on("msg:custom", hear);
  root.append(h("h3", {}, title, " ", badge), about, bar, overall, pause_box, role_line, says,
    h("div", { className: "sfnb-row" }, pause, resume, cancel), question, status,
    ...kinds.map(({ kind }) => groups[kind].el), log);
  whole(model.get("view"));
  draw(); // at once: the notebook may make a view anew while somebody looks at it
  el.append(root);
  ask({ kind: "hello" }).then((answer) => { if (answer) whole(answer.view); });
  return () => { stop(); stop_theme(); model.off("msg:custom", hear); };
};

export default { render };
