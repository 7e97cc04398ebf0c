// A part without buttons: HTML that Python has made and escaped.
const render = ({ model, el }) => {
  const root = part_root("picture", "region");
  const stop_theme = follow_theme(root);
  const { ask, stop } = asker(model);
  const take = (view) => { root.setAttribute("aria-label", view.label); root.innerHTML = view.html; };
  const changed = () => take(model.get("view"));
  model.on("change:view", changed);
  changed();
  el.append(root);
  ask({ kind: "hello" }).then((answer) => { if (answer) take(answer.view); });
  return () => { stop(); stop_theme(); model.off("change:view", changed); };
};

export default { render };
