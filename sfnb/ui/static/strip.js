const render = ({ model, el }) => {
  const root = part_root("strip", "tablist");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const view = model.get("view");
  const says = h("span", { role: "status", className: "sfnb-status" });
  root.setAttribute("aria-label", view.label);
  const tabs = view.names.map((name, number) => h("button", { type: "button", role: "tab", onclick: () => choose(number) }, name));
  const mark = (number) => tabs.forEach((tab, i) => {
    tab.setAttribute("aria-selected", i === number ? "true" : "false");
    tab.tabIndex = i === number ? 0 : -1;
  });
  const choose = async (number) => {
    mark(number);
    tabs[number].focus();
    const slow = setTimeout(() => say(says, word("opening")), 300);
    const answer = await ask({ kind: "choose", number }, 120000);
    clearTimeout(slow);
    say(says, answer ? answer.says || "" : word("silent"));
  };
  root.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 };
    if (at < 0 || !(event.key in steps)) return;
    choose((steps[event.key] + tabs.length) % tabs.length);
    event.preventDefault();
    event.stopPropagation();
  });
  mark(view.selected);
  root.append(...tabs);
  el.append(root, says);
  return () => { stop(); stop_theme(); };
};

export default { render };
