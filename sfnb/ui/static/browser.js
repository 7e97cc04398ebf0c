const ROW_PX = 24;
const BLOCK = 100; // rows asked for at a time
const TALLEST_PX = 8000000; // browsers cannot scroll elements of any height; beyond this, places are scaled

const render = ({ model, el }) => {
  const root = part_root("browser");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  let columns = [];
  let count = 0;
  let blocks = new Map();
  let asked = new Set();
  let clicked = null; // a cell whose row is still on its way
  let order = null;
  let descending = false;
  let filters = {};
  let turn = 0; // answers to an older question are dropped
  let shown_code = "";
  let cursor = { place: 0, column: 0 };
  const id = fresh_id();

  const heading = h("h3");
  const snapshots = h("select", { "aria-label": word("snapshot") });
  const objects = h("select", { "aria-label": word("object") });
  const again = h("button", { type: "button" }, word("again"));
  const about = h("p", { className: "sfnb-quiet" });
  const status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const head = h("tr");
  const fields = h("tr", { className: "sfnb-filters" });
  const rows = h("tbody");
  const table = h("table", { className: "sfnb-grid", role: "grid", "aria-label": word("rows") }, h("thead", {}, head, fields), rows);
  const height = h("div", { className: "sfnb-height" });
  const scroller = h("div", { className: "sfnb-scroller", tabIndex: 0, role: "group",
    "aria-label": word("rows_help"), hidden: true },
    h("div", { className: "sfnb-stick" }, table), height);
  const cell = h("pre", { className: "sfnb-cell", tabIndex: 0, hidden: true, "aria-label": word("whole") });
  const code = h("code");
  const copy = h("button", { type: "button" }, word("copy"));
  const as_frame = h("p", { hidden: true }, `${word("frame")} `, code, " ", copy);

  const older = h("select", { "aria-label": word("older") });
  const compare = h("button", { type: "button" }, word("compare_go"));
  const diff_status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const diff_lines = h("tbody");
  const diff_table = h("table", { className: "sfnb-counts", hidden: true }, h("thead", {}, h("tr", {},
    h("th", { scope: "col" }, word("column_object")), h("th", { scope: "col", className: "sfnb-number" }, word("column_added")),
    h("th", { scope: "col", className: "sfnb-number" }, word("column_changed")),
    h("th", { scope: "col", className: "sfnb-number" }, word("column_deleted")),
    h("th", { scope: "col" }, word("column_fields")))), diff_lines);
  const diff_code = h("code");
  const diff_frame = h("p", { hidden: true }, `${word("frame")} `, diff_code);
  const changes = h("div", { className: "sfnb-changes", hidden: true, tabIndex: -1 });
  const diff_part = h("section", { hidden: true }, h("h4", {}, word("compare")),
    h("div", { className: "sfnb-row" }, older, compare), diff_status,
    h("div", { className: "sfnb-wide", tabIndex: 0, role: "group", "aria-label": word("compare") }, diff_table), diff_frame, changes);
  const record = h("input", { type: "text", "aria-label": word("record"), placeholder: word("record_hint"), size: 22 });
  const show_versions = h("button", { type: "button" }, word("show_versions"));
  const history_status = h("p", { className: "sfnb-status", role: "status", "aria-live": "polite" });
  const versions = h("div", { className: "sfnb-changes" });
  const history_part = h("section", { hidden: true }, h("h4", {}, word("versions")),
    h("div", { className: "sfnb-row" }, record, show_versions), history_status, versions);

  // Fields side by side: what a value was, and what it is.
  const side_by_side = (title, list, has_before) => h("div", { className: "sfnb-record" }, h("h5", {}, title),
    list.length ? h("div", { className: "sfnb-wide", tabIndex: 0, role: "group", "aria-label": title }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, word("column_field")),
        has_before ? h("th", { scope: "col" }, word("before")) : null, h("th", { scope: "col" }, has_before ? word("after") : word("value")))),
      h("tbody", {}, ...list.map(([name, before, after]) => h("tr", {}, h("th", { scope: "row" }, name),
        ...(has_before ? [before, after] : [after]).map((value) => h("td", { className: value === null ? "sfnb-null" : "" },
          value === null ? word("empty") : value))))))) : null);
  const show_changes = async (name) => {
    say(diff_status, word("looking"));
    const answer = await ask({ kind: "changes", object: name }, 600000);
    if (!answer || !answer.ok) { say(diff_status, answer ? answer.says : word("silent")); return; }
    say(diff_status, answer.says);
    changes.hidden = false;
    changes.replaceChildren(h("h4", {}, word("details", { name: answer.name })),
      ...answer.changes.map((one) => side_by_side(one.title, one.fields, true)));
    changes.focus();
  };
  const tell_diff = (diff) => {
    say(diff_status, diff.says);
    diff_table.hidden = diff.lines.length === 0;
    diff_lines.replaceChildren(...diff.lines.map((line) => h("tr", {},
      h("th", { scope: "row" }, line.different
        ? h("button", { type: "button", className: "sfnb-sort", "aria-label": word("details", { name: line.name }), onclick: () => show_changes(line.name) }, line.name)
        : line.name),
      ...line.counts.map((number) => h("td", { className: "sfnb-number" }, number)),
      h("td", {}, line.fields, line.notes ? h("p", { className: "sfnb-quiet" }, line.notes) : null))));
  };
  const list_older = () => {
    const all = [...snapshots.querySelectorAll("optgroup.sfnb-backups > option")];
    const at = all.indexOf(snapshots.selectedOptions[0]);
    const rest = at < 0 ? [] : all.slice(at + 1);
    older.replaceChildren(...rest.map((one) => h("option", { value: one.value }, one.textContent)));
    diff_part.hidden = at < 0; // an archive is compared with nothing
    older.hidden = compare.hidden = rest.length === 0;
    say(diff_status, rest.length || at < 0 ? "" : word("no_older"));
    diff_lines.replaceChildren();
    diff_table.hidden = diff_frame.hidden = changes.hidden = true;
  };
  compare.addEventListener("click", async () => {
    say(diff_status, word("comparing"));
    changes.hidden = true;
    const answer = await ask({ kind: "compare", old: older.value }, 60000);
    if (!answer || !answer.ok) { say(diff_status, answer ? answer.says : word("silent")); return; }
    say(diff_code, answer.code);
    diff_frame.hidden = !answer.code;
    tell_diff(answer.diff);
  });
  show_versions.addEventListener("click", async () => {
    say(history_status, word("looking"));
    const answer = await ask({ kind: "history", record: record.value }, 120000);
    versions.replaceChildren();
    if (!answer || !answer.ok) { say(history_status, answer ? answer.says : word("silent")); return; }
    say(history_status, answer.says);
    versions.replaceChildren(...answer.versions.map((one, place) =>
      side_by_side(one.title, one.fields, place < answer.versions.length - 1)));
  });

  const problem = (answer) => {
    const bad = !answer || !answer.ok;
    if (bad) say(status, answer ? answer.says : word("silent"));
    return bad;
  };
  const visible = () => Math.max(1, Math.floor((scroller.clientHeight - table.tHead.offsetHeight) / ROW_PX));
  const most = () => Math.max(0, count - visible());
  const first = () => {
    const room = scroller.scrollHeight - scroller.clientHeight;
    return room > 0 ? Math.round((scroller.scrollTop / room) * most()) : 0;
  };
  const go_to = (place) => {
    const room = scroller.scrollHeight - scroller.clientHeight;
    scroller.scrollTop = most() ? (Math.min(Math.max(place, 0), most()) / most()) * room : 0;
  };
  const fetch_block = async (block) => {
    if (asked.has(block)) return;
    asked.add(block);
    const mine = turn;
    const answer = await ask({ kind: "page", offset: block * BLOCK, limit: BLOCK }, 60000);
    if (mine !== turn) return;
    if (problem(answer)) { asked.delete(block); return; }
    blocks.set(block, answer.rows);
    if (answer.rows.length < BLOCK) asked.delete(block); // more may be read in later
    draw();
    if (clicked && row_of(clicked.place)) whole_cell(clicked.place, clicked.column);
  };
  let due = false;
  const soon = () => { if (!due) { due = true; requestAnimationFrame(() => { due = false; draw(true); }); } };
  const row_of = (place) => (blocks.get(Math.floor(place / BLOCK)) || [])[place % BLOCK];
  const draw = (may_ask = false) => {
    height.style.height = `${Math.min(count * ROW_PX, TALLEST_PX)}px`;
    table.setAttribute("aria-rowcount", count + 2);
    const from = first();
    const until = Math.min(count, from + visible() + 1);
    rows.replaceChildren();
    const wanted = new Set();
    for (let place = from; place < until; place += 1) {
      const values = row_of(place);
      if (!values) wanted.add(Math.floor(place / BLOCK));
      rows.append(h("tr", { "aria-rowindex": place + 3 }, h("th", { scope: "row" }, (place + 1).toLocaleString("en")),
        ...columns.map((name, i) => {
          const value = values ? values[i] : "…";
          const at = place === cursor.place && i === cursor.column;
          return h("td", { className: `${value === null ? "sfnb-null" : ""} ${at ? "sfnb-cursor" : ""}`,
            id: at ? `${id}-cursor` : "", title: word("cell_help"),
            onclick: () => { cursor = { place, column: i }; draw(); whole_cell(place, name); } },
          value === null ? "∅" : value.replace(/\s+/g, " "));
        })));
    }
    if (may_ask) wanted.forEach(fetch_block);
  };
  const whole_cell = async (place, column) => {
    const values = row_of(place);
    clicked = values ? null : { place, column };
    if (!values) return;
    const id_column = columns.indexOf("Id");
    if (id_column >= 0) record.value = values[id_column] || "";
    const answer = await ask({ kind: "cell", offset: place, column }, 30000);
    if (problem(answer)) return;
    cell.hidden = false;
    say(cell, `${word("place", { column, row: (place + 1).toLocaleString("en") })}\n${answer.text ?? word("empty")}`);
  };
  const move = (down, right) => {
    cursor = { place: Math.min(Math.max(cursor.place + down, 0), Math.max(0, count - 1)),
      column: Math.min(Math.max(cursor.column + right, 0), columns.length - 1) };
    if (cursor.place < first()) go_to(cursor.place);
    if (cursor.place >= first() + visible()) go_to(cursor.place - visible() + 1);
    draw(true);
    const cell_at = rows.querySelector(".sfnb-cursor");
    if (cell_at) cell_at.scrollIntoView({ block: "nearest", inline: "nearest" });
    scroller.setAttribute("aria-activedescendant", `${id}-cursor`);
  };
  const restart = () => { cursor = { place: 0, column: 0 }; clicked = null; turn += 1; blocks = new Map(); asked = new Set(); scroller.scrollTop = 0; soon(); };
  const pick = async () => {
    say(status, word("filtering"));
    const answer = await ask({ kind: "pick", filters, order, descending }, 120000);
    if (problem(answer)) return;
    count = answer.count;
    say(status, answer.says);
    restart();
  };
  const sort_by = (name) => {
    if (order === name && descending) { order = null; descending = false; }
    else if (order === name) descending = true;
    else { order = name; descending = false; }
    draw_head();
    pick();
  };
  const draw_head = () => {
    head.replaceChildren(h("th", { scope: "col" }, "#"), ...columns.map((name) => {
      const sign = order === name ? (descending ? " ▼" : " ▲") : "";
      const sorted = order === name ? (descending ? "descending" : "ascending") : "none";
      return h("th", { scope: "col", "aria-sort": sorted },
        h("button", { type: "button", className: "sfnb-sort", "aria-label": word("sort_by", { column: name }), onclick: () => sort_by(name) }, name + sign));
    }));
  };
  const draw_filters = () => {
    let wait = null;
    fields.replaceChildren(h("td", {}, word("filter")), ...columns.map((name) => h("td", {}, h("input", {
      type: "search", "aria-label": word("filter_by", { column: name }), title: word("filter_help"),
      oninput: (event) => {
        filters[name] = event.target.value;
        clearTimeout(wait);
        wait = setTimeout(pick, 400);
      },
    }))));
  };
  const list_objects = async () => {
    scroller.hidden = as_frame.hidden = cell.hidden = history_part.hidden = true;
    say(status, "");
    list_older();
    objects.replaceChildren();
    if (!snapshots.value) return;
    const answer = await ask({ kind: "objects", snapshot: snapshots.value }, 60000);
    if (problem(answer)) return;
    say(about, answer.about);
    objects.replaceChildren(h("option", { value: "" }, word("choose")),
      ...answer.objects.map((object) => h("option", { value: object.name }, object.label)));
  };
  const open = async () => {
    cell.hidden = true;
    if (!objects.value) return;
    say(status, word("opening"));
    const answer = await ask({ kind: "open", object: objects.value }, 60000);
    if (problem(answer)) return;
    columns = answer.columns;
    order = null;
    descending = false;
    filters = {};
    count = answer.count;
    shown_code = answer.code;
    say(code, shown_code);
    scroller.hidden = history_part.hidden = false;
    record.value = "";
    say(history_status, "");
    versions.replaceChildren();
    as_frame.hidden = !answer.code;
    draw_head();
    draw_filters();
    restart();
    tell(answer);
  };
  const tell = (state) => {
    const had = count;
    if (state.problem) { say(status, state.problem); return; }
    if (order === null && !Object.values(filters).some(Boolean)) count = state.count;
    say(status, state.says);
    if (had !== count) soon();
    else if (state.done && (order !== null || Object.values(filters).some(Boolean))) pick();
  };
  const take = (view) => {
    say(heading, view.title);
    root.setAttribute("aria-label", view.title);
    fill(view.snapshots);
  };
  const fill = (list) => {
    const before = snapshots.value;
    const group = (name, label) => {
      const some = list.filter((one) => one.group === name);
      const lines = some.map((one) => h("option", { value: one.id }, one.label));
      return some.length ? [h("optgroup", { className: `sfnb-${name}`, label }, ...lines)] : [];
    };
    snapshots.replaceChildren(...group("backups", word("backups")), ...group("archives", word("archives")));
    if (!list.length) { say(about, word("none")); return; }
    if (list.some((one) => one.id === before)) snapshots.value = before; else list_objects();
  };
  snapshots.addEventListener("change", list_objects);
  objects.addEventListener("change", open);
  again.addEventListener("click", async () => {
    const answer = await ask({ kind: "snapshots" }, 60000);
    if (!problem(answer)) fill(answer.snapshots);
  });
  copy.addEventListener("click", () => navigator.clipboard.writeText(shown_code).then(
    () => say(status, word("copied")), () => say(status, word("not_copied"))));
  scroller.addEventListener("scroll", soon);
  scroller.addEventListener("keydown", (event) => {
    if (event.target !== scroller) return;
    const steps = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
      PageDown: [visible(), 0], PageUp: [-visible(), 0], Home: [-count, 0], End: [count, 0] };
    if (event.key in steps) move(...steps[event.key]);
    else if (event.key === "Enter" && columns.length) whole_cell(cursor.place, columns[cursor.column]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const hear = (message) => {
    if (message.answer) return;
    if ("loaded" in message) tell(message);
    if ("diff" in message) tell_diff(message.diff);
  };
  model.on("msg:custom", hear);
  root.append(heading, h("div", { className: "sfnb-row" }, snapshots, objects, again), about, status, scroller, cell, as_frame, history_part, diff_part);
  el.append(root);
  take(model.get("view"));
  return () => { stop(); stop_theme(); model.off("msg:custom", hear); };
};

export default { render };
